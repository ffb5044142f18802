package guard

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/speaker/guard/wire"
)

// AddressCapability is the code of the capability in which the engine is told whose session an inner one is (RFC 8810: reserved for experiments). Its
// value is the real address, 4 or 16 octets.
const AddressCapability = 240

// engine is the side of a peer's inner session.
func (p *peer) engine() side {
	return side{
		name: innerSide, open: p.openToEngine, check: p.checkEngine, up: p.engineUp, down: p.engineDown, deliver: p.fromEngine, dial: p.dialEngine,
		backoff: func(n int) time.Duration { return min(innerBackoff<<min(n, 10), innerMost) },
	}
}

func (p *peer) dialEngine(ctx context.Context) (net.Conn, error) {
	e := p.guard.config.Engine
	ctx, cancel := context.WithTimeout(ctx, innerDial)
	defer cancel()
	c, err := dial(ctx, p.inside, e.Address, e.Password, hops{})
	if errors.Is(err, unix.ECONNREFUSED) {
		p.guard.unrenewed()
	}
	return c, err
}

// openToEngine is what the peer said in its OPEN, as far as both sides agreed on it. Graceful restart is there in any case, so that the engine sends
// End-of-RIB, and so is a hold time: without one GoBGP closes the session.
func (p *peer) openToEngine() *wire.Open {
	o, hold := p.session.received, p.session.hold
	if hold == 0 {
		hold = innerHold
	}
	open := &wire.Open{
		AS: o.AS, RouterID: o.RouterID, HoldTime: uint16(hold / time.Second), FourOctetAS: true, Families: p.innerFamilies(),
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

// checkEngine makes sure that it is the engine that we speak for.
func (p *peer) checkEngine(m *machine, o *wire.Open) *wire.Error {
	own := p.guard.config
	switch {
	case o.AS != own.AS:
		return &wire.Error{Code: wire.OpenError, Subcode: wire.OpenBadPeerAS, Text: "OPEN: the engine has another AS than the guard"}
	case o.RouterID != own.RouterID:
		return &wire.Error{Code: wire.OpenError, Subcode: wire.OpenBadRouterID, Text: "OPEN: the engine has another BGP identifier than the guard"}
	}
	return nil
}

// engineUp tells a new engine everything.
func (p *peer) engineUp(m *machine) {
	if p.short {
		m.attempts, m.unanswered = 0, 0
		p.mirrorUp()
		return
	}
	p.engines++
	p.count.Engines++
	if p.engines > 1 {
		p.count.Restarts++
	}
	m.attempts, m.unanswered = 0, 0
	p.engineAway.stop()
	p.routes.engineUp(p.engines > 1 && p.session.received.GracefulRestart == nil && p.now().Sub(p.session.since) > engineEnds)
	p.renew()
	p.log.WithFields(logrus.Fields{"engine": p.engines, "routes": p.routes.toEngine.len()}).Info("engine is up")
	p.guard.tell(Notice{Kind: EngineUp, Peer: p.address})
}

// engineDown keeps the outer session, unless the engine meant the peer.
func (p *peer) engineDown(m *machine, c cause) {
	p.stopRenewing()
	if p.routes == nil {
		return // the peer is gone, and the engine was told so
	}
	if p.short {
		p.routes.mirrorDown()
	} else {
		p.routes.engineDown()
	}
	if c.heard && meansPeer(c.notice) {
		p.fire(p.session, Stop, cause{notice: c.notice})
		p.restart()
		return
	}
	if p.short {
		p.log.WithField("reason", c.String()).Debug("GoBGP is gone, the session and the engine stay")
		return
	}
	p.guard.unrenewed()
	level := logrus.WarnLevel
	if c.heard && c.notice.Code == wire.Cease { // it stops, or is replaced
		level = logrus.DebugLevel
	}
	p.log.WithField("reason", c.String()).Log(level, "engine is down, the session stays")
	p.guard.tell(Notice{Kind: EngineDown, Peer: p.address, Text: c.String()})
	p.awaitEngine()
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

// awaitEngine closes the session when no engine comes: a peer must not go on sending frames to an edge that nobody rules.
func (p *peer) awaitEngine() {
	limit := p.guard.config.EngineTime
	p.after(&p.engineAway, limit, func() {
		p.refusing = true
		p.fire(p.session, Stop, cause{notice: wire.Notification{Code: wire.Cease, Subcode: wire.CeaseOutOfResources}})
		p.failure, p.told = "no engine was there for "+limit.String(), true
		p.log.WithField("after", limit).Error("session closed: no engine")
		p.lookForEngine()
	})
}

// lookForEngine connects to the engine until one answers, and lets sessions begin again.
func (p *peer) lookForEngine() {
	p.after(&p.probe, probeTime, func() {
		if p.short {
			return // it comes by itself
		}
		p.work.Go(func() {
			c, err := p.dialEngine(p.ctx)
			if err == nil {
				c.Close()
			}
			p.post(happening{do: func() {
				if err != nil {
					p.lookForEngine()
					return
				}
				p.refusing = false
				p.restart()
			}})
		})
	})
}

// fromEngine takes an UPDATE or a ROUTE-REFRESH of the engine.
func (p *peer) fromEngine(m *machine, msg []byte) *wire.Error {
	x := p.routes
	if wire.TypeOf(msg) == wire.TypeRouteRefresh {
		q := x.toEngine
		if p.short {
			q = x.toMirror
			q.now = p.now().UnixNano()
		}
		return p.refresh(msg, func(f wire.Family) { x.refresh(x.in, q, f) })
	}
	if p.short {
		return nil // it is told, and is not asked
	}
	p.said = p.now()
	u, err := x.reader.Update(msg)
	if err != nil {
		p.count.EngineErrors++
		p.log.WithError(err).Error("the engine's UPDATE cannot be read")
		return nil
	}
	p.nextHops(u)
	x.fromEngine(u, p.whole)
	p.settle()
	if !x.isRenewing() {
		p.stopRenewing()
	}
	return nil
}

// nextHops puts our own address where the engine names its own on the inner link, as it does for memberships (RFC 4684) and for routes without one.
func (p *peer) nextHops(u *wire.Update) {
	inner := addressOf(p.inner.conn.RemoteAddr()).AsSlice()
	var own []byte
	for i, n := range u.Announced {
		if string(n.NextHop) == string(inner) {
			if own == nil {
				own = addressOf(p.session.conn.LocalAddr()).AsSlice()
			}
			u.Announced[i].NextHop = own
		}
	}
}

func addressOf(a net.Addr) netip.Addr {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}
