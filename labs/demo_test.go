package labs_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
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
