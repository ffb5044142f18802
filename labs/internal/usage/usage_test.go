package usage_test

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/tns-project/tns/labs/internal/usage"
)

func TestOf(t *testing.T) {
	before, err := usage.Of(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	ballast := make([]byte, 32<<20)
	for i := 0; i < len(ballast); i += 1024 {
		ballast[i]++
	}
	after, err := usage.Of(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if after.CPU <= before.CPU || after.Peak < after.RSS || after.RSS < 32<<20 {
		t.Errorf("before %+v, after work on 32 MiB %+v", before, after)
	}

	idle := exec.Command("sleep", "60")
	if err := idle.Start(); err != nil {
		t.Fatal(err)
	}
	if u, err := usage.Of(idle.Process.Pid); err != nil || u.RSS == 0 || u.CPU > time.Second {
		t.Errorf("another process has used %+v, %v", u, err)
	}
	idle.Process.Kill()
	idle.Wait()
	if _, err := usage.Of(idle.Process.Pid); err == nil {
		t.Error("a process that has ended is told of")
	}
}

func TestMachine(t *testing.T) {
	m := usage.ThisMachine()
	if m.CPUs < 1 || m.Memory < 1<<20 || m.Kernel == "unknown" || m.CPU == "unknown" || m.Go == "" {
		t.Errorf("%+v", m)
	}
	c, err := usage.Now()
	if err != nil {
		t.Fatal(err)
	}
	for start := time.Now(); time.Since(start) < 100*time.Millisecond; {
	}
	l, err := c.Since(0)
	if err != nil {
		t.Fatal(err)
	}
	if l.Busy <= 0 || l.Busy > float64(m.CPUs)+1 || l.Others != l.Busy {
		t.Errorf("after 100 ms of work: %+v", l)
	}
}
