package guard

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/tns-project/tns/speaker/guard/wire"
)

// AddressCapability is the code of the capability in which GoBGP is told whose session an inner one is (RFC 8810: reserved for experiments). Its
// value is the real address, 4 or 16 octets.
const AddressCapability = 240

// toGoBGP is the side of a peer's inner session, with GoBGP.
func (p *peer) toGoBGP() side {
	return side{
		name: innerSide, open: p.openToMirror, check: p.checkMirror, up: p.mirrorUp, down: p.mirrorDown, deliver: p.fromMirror, dial: p.dialMirror,
		backoff: func(n int) time.Duration { return min(innerBackoff<<min(n, 10), innerMost) },
	}
}

func (p *peer) dialMirror(ctx context.Context) (net.Conn, error) {
	e := p.guard.config.Engine
	ctx, cancel := context.WithTimeout(ctx, innerDial)
	defer cancel()
	return dial(ctx, p.inside, e.Address, e.Password, hops{})
}

// openToMirror is what the peer said in its OPEN, as far as both sides agreed on it. Graceful restart is there in any case, so that it sends
// End-of-RIB, and so is a hold time: without one GoBGP closes the session.
func (p *peer) openToMirror() *wire.Open {
	o, hold := p.session.received, p.session.hold
	if hold == 0 {
		hold = innerHold
	}
	open := &wire.Open{
		AS: o.AS, RouterID: o.RouterID, HoldTime: uint16(hold / time.Second), FourOctetAS: true, Families: []wire.Family{wire.EVPN},
		RouteRefresh: true, GracefulRestart: &wire.GracefulRestart{Time: 1},
		Unknown: []wire.Capability{{Code: AddressCapability, Value: p.address.AsSlice()}},
	}
	if g := o.GracefulRestart; g != nil {
		mirrored := *g
		mirrored.Families = nil
		for _, f := range g.Families {
			if p.routes.session.Has(f.Family) {
				mirrored.Families = append(mirrored.Families, f)
			}
		}
		open.GracefulRestart = &mirrored
	}
	return open
}

// checkMirror makes sure that it is the GoBGP of our own engine.
func (p *peer) checkMirror(m *machine, o *wire.Open) *wire.Error {
	own := p.guard.config
	switch {
	case o.AS != own.AS:
		return &wire.Error{Code: wire.OpenError, Subcode: wire.OpenBadPeerAS, Text: "OPEN: GoBGP has another AS than the guard"}
	case o.RouterID != own.RouterID:
		return &wire.Error{Code: wire.OpenError, Subcode: wire.OpenBadRouterID, Text: "OPEN: GoBGP has another BGP identifier than the guard"}
	}
	return nil
}

// mirrorUp tells it everything.
func (p *peer) mirrorUp(m *machine) {
	m.attempts, m.unanswered = 0, 0
	p.routes.toMirror.now = p.now().UnixNano()
	p.routes.mirrorUp()
	p.behind = 0
	if p.guard.config.Engine.OnDemand { // somebody waits for it, to the End-of-RIB
		p.routes.toMirror.mark(wire.EVPN)
		p.behind = p.routes.toMirror.len()
	}
}

// mirrorDown keeps the outer session, unless an operator meant the peer.
func (p *peer) mirrorDown(m *machine, c cause) {
	p.mirroring.stop()
	if p.routes == nil {
		return // the peer is gone, and GoBGP was told so
	}
	p.routes.mirrorDown()
	if c.heard && meansPeer(c.notice) {
		p.fire(p.session, Stop, cause{notice: c.notice})
		p.restart()
		return
	}
	p.log.WithField("reason", c.String()).Debug("GoBGP is gone, session and engine stay")
}

// meansPeer reports whether a NOTIFICATION of the engine is about the peer: an operator's, a limit's, or an error in what the peer said. Others are about
// the engine.
func meansPeer(n wire.Notification) bool {
	switch n.Code {
	case wire.HeaderError, wire.OpenError, wire.UpdateError, wire.RefreshError:
		return true
	case wire.Cease:
		return n.Subcode == wire.CeaseMaxPrefixes || n.Subcode == wire.CeaseAdminShutdown || n.Subcode == wire.CeaseAdminReset || n.HardReset()
	}
	return false
}

// restart lets the dialler begin again after a session that we have stopped.
func (p *peer) restart() {
	if d := p.dialler; d != nil && d.state == Idle && !p.refusing {
		d.attempts = max(d.attempts, 1)
		p.act(d, StartIdleHold, Idle, cause{})
	}
}

// fromMirror takes an UPDATE or a ROUTE-REFRESH of GoBGP: it is told, and what it says itself means nothing.
func (p *peer) fromMirror(m *machine, msg []byte) *wire.Error {
	if wire.TypeOf(msg) != wire.TypeRouteRefresh {
		return nil
	}
	x := p.routes
	x.toMirror.now = p.now().UnixNano()
	return p.refresh(msg, func(wire.Family) { x.repeat(x.toMirror) })
}

func addressOf(a net.Addr) netip.Addr {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}
