package endtoend

import (
	"errors"
	"strings"
	"syscall"
	"testing"
)

// The End-of-RIB of a hypervisor that was killed together with the edge, and came back, counts: the start is complete long before the startup hold.
func TestStartIsCompleteWhenBothWereKilled(t *testing.T) {
	w := newWorld(t)
	nved, tesd := w.start("nved"), w.start("tesd")
	w.established()
	w.operate("associate", "--nic", nic)
	w.becomes("nved", "associated", "")
	w.startComplete(nved)
	for range 2 {
		nved.end(syscall.SIGKILL)
		tesd.end(syscall.SIGKILL)
		nved, tesd = w.start("nved"), w.start("tesd")
		w.startComplete(nved)
		w.becomes("nved", "associated", "")
		if !w.forwards(mac) {
			t.Error("the kernel lost the entry")
		}
	}
}

// startComplete waits until nved says so.
func (w *world) startComplete(nved *daemon) {
	w.t.Helper()
	eventually(w.t, "wait for the end of the start", func() error {
		if !strings.Contains(nved.log.String(), "start complete") {
			return errors.New("nved has not said that it is complete")
		}
		return nil
	})
}
