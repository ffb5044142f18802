package guard

import (
	"context"
	"errors"
	"net/netip"
	"testing"
)

// TestAcceptedConnectionIsNotDialled: one that ends before an OPEN is over. RFC 4271 §8.2.2 would go on to Active and then dial, but who dials such a peer is
// the dialler, if there is one.
func TestAcceptedConnectionIsNotDialled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	g := &Guard{config: Config{Log: discard()}, notices: make(chan Notice, maxNotices), peers: make(map[netip.Addr]*peer), recorder: &recorder{}}
	p := newPeer(g, ctx, Peer{Dynamic: true}, loopback.Addr(), loopback.Addr())
	m := &machine{side: p.outer(), accepted: true, state: OpenSent}
	p.accepted = []*machine{m}
	p.fire(m, TCPFails, cause{err: errors.New("the other side closed the connection")})
	if len(p.accepted) > 0 || m.state != Idle || m.retry.timer != nil || !p.lonely.Load() {
		t.Errorf("%d connections, the machine is %v, a retry is due %t, lonely %t", len(p.accepted), m.state, m.retry.timer != nil, p.lonely.Load())
	}
	p.forget.stop()
}
