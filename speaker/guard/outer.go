package guard

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime/debug"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/tns-project/tns/speaker/guard/wire"
)

// outer is the side of the peer's own sessions.
func (p *peer) outer() side {
	s := side{
		name: outerSide, open: p.openToPeer, check: p.checkPeer, up: p.peerUp, down: p.peerDown, deliver: p.fromPeer,
		dial: func(ctx context.Context) (net.Conn, error) {
			c := p.config
			return dial(ctx, c.LocalAddress, netip.AddrPortFrom(p.address, c.Port), c.Password, hopsTo(c, c.AS == p.guard.config.AS))
		},
		backoff: func(n int) time.Duration {
			if n == 0 {
				return 0
			}
			d := min(time.Second<<min(n-1, 16), p.config.ConnectRetry)
			return d - rand.N(d/4)
		},
	}
	s.limiter = p.limiter
	return s
}

// checkPeer judges the peer's OPEN (RFC 4271 §6.2).
func (p *peer) checkPeer(m *machine, o *wire.Open) *wire.Error {
	own := p.guard.config
	switch {
	case p.config.AS != 0 && o.AS != p.config.AS:
		return &wire.Error{Code: wire.OpenError, Subcode: wire.OpenBadPeerAS, Text: fmt.Sprintf("OPEN: the peer has AS %d, configured is %d", o.AS, p.config.AS)}
	case o.AS == own.AS && o.RouterID == own.RouterID:
		return &wire.Error{Code: wire.OpenError, Subcode: wire.OpenBadRouterID, Text: fmt.Sprintf("OPEN: the peer has our own BGP identifier %v", o.RouterID)}
	}
	if s := wire.Negotiate(m.sent, o); len(s.Families) == 0 {
		return &wire.Error{Code: wire.OpenError, Subcode: wire.OpenUnsupportedCapability, Text: "OPEN: the peer has none of our address families"}
	}
	return nil
}

// openToPeer is our OPEN. With graceful restart we only help, so that End-of-RIB is sent (RFC 4724 §3).
func (p *peer) openToPeer() *wire.Open {
	c := p.guard.config
	return &wire.Open{
		AS: c.AS, RouterID: c.RouterID, HoldTime: uint16(p.config.HoldTime / time.Second), FourOctetAS: true, Families: c.Families, RouteRefresh: true,
		GracefulRestart: &wire.GracefulRestart{Time: 1},
	}
}

// peerUp begins the outer session, and with it the inner one.
func (p *peer) peerUp(m *machine) {
	p.session, p.told, p.engines = m, false, 0
	p.routes = newExchange(wire.Negotiate(m.sent, m.received))
	p.count.Sessions++
	if p.dialler != nil && p.dialler != m && p.dialler.state < OpenSent {
		p.fire(p.dialler, Stop, cause{})
	}
	p.log.WithFields(logrus.Fields{"as": m.received.AS, "router_id": m.received.RouterID, "hold": m.hold}).Info("session is up")
	p.guard.tell(Notice{Kind: PeerUp, Peer: p.address})
	p.begun()
	p.heedShow()
}

// peerDown ends it. The engine is told why, as a NOTIFICATION, at which it forgets the peer's routes at once.
func (p *peer) peerDown(m *machine, c cause) {
	p.session, p.routes = nil, nil
	p.over(c.String())
	p.engineAway.stop()
	p.patience.stop()
	p.gathering.stop()
	p.gathered = false
	notice := c.notice
	if !c.heard {
		notice = wire.ShutdownNotification(wire.CeaseAdminReset, c.String())
	}
	p.hide(notice)
	p.guard.tell(Notice{Kind: PeerDown, Peer: p.address, Text: c.String()})
	if d := p.dialler; d != nil && d != m && d.state == Idle && !p.refusing && p.ctx.Err() == nil {
		d.attempts = 0
		if m.lasted < lasting {
			d.attempts = 1
		}
		p.act(d, StartIdleHold, Idle, cause{})
	}
}

// fromPeer takes an UPDATE or a ROUTE-REFRESH of the peer. Should reading it fail in a way that nobody thought of, it costs this session and no other.
func (p *peer) fromPeer(m *machine, msg []byte) (bad *wire.Error) {
	defer func() {
		if e := recover(); e != nil {
			p.log.WithFields(logrus.Fields{"octets": hex(msg), "stack": string(debug.Stack())}).Errorf("a message cannot be read: %v", e)
			bad = &wire.Error{Code: wire.UpdateError, Subcode: wire.UpdateMalformedList, Octets: msg[:min(len(msg), wire.OctetsKept)], Text: fmt.Sprint("UPDATE: ", e)}
		}
	}()
	if wire.TypeOf(msg) == wire.TypeRouteRefresh {
		return p.refresh(msg, p.repeat)
	}
	p.count.Received++
	v := p.routes.filter.Update(msg)
	for _, r := range v.Refusals {
		p.refuse(r)
	}
	if v.Reset != nil {
		return v.Reset
	}
	p.hear(&v.Update)
	for _, f := range p.routes.session.Families {
		if n := p.routes.in.Len(f); n > p.config.MaxRoutes {
			return &wire.Error{Code: wire.Cease, Subcode: wire.CeaseMaxPrefixes, Text: fmt.Sprintf("%d routes of %v, at most %d are allowed", n, f, p.config.MaxRoutes)}
		}
	}
	return nil
}

// refresh answers a ROUTE-REFRESH of a family that is carried.
func (p *peer) refresh(msg []byte, answer func(wire.Family)) *wire.Error {
	r, err := wire.ParseRouteRefresh(msg)
	if bad, ok := errors.AsType[*wire.Error](err); ok {
		return bad
	}
	if r.Kind == wire.RefreshRequest && p.routes.session.Has(r.Family) {
		answer(r.Family)
	}
	return nil
}
