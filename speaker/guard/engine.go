package guard

import (
	"time"

	"github.com/sirupsen/logrus"

	"github.com/tns-project/tns/speaker/guard/wire"
	"github.com/tns-project/tns/speaker/link"
)

// heedEngine sees whether an engine has come, or gone.
func (p *peer) heedEngine() {
	g := p.guard
	l := g.engine.Load()
	if l == p.link {
		return
	}
	if p.link != nil {
		p.link, p.linkControl = nil, nil
		if p.session != nil {
			p.routes.engineDown()
			p.log.Debug("the engine is gone, the session stays")
			g.tell(Notice{Kind: EngineDown, Peer: p.address, Text: "the engine's link has ended"})
			p.awaitEngine()
		}
	}
	if l == nil {
		return
	}
	p.link = l
	if p.session != nil {
		p.introduce()
	}
	if p.refusing {
		p.refusing = false
		p.restart()
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
	})
}

// begun begins a session with an engine, or without one.
func (p *peer) begun() {
	p.subscribe()
	if p.link != nil {
		p.introduce()
	} else {
		p.awaitEngine()
	}
}

// introduce tells an engine of the session and everything that the peer has said.
func (p *peer) introduce() {
	p.engines++
	p.count.Engines++
	if p.engines > 1 {
		p.count.Restarts++
	}
	p.linkSince = p.now()
	p.routes.toEngine.now = p.linkSince.UnixNano()
	p.engineAway.stop()
	o := p.session.received
	p.linkControl = (&link.Message{
		Kind: link.Up, Peer: p.address, At: p.session.since, AS: o.AS, RouterID: o.RouterID, Memberships: p.routes.session.Has(wire.RouteTargets),
	}).Append(p.linkControl)
	p.routes.engineUp(p.engines > 1 && o.GracefulRestart == nil && p.now().Sub(p.session.since) > engineEnds)
	p.log.WithFields(logrus.Fields{"engine": p.engines, "routes": p.routes.toEngine.len()}).Info("engine is up")
	p.guard.tell(Notice{Kind: EngineUp, Peer: p.address})
}

// over ends the session for the engine.
func (p *peer) over(why string) {
	p.unsubscribe()
	p.mirroring.stop()
	if p.link != nil {
		p.linkControl = (&link.Message{Kind: link.Down, Peer: p.address, At: p.now(), Text: why}).Append(p.linkControl)
	}
}

// subscribe has the peer hear of the engine's routes, and asks it for what the engine wants to hear (RFC 4684).
func (p *peer) subscribe() {
	x := p.routes
	constrained := x.session.Has(wire.RouteTargets)
	// A peer without graceful restart says no End-of-RIB, and is told none.
	wait := constrained && p.session.received.GracefulRestart != nil && !x.of(wire.RouteTargets).ended
	p.subscription = p.guard.distributor.subscribe(constrained, !wait, p.notify)
	p.memberships, p.asked = nil, false
	if !constrained {
		return
	}
	if wait {
		p.after(&p.patience, p.guard.config.RenewTime, func() { p.asked = true })
	}
	for c := range x.in.All() {
		if c.Family == wire.RouteTargets {
			p.memberships = append(p.memberships, c)
		}
	}
	x.toPeer.put(p.ownMemberships()...)
	x.toPeer.mark(wire.RouteTargets)
}

// ownMemberships ask for the route targets that are configured. Their next hop is our own address.
func (p *peer) ownMemberships() (list []wire.Change) {
	c := p.guard.config
	attributes := wire.NewAttributes(addressOf(p.session.conn.LocalAddr()).AsSlice(), nil)
	for _, rt := range c.Memberships {
		list = append(list, wire.Change{Family: wire.RouteTargets, NLRI: wire.Membership(c.AS, rt), Attributes: attributes})
	}
	return list
}

func (p *peer) unsubscribe() {
	if p.subscription != nil {
		p.guard.distributor.unsubscribe(p.subscription)
		p.subscription, p.memberships, p.asked = nil, nil, false
	}
}

// hear takes what is left of a peer's UPDATE.
func (p *peer) hear(u *wire.Update) {
	x := p.routes
	if u.EndOfRIB == wire.RouteTargets {
		p.asked = true
	}
	at := p.read.UnixNano()
	x.toEngine.now, x.toMirror.now = at, at
	for _, c := range x.fromPeer(u) {
		if c.Family == wire.RouteTargets {
			p.memberships = append(p.memberships, c)
		}
	}
}

// heedMemberships has the distributor know what the peer asked for.
func (p *peer) heedMemberships() {
	if p.subscription == nil {
		return
	}
	if len(p.memberships) > 0 {
		p.guard.distributor.ask(p.subscription, p.memberships)
		p.memberships = p.memberships[:0]
	}
	if p.asked {
		p.asked = false
		p.patience.stop()
		p.guard.distributor.getReady(p.subscription)
	}
}

// collect makes due what the distributor has for the peer.
func (p *peer) collect() {
	if p.subscription == nil {
		return
	}
	mail, last := p.subscription.take(p.mail)
	carried := p.routes.session.Has(wire.EVPN) // else it can only ask for routes
	if carried {
		p.routes.toPeer.put(mail...)
	}
	clear(mail)
	p.mail = mail[:0]
	if f := p.routes.of(wire.EVPN); last && carried && !f.told {
		f.told = true
		p.routes.toPeer.mark(wire.EVPN)
	}
}

// repeat answers a ROUTE-REFRESH of the peer.
func (p *peer) repeat(f wire.Family) {
	if f == wire.RouteTargets {
		p.routes.toPeer.put(p.ownMemberships()...)
		return
	}
	p.guard.distributor.repeat(p.subscription)
}

// coming reports whether an engine is still at its table.
func (p *peer) coming() bool {
	return p.link != nil && p.guard.distributor.renewing()
}

// linkSession is what packs routes for the link.
var linkSession = wire.Session{Families: []wire.Family{wire.EVPN}, FourOctetAS: true}

// writeLink tells the engine what it is still to be told, as far as there is room for it.
func (p *peer) writeLink() {
	l := p.link
	for l != nil && (len(p.linkControl) > 0 || p.routes != nil && p.routes.toEngine.len() > 0) {
		if !l.reserve(p.notify) {
			return
		}
		b := append(p.linkBuffer[:0], p.linkControl...)
		p.linkControl = p.linkControl[:0]
		if p.routes != nil {
			b = p.linkRoutes(b)
		}
		l.send(b)
		p.linkBuffer = b
	}
}

// linkRoutes appends routes for the engine, at most maxChunk octets and mostly half of that.
func (p *peer) linkRoutes(b []byte) []byte {
	x := p.routes
	m := link.Message{Kind: link.Routes, Peer: p.address}
	for len(b) < maxChunk/2 && x.toEngine.len() > 0 {
		m.At = time.Unix(0, x.toEngine.since())
		changes, end := x.toEngine.take(x.changes[:0], linkBatch)
		octets, _, unsent := x.packer.Append(p.scratch[:0], changes, linkSession)
		if end != 0 {
			octets = wire.AppendEndOfRIB(octets, end)
		}
		for rest := octets; len(rest) > 0; {
			size, _, _ := wire.CheckHeader(rest)
			m.Update, rest = rest[:size], rest[size:]
			b = m.Append(b)
		}
		p.unsent(unsent)
		clear(changes)
		x.changes, p.scratch = changes[:0], octets
	}
	return b
}

// linkBatch is how many changes the engine is told with one time.
const linkBatch = 64
