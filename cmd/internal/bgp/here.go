package bgp

import (
	"context"
	"net"

	"github.com/tns-project/tns/speaker/guard"
	"github.com/tns-project/tns/speaker/link/pipe"
)

// here is a guard in this process.
type here struct{ *guard.Guard }

// Peers implements Guard.
func (h *here) Peers(ctx context.Context) ([]guard.Status, guard.Totals, error) {
	return h.Guard.Peers(ctx), h.Totals(), nil
}

// Link implements Guard.
func (h *here) Link(ctx context.Context) (net.Conn, error) {
	ours, theirs := pipe.New()
	go func() { _ = h.Guard.Link(context.WithoutCancel(ctx), theirs) }() // until ours is closed
	return ours, nil
}
