// Package nonblock reads and writes connections without what waiting costs: who has something to say says it without another goroutine, and who hears
// something does so without the runtime preparing for a wait.
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
		if socket, err := c.SyscallConn(); err == nil {
			return func(b []byte) int { return write(socket, b) }
		}
	}
	return func([]byte) int { return 0 }
}

// little is what a socket takes in some 50 µs, though it carries it as far as the other side's. With more the runtime gets to know of the system call.
const little = 4 << 10

func write(socket syscall.RawConn, b []byte) (n int) {
	_ = socket.Write(func(fd uintptr) bool {
		if len(b) <= little {
			n, _ = raw(unix.SYS_WRITE, fd, b)
			return true
		}
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
