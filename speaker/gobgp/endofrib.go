package gobgp

import (
	"cmp"
	"context"
	"net/netip"
	"time"

	api "github.com/osrg/gobgp/v3/api"

	"github.com/tns-project/tns/speaker"
)

// isEndOfRIB tells End-of-RIB from a route that GoBGP could read but not write: neither has NLRI and attributes, but every route has a validation.
func isEndOfRIB(p *api.Path) bool {
	return p.Nlri == nil && len(p.Pattrs) == 0 && !p.IsWithdraw && p.Validation == nil
}

// end reports a peer's End-of-RIB, once a session.
func (w *watch) end(addr netip.Addr, epoch uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := w.peer(addr)
	if w.closed || !v.up || v.epoch != epoch || v.ended {
		return
	}
	v.ended = true
	v.timer.Stop()
	w.put(speaker.Event{Kind: speaker.EndOfRIB, At: time.Now(), Peer: addr, Epoch: epoch})
}

func (w *watch) imply(addr netip.Addr, epoch uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := w.peer(addr)
	if w.closed || !v.up || v.epoch != epoch || v.ended {
		return
	}
	w.put(speaker.Event{Kind: speaker.EndOfRIB, At: time.Now(), Peer: addr, Epoch: epoch, Implied: true})
}

// quiet is how long the peer has announced nothing; ok is false when that session is over.
func (w *watch) quiet(addr netip.Addr, epoch uint64) (time.Duration, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := w.peer(addr)
	return time.Since(v.heard), !w.closed && v.up && v.epoch == epoch
}

// Settling of End-of-RIB with route target constraint: a speaker may send it with the routes that it has sent so far, before it has read our memberships
// and sends what they ask for (GoBGP does, unless told to wait). It counts once the peer has been quiet for settleTime.
const (
	settleTime  = 500 * time.Millisecond
	settleCheck = 50 * time.Millisecond
)

// settleEnd reports an End-of-RIB that the peer sent, at once or when it has settled.
func (s *Speaker) settleEnd(ctx context.Context, addr netip.Addr, epoch uint64) {
	if len(s.config.RouteTargets) > 0 && s.hasMemberships(ctx, addr) {
		tick := time.NewTicker(settleCheck)
		defer tick.Stop()
		for {
			quiet, ok := s.watch.quiet(addr, epoch)
			if !ok {
				return
			}
			if quiet >= cmp.Or(s.config.settle, settleTime) {
				break
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}
	s.watch.end(addr, epoch)
}

// hasMemberships reports whether the peer's OPEN offers route target constraint.
func (s *Speaker) hasMemberships(ctx context.Context, addr netip.Addr) bool {
	found := false
	_ = s.server.ListPeer(ctx, &api.ListPeerRequest{Address: addr.String()}, func(p *api.Peer) {
		for _, c := range p.GetState().GetRemoteCap() {
			var v api.MultiProtocolCapability
			if c.MessageIs(&v) && c.UnmarshalTo(&v) == nil && v.GetFamily().GetSafi() == familyRTC.Safi {
				found = true
			}
		}
	})
	return found
}
