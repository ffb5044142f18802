package bgp

import (
	"context"
	"net/netip"

	"github.com/tns-project/tns/speaker/gobgp"
	"github.com/tns-project/tns/speaker/guard"
	"github.com/tns-project/tns/speaker/guarded"
)

var _ gobgp.Source = source{}

// source is what the table for people is filled from: the engine's end of the link, and the guard.
type source struct {
	*guarded.Speaker
	guard Guard
}

// Up implements gobgp.Source.
func (s source) Up(ctx context.Context) ([]netip.Addr, error) {
	peers, _, err := s.guard.Peers(ctx)
	if err == nil {
		err = ctx.Err() // which makes the list of a guard in this process a part of it
	}
	if err != nil {
		return nil, err
	}
	var up []netip.Addr
	for _, p := range peers {
		if p.State == guard.Established {
			up = append(up, p.Peer)
		}
	}
	return up, nil
}
