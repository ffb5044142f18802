package heap

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A process that may not have what is asked for, or the places that the runtime needs besides, goes on without huge pages.
func TestNoRoomEndsNoProcess(t *testing.T) {
	if shadowed {
		return // nothing is asked for then
	}
	for _, room := range []int{0, more - 1<<20, more + 1<<20, more + 16<<20, more + 48<<20, more + 80<<20, more + 160<<20} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		c := exec.CommandContext(ctx, os.Args[0])
		c.Env = append(os.Environ(), child+"="+strconv.Itoa(room))
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("with room for %d MiB: %v: %.400s", room>>20, err, out)
		}
		cancel()
	}
}

// more takes two of the pieces in which the runtime takes addresses.
const more = 65 << 20

// aheadWithin asks for that while the process may have no more than so many octets of addresses besides those it has.
func aheadWithin(room int) error {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return err
	}
	var pages uint64
	if _, err := fmt.Sscan(string(b), &pages); err != nil {
		return err
	}
	limit := pages*uint64(os.Getpagesize()) + uint64(room)
	if err := unix.Setrlimit(unix.RLIMIT_AS, &unix.Rlimit{Cur: limit, Max: limit}); err != nil {
		return err
	}
	if err := ahead(more); err != nil && !errors.Is(err, syscall.ENOMEM) && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil
}
