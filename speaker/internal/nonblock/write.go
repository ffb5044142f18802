// Package nonblock writes to sockets without waiting, so that who has something to say can say it without another goroutine.
package nonblock

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// Write writes what the socket takes at once, and returns how many octets that were; none where raw is nil. An error is left for a writer that waits to
// find again.
func Write(raw syscall.RawConn, b []byte) (n int) {
	if raw == nil {
		return 0
	}
	_ = raw.Write(func(fd uintptr) bool {
		for {
			m, err := unix.Write(int(fd), b)
			if errors.Is(err, unix.EINTR) {
				continue
			}
			n = max(m, 0)
			return true
		}
	})
	return n
}
