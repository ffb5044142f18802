// Package nonblock writes to connections without waiting, so that who has something to say can say it without another goroutine.
package nonblock

import (
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// Writer writes what a connection takes at once, and returns how many octets that were. An error is left for a writer that waits to find again.
type Writer func(b []byte) (n int)

// Of is the Writer of a connection: a socket, or one that has WriteNow. To any other it writes nothing.
func Of(c net.Conn) Writer {
	switch c := c.(type) {
	case interface{ WriteNow(b []byte) int }:
		return c.WriteNow
	case syscall.Conn:
		if raw, err := c.SyscallConn(); err == nil {
			return func(b []byte) int { return write(raw, b) }
		}
	}
	return func([]byte) int { return 0 }
}

func write(raw syscall.RawConn, b []byte) (n int) {
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
