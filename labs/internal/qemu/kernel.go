package qemu

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// download bounds the time for fetching and unpacking the kernel's package: 70 MB, some 15 s.
const download = 5 * time.Minute

// Kernel is a kernel that a guest can boot.
type Kernel struct {
	Release string // as uname -r says it
	Image   string // path of the compressed kernel
	root    string // its modules are in root/lib/modules/Release
}

// Debian is the kernel of the machine's Debian release. What an earlier run fetched is taken as it is; else the package that
// linux-image-amd64 stands for is downloaded and unpacked, not installed.
func Debian(ctx context.Context) (Kernel, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, download, fmt.Errorf("it took longer than %v", download))
	defer cancel()
	cache, err := os.UserCacheDir()
	if err != nil {
		return Kernel{}, fmt.Errorf("find where to keep a kernel: %w", err)
	}
	cache = filepath.Join(cache, "tns", "kernel")
	if kernels, err := filepath.Glob(filepath.Join(cache, "*", "boot", "vmlinuz-*")); err == nil && len(kernels) > 0 {
		return kernelAt(kernels[len(kernels)-1]), nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return Kernel{}, fmt.Errorf("keep a kernel: %w", err)
	}
	image, err := fetch(ctx, cache)
	if err != nil {
		return Kernel{}, fmt.Errorf("fetch Debian's kernel: %w", errors.Join(err, context.Cause(ctx)))
	}
	return kernelAt(image), nil
}

func kernelAt(image string) Kernel {
	return Kernel{
		Release: strings.TrimPrefix(filepath.Base(image), "vmlinuz-"),
		Image:   image,
		root:    filepath.Dir(filepath.Dir(image)),
	}
}

// fetch unpacks the kernel's package into a directory of its own in cache, which is there whole or not at all.
func fetch(ctx context.Context, cache string) (image string, err error) {
	work, err := os.MkdirTemp(cache, "fetching-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	name, err := imagePackage(ctx)
	if err != nil {
		return "", err
	}
	if _, err := run(ctx, work, "apt-get", "-qq", "download", name); err != nil {
		return "", err
	}
	packages, err := filepath.Glob(filepath.Join(work, "*.deb"))
	if err != nil || len(packages) != 1 {
		return "", fmt.Errorf("apt-get download %s left %v, want one package", name, packages)
	}
	root := filepath.Join(work, "root")
	if _, err := run(ctx, work, "dpkg-deb", "-x", packages[0], root); err != nil {
		return "", err
	}
	release := strings.TrimPrefix(name, "linux-image-")
	if _, err := run(ctx, work, "depmod", "-b", root, release); err != nil {
		return "", err
	}
	kept := filepath.Join(cache, strings.TrimSuffix(filepath.Base(packages[0]), ".deb"))
	if err := os.Rename(root, kept); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	return filepath.Join(kept, "boot", "vmlinuz-"+release), nil
}

var dependency = regexp.MustCompile(`(?m)^ +Depends: (linux-image-\S+)$`)

// imagePackage is the package of the release's newest kernel.
func imagePackage(ctx context.Context) (string, error) {
	for _, lists := range []func() error{
		func() error { return nil },
		func() error { _, err := run(ctx, "", "apt-get", "-qq", "update"); return err },
	} {
		if err := lists(); err != nil {
			return "", err
		}
		out, err := run(ctx, "", "apt-cache", "depends", "linux-image-amd64")
		if m := dependency.FindStringSubmatch(out); err == nil && m != nil {
			return m[1], nil
		}
	}
	return "", errors.New("apt-cache knows no linux-image-amd64")
}

// closure is the files of modules and of all that they need, in the order of loading; a module that is built in needs none.
func (k Kernel) closure(ctx context.Context, modules []string) ([]string, error) {
	var files []string
	for _, m := range modules {
		out, err := run(ctx, "", "modprobe", "-d", k.root, "-S", k.Release, "--show-depends", m)
		if err != nil {
			return nil, fmt.Errorf("find module %s of %s: %w", m, k.Release, err)
		}
		for line := range strings.Lines(out) {
			f := strings.Fields(line)
			if len(f) >= 2 && f[0] == "insmod" && !slices.Contains(files, f[1]) {
				files = append(files, f[1])
			}
		}
	}
	return files, nil
}

// run is what a command prints; its error has what it complained of.
func run(ctx context.Context, dir, name string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = dir
	c.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C")
	if found, err := lookPath(name); err == nil {
		c.Path, c.Err = found, nil
	}
	var complaint strings.Builder
	c.Stderr = &complaint
	out, err := c.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", strings.Join(c.Args, " "), err, strings.TrimSpace(complaint.String()))
	}
	return string(out), err
}

// lookPath finds a program, also where only root's search path leads.
func lookPath(name string) (string, error) {
	for _, dir := range []string{"", "/usr/sbin", "/sbin", "/usr/bin", "/bin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("there is no %s: install Debian's package", name)
}
