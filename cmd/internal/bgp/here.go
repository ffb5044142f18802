package bgp

import (
	"context"
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/tns-project/tns/speaker/guard"
)

// here is a guard in this process.
type here struct{ *guard.Guard }

// Peers implements Guard.
func (h *here) Peers(ctx context.Context) ([]guard.Status, guard.Totals, error) {
	return h.Guard.Peers(ctx), h.Totals(), nil
}

// Link implements Guard, by two sockets that are joined.
func (h *here) Link(ctx context.Context) (net.Conn, error) {
	ours, theirs, err := pair()
	if err != nil {
		return nil, fmt.Errorf("make the link to the guard: %w", err)
	}
	go func() { _ = h.Guard.Link(context.WithoutCancel(ctx), theirs) }() // until ours is closed
	return ours, nil
}

// pair is two sockets that are joined.
func pair() (a, b net.Conn, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	first, second := os.NewFile(uintptr(fds[0]), "link"), os.NewFile(uintptr(fds[1]), "link")
	defer first.Close()
	defer second.Close()
	if a, err = net.FileConn(first); err != nil {
		return nil, nil, err
	}
	if b, err = net.FileConn(second); err != nil {
		a.Close()
		return nil, nil, err
	}
	return a, b, nil
}
