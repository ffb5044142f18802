package nonblock

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Reader is a connection's Read, but that a socket's system call is none that the runtime expects to wait (raw). It is for one goroutine at a time.
func Reader(c net.Conn) func(b []byte) (n int, err error) {
	s, ok := c.(syscall.Conn)
	if !ok {
		return c.Read
	}
	socket, err := s.SyscallConn()
	if err != nil {
		return c.Read
	}
	r := &reader{conn: c, socket: socket}
	r.attempt = func(fd uintptr) (done bool) {
		r.n, r.errno = raw(unix.SYS_READ, fd, r.into)
		return !errors.Is(r.errno, unix.EAGAIN)
	}
	return r.read
}

// reader keeps what an attempt needs, so that none allocates.
type reader struct {
	conn    net.Conn
	socket  syscall.RawConn
	attempt func(fd uintptr) bool
	into    []byte
	n       int
	errno   error
}

func (r *reader) read(b []byte) (n int, err error) {
	if len(b) == 0 {
		return 0, nil
	}
	r.into, r.n, r.errno = b, 0, nil
	err = r.socket.Read(r.attempt)
	r.into = nil
	failed, named := errors.AsType[*net.OpError](err)
	switch {
	case named:
		failed.Op = "read" // for people: how it was read is of no use to them
		return 0, failed
	case err != nil:
		return 0, err
	case r.errno != nil:
		at := r.conn.LocalAddr()
		return 0, &net.OpError{Op: "read", Net: at.Network(), Source: at, Addr: r.conn.RemoteAddr(), Err: os.NewSyscallError("read", r.errno)}
	case r.n == 0:
		return 0, io.EOF
	}
	return r.n, nil
}

// raw reads or writes on a socket that does not block. The runtime is not told: at the first system call after a rest it would wake up its thread that looks
// after those that wait, for which a virtual machine pays 30 to 80 µs, and that thread would take a processor from what was waited for.
func raw(call, fd uintptr, b []byte) (n int, err error) {
	for {
		done, _, errno := unix.RawSyscall(call, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		switch errno {
		case 0:
			return int(done), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}
