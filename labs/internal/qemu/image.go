package qemu

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

//go:embed init.sh
var initScript []byte

// image is a guest's file system while it is put together, in a directory of the host.
type image struct {
	root string
}

// build makes the initramfs of a guest in the file at path. It is not compressed: that would cost the guest more than it spares the host.
func (g Guest) build(ctx context.Context, path string) error {
	root, err := os.MkdirTemp(filepath.Dir(path), "initramfs-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(root)
	i := image{root}
	if err := errors.Join(i.skeleton(), i.busybox(ctx), i.tools(ctx, g.Tools), i.modules(ctx, g.Kernel, g.Modules), i.tests(g.Binaries)); err != nil {
		return err
	}
	return i.pack(ctx, path)
}

func (i image) skeleton() error {
	for _, dir := range []string{"proc", "sys", "dev", "run", "tmp", "etc", "tests", "bin", "sbin", "usr/bin", "usr/sbin"} {
		if err := os.MkdirAll(filepath.Join(i.root, dir), 0o755); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(i.root, "init"), initScript, 0o755)
}

// busybox gives the guest its shell and small commands. Those that Debian's tools would stand beside have no link, so that the tests meet the
// same ip and modprobe as on the host.
func (i image) busybox(ctx context.Context) error {
	if err := i.copy("/bin/busybox"); err != nil {
		return fmt.Errorf("%w (Debian's busybox-static)", err)
	}
	list, err := run(ctx, "", "/bin/busybox", "--list")
	if err != nil {
		return err
	}
	for applet := range strings.FieldsSeq(list) {
		if slices.Contains([]string{"busybox", "ip", "tc", "ping", "modprobe", "insmod", "depmod", "lsmod", "rmmod"}, applet) {
			continue
		}
		if err := os.Symlink("busybox", filepath.Join(i.root, "bin", applet)); err != nil {
			return err
		}
	}
	return nil
}

var library = regexp.MustCompile(`(/\S+) \(0x`)

// tools copies programs of the host to where the host has them, with the libraries that they load, and kmod to where the kernel calls it.
func (i image) tools(ctx context.Context, tools []string) error {
	for _, name := range append([]string{"kmod"}, tools...) {
		path, err := lookPath(name)
		if err != nil {
			return err
		}
		libraries, err := run(ctx, "", "ldd", path)
		if err != nil && !strings.Contains(libraries+err.Error(), "not a dynamic executable") {
			return err
		}
		if err := i.copy(path); err != nil {
			return err
		}
		for _, m := range library.FindAllStringSubmatch(libraries, -1) {
			if err := i.copy(m[1]); err != nil {
				return err
			}
		}
		if name == "kmod" {
			for _, link := range []string{"modprobe", "lsmod"} {
				if err := os.Symlink(path, filepath.Join(i.root, "sbin", link)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// modules copies modules with all that they need, and the indexes by which the kernel finds them when it needs one.
func (i image) modules(ctx context.Context, k Kernel, modules []string) error {
	files, err := k.closure(ctx, modules)
	if err != nil {
		return err
	}
	base := filepath.Join("lib", "modules", k.Release)
	for _, index := range []string{"modules.builtin", "modules.builtin.modinfo", "modules.order"} {
		files = append(files, filepath.Join(k.root, base, index))
	}
	for _, f := range files {
		within, err := filepath.Rel(k.root, f)
		if err != nil {
			return err
		}
		if err := copyFile(f, filepath.Join(i.root, within)); err != nil {
			return err
		}
	}
	_, err = run(ctx, "", "depmod", "-b", i.root, k.Release)
	return err
}

// tests copies the test binaries, in the order in which the guest runs them, each with its arguments, one a line.
func (i image) tests(binaries []Binary) error {
	for n, b := range binaries {
		dir := filepath.Join(i.root, "tests", fmt.Sprintf("%02d", n))
		if err := copyFile(b.Path, filepath.Join(dir, "binary")); err != nil {
			return err
		}
		args := append([]string{"-test.v=test2json"}, b.Args...)
		if err := os.WriteFile(filepath.Join(dir, "args"), []byte(strings.Join(args, "\n")+"\n"), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// pack writes all as a cpio archive, in the order of names and without what differs between two runs.
func (i image) pack(ctx context.Context, path string) error {
	var names []string
	err := filepath.WalkDir(i.root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(i.root, path)
		names = append(names, name)
		return err
	})
	if err != nil {
		return err
	}
	c := exec.CommandContext(ctx, "cpio", "--quiet", "--create", "--format", "newc", "--reproducible", "--owner", "+0:+0", "--file", path)
	c.Dir, c.Stdin = i.root, strings.NewReader(strings.Join(names, "\n"))
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("pack the guest's files: %w: %s", err, out)
	}
	return nil
}

// copy copies a file of the host to the same path in the guest.
func (i image) copy(path string) error { return copyFile(path, filepath.Join(i.root, path)) }

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	about, err := in.Stat()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, about.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
