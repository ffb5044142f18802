package live

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// InNamespace runs the rest of the test in a network namespace that is gone with it: the test binary starts itself there. It returns false in the parent,
// where the child's result is the test's.
func InNamespace(t *testing.T) bool {
	t.Helper()
	const mark = "SPEAKER_TEST_NAMESPACE"
	if os.Getenv(mark) == "" {
		child := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
		child.Env = append(os.Environ(), mark+"=1")
		child.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
		if out, err := child.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return false
	}
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return true
}
