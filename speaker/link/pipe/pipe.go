// Package pipe joins two ends of a stream in one process, without the kernel: a system call, and a reader that the poller wakes up, cost more than what is said.
package pipe

import (
	"errors"
	"net"
	"os"
	"time"
)

// New is the two ends of a stream, with room in both directions, so that who writes does not wait for who reads. What an end has written before it was closed
// the other one can still read.
func New() (a, b *End) {
	there, back := newLane(), newLane()
	return &End{in: back, out: there}, &End{in: there, out: back}
}

// End is one end. It is safe for concurrent use.
type End struct{ in, out *lane }

var _ net.Conn = (*End)(nil)

// Read implements net.Conn. It is io.EOF once the other end is closed and nothing is left.
func (e *End) Read(b []byte) (int, error) {
	n, err := e.in.read(b)
	return n, failed("read", err)
}

// Write implements net.Conn. It waits for room.
func (e *End) Write(b []byte) (n int, err error) {
	n, err = e.out.write(b)
	return n, failed("write", err)
}

// WriteNow writes what there is room for, and returns how many octets that were: none where an end is closed.
func (e *End) WriteNow(b []byte) int { return e.out.writeNow(b) }

// Close implements net.Conn. It may be called more than once.
func (e *End) Close() error {
	e.in.close(true)
	e.out.close(false)
	return nil
}

// SetDeadline implements net.Conn.
func (e *End) SetDeadline(t time.Time) error {
	return errors.Join(e.SetReadDeadline(t), e.SetWriteDeadline(t))
}

// SetReadDeadline implements net.Conn.
func (e *End) SetReadDeadline(t time.Time) error {
	return failed("set", e.in.limit(&e.in.reading, t, func() bool { return e.in.deaf }))
}

// SetWriteDeadline implements net.Conn.
func (e *End) SetWriteDeadline(t time.Time) error {
	return failed("set", e.out.limit(&e.out.writing, t, func() bool { return e.out.ended }))
}

// LocalAddr implements net.Conn.
func (e *End) LocalAddr() net.Addr { return address{} }

// RemoteAddr implements net.Conn.
func (e *End) RemoteAddr() net.Addr { return address{} }

// address is that of both ends.
type address struct{}

func (address) Network() string { return "pipe" }
func (address) String() string  { return "pipe" }

// failed is an error as sockets have it.
func failed(op string, err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed) {
		return &net.OpError{Op: op, Net: "pipe", Addr: address{}, Err: err}
	}
	return err
}
