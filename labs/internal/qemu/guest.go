package qemu

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Guest is a machine that boots, runs tests and ends.
type Guest struct {
	Kernel   Kernel
	Modules  []string // that the kernel may load, by name; those that they need come along
	Tools    []string // programs of the host, found as a shell finds them
	Binaries []Binary // run one after the other
	Memory   int      // MiB
	// Silence is how long the guest may say nothing, Limit how long it may take in all. Then it is ended.
	Silence, Limit time.Duration
}

// Binary is a test binary for the guest: static, made by `CGO_ENABLED=0 go test -c`.
type Binary struct {
	Name string // of the host's subtest
	Path string
	Args []string // -test.run=… and the like; none may contain white space
}

// Run boots the guest and has the outcome of each of its tests as a subtest of t, below one for each binary.
func (g Guest) Run(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	initramfs := filepath.Join(dir, "initramfs")
	began := time.Now()
	if err := g.build(t.Context(), initramfs); err != nil {
		t.Fatalf("put the guest together: %v", err)
	}
	built := time.Now()
	m := machine{
		command: g.command(initramfs, filepath.Join(dir, "console"), filepath.Join(dir, "results")),
		console: filepath.Join(dir, "console"), results: filepath.Join(dir, "results"),
		silence: g.Silence, limit: g.Limit,
	}
	err := m.run(t.Context())
	t.Logf("%s: put together in %.1f s, run for %.1f s", g.Kernel.Release, built.Sub(began).Seconds(), time.Since(built).Seconds())
	if err != nil {
		t.Errorf("%v; its console:\n%s", err, m.said(m.console))
	}
	outcomes, err := read(m.said(m.results), len(g.Binaries))
	if err != nil {
		t.Errorf("read the guest's results: %v; its console:\n%s", err, m.said(m.console))
	}
	for i, b := range g.Binaries {
		t.Run(b.Name, outcomes[i].report)
	}
	if t.Failed() {
		t.Logf("the guest's console:\n%s", m.said(m.console))
	}
}

// command is QEMU without hardware help, disk or network, with its two serial ports in files.
func (g Guest) command(initramfs, console, results string) []string {
	return []string{
		"qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", fmt.Sprint(g.Memory),
		"-kernel", g.Kernel.Image, "-initrd", initramfs,
		"-append", "console=ttyS0 quiet panic=-1 mitigations=off no_timer_check reboot=t random.trust_cpu=on",
		"-nodefaults", "-display", "none", "-monitor", "none", "-nic", "none", "-no-reboot",
		"-serial", "file:" + console, "-serial", "file:" + results,
	}
}

// machine is a process that writes what it says into two files.
type machine struct {
	command          []string
	console, results string
	silence, limit   time.Duration
}

// run waits for the machine's end, and ends it when it says nothing for too long or takes too long.
func (m machine) run(ctx context.Context) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	c := exec.CommandContext(ctx, m.command[0], m.command[1:]...)
	c.WaitDelay = 10 * time.Second
	var words words
	c.Stdout, c.Stderr = &words, &words
	if err := c.Start(); err != nil {
		return fmt.Errorf("start the guest: %w", err)
	}
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		m.watch(ctx, end)
	}()
	err := c.Wait()
	cause := context.Cause(ctx)
	end(nil)
	<-watched
	if cause != nil {
		return fmt.Errorf("the guest was ended: %w", cause)
	}
	if err != nil {
		return fmt.Errorf("the guest: %w: %s", err, words)
	}
	return nil
}

// watch calls end when the machine has said nothing for too long or takes too long.
func (m machine) watch(ctx context.Context, end context.CancelCauseFunc) {
	const interval = 100 * time.Millisecond
	tick := time.NewTicker(interval)
	defer tick.Stop()
	limit := time.NewTimer(m.limit)
	defer limit.Stop()
	var size int64
	for spoke := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-limit.C:
			end(fmt.Errorf("it took longer than %v", m.limit))
			return
		case now := <-tick.C:
			if s := length(m.console) + length(m.results); s != size {
				size, spoke = s, now
			}
			if now.Sub(spoke) > m.silence {
				end(fmt.Errorf("it said nothing for %v", m.silence))
				return
			}
		}
	}
}

// said is what a file has.
func (m machine) said(path string) []byte {
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return []byte(err.Error())
	}
	return b
}

func length(path string) int64 {
	about, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return about.Size()
}

// words keeps the first of what a process complains of.
type words []byte

func (w *words) Write(p []byte) (int, error) {
	const enough = 16 << 10
	*w = append(*w, p[:min(len(p), enough-len(*w))]...)
	return len(p), nil
}
