package labs_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tns-project/tns/labs/internal/netns"
)

// TestDemo runs the demo as `make demo` does, with FRR and as where FRR is not installed. Its output is the test's log.
func TestDemo(t *testing.T) {
	for _, topology := range []string{"topology.clab.yml", "without-frr.clab.yml"} {
		t.Run(topology, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			name := fmt.Sprintf("demo-%d", os.Getpid())
			c := exec.CommandContext(ctx, binaries+"/run", "-name", name, "-bin", binaries, "-topology", topology, "demo", "demo")
			c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
			c.WaitDelay = 20 * time.Second
			output, err := c.CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, output)
			}
			t.Log("\n" + strings.TrimSpace(string(output)))
		})
	}
}

// TestDemoInterrupted stops a demo in the middle, as ctrl-C does: it ends soon and leaves no namespace and no process.
func TestDemoInterrupted(t *testing.T) {
	name := fmt.Sprintf("stopped-%d", os.Getpid())
	c := exec.Command(binaries+"/run", "-name", name, "-bin", binaries, "demo", "demo")
	stdout, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(filepath.Join(os.TempDir(), "tns-labs", name)) // what it keeps of a demo that did not hold
	lines := bufio.NewScanner(stdout)
	for lines.Scan() && !strings.Contains(lines.Text(), "== 2.") {
	}
	if names, err := netns.Names(name + "-"); err != nil || len(names) == 0 {
		t.Errorf("in the middle of it there are namespaces %v, %v", names, err)
	}
	stopped := time.Now()
	if err := c.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
	}
	if err := c.Wait(); err == nil {
		t.Error("a demo that was stopped says that each step held")
	}
	if took := time.Since(stopped); took > 20*time.Second {
		t.Errorf("it took %v to stop", took)
	}
	if names, err := netns.Names(name + "-"); err != nil || len(names) > 0 {
		t.Errorf("left behind: %v, %v", names, err)
	}
}
