package guard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/time/rate"

	"github.com/tns-project/tns/speaker/guard/wire"
)

// peer is one neighbour. Its loop owns everything here; others post happenings.
type peer struct {
	guard   *Guard
	config  Peer
	address netip.Addr
	inside  netip.Addr // its inner address
	log     *logrus.Entry

	born  time.Time
	ctx   context.Context
	stop  context.CancelFunc
	inbox chan happening
	work  sync.WaitGroup // what the loop started

	dialler  *machine // nil for one that only we wait for
	accepted []*machine
	session  *machine  // the outer one that is established, if any
	inner    *machine  // the session with the engine
	routes   *exchange // of the session

	engineAway alarm // ends the session when no engine comes
	renewal    alarm // ends the time of a new engine
	forget     alarm // ends a dynamic peer that does not come back
	probe      alarm // looks for an engine
	refusing   bool  // no session without an engine: none was there for too long
	engines    int   // inner sessions of this session so far

	limiter    *rate.Limiter // of all its connections together; nil: no limit
	failure    string
	count      Counters
	refused    refusals
	unrecorded bool // writing the record failed
}

// happening is anything that comes to a peer's loop.
type happening struct {
	do       func() // in the loop
	machine  *machine
	chunk    chunk // of the machine's connection
	dialled  bool
	dial     context.Context // of the attempt
	socket   net.Conn        // dialled, or accepted
	accepted bool
	err      error
}

const (
	outerSide = "peer"
	innerSide = "engine"

	highWater    = 4096 // routes due to the engine beyond which the peer is not read
	maxAccepted  = 3    // connections of one peer at a time
	forgetAfter  = 5 * time.Minute
	probeTime    = time.Second
	innerBackoff = 20 * time.Millisecond
	innerMost    = 160 * time.Millisecond
)

func newPeer(g *Guard, ctx context.Context, config Peer, address, inside netip.Addr) *peer {
	p := &peer{
		guard: g, config: config, address: address, inside: inside, born: time.Now(), ctx: ctx, inbox: make(chan happening),
		log: g.config.Log.WithField("peer", address),
	}
	if r := config.MessageRate; r > 0 {
		p.limiter = rate.NewLimiter(rate.Limit(r), r)
	}
	if !config.Dynamic && !config.Passive {
		p.dialler = &machine{side: p.outer(), since: p.now()}
	}
	p.inner = &machine{side: p.engine(), since: p.now()}
	return p
}

func (p *peer) now() time.Time { return time.Now() }

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

// post hands something to the loop; false when the loop has ended.
func (p *peer) post(h happening) bool {
	select {
	case p.inbox <- h:
		return true
	case <-p.ctx.Done():
		return false
	}
}

// run is the loop. It ends with ctx, and closes the sessions as the guard says.
func (p *peer) run() {
	defer p.work.Wait()
	p.begin()
	p.flush()
	for {
		select {
		case h := <-p.inbox:
			p.handle(h)
			p.flush()
		case <-p.ctx.Done():
			p.end()
			return
		}
	}
}

// begin starts dialling.
func (p *peer) begin() {
	if p.dialler != nil && p.dialler.state == Idle {
		p.fire(p.dialler, Start, cause{})
	}
}

// end closes everything: with a NOTIFICATION if the guard is closed, without if it only stops, so that graceful restart holds.
func (p *peer) end() {
	var c cause
	if p.guard.closing.Load() {
		c.notice = wire.Notification{Code: wire.Cease, Subcode: wire.CeaseAdminShutdown}
	}
	for _, m := range p.machines() {
		if c.notice.Code == 0 {
			m.drop()
			continue
		}
		p.fire(m, Stop, c)
	}
	p.fire(p.inner, Stop, cause{notice: wire.ShutdownNotification(wire.CeaseAdminShutdown, "the guard ends")})
	for _, a := range []*alarm{&p.engineAway, &p.renewal, &p.forget, &p.probe} {
		a.stop()
	}
}

// machines is the outer ones.
func (p *peer) machines() []*machine {
	list := make([]*machine, 0, 1+len(p.accepted))
	if p.dialler != nil {
		list = append(list, p.dialler)
	}
	return append(list, p.accepted...)
}

func (p *peer) handle(h happening) {
	switch m := h.machine; {
	case h.do != nil:
		h.do()
	case h.accepted:
		p.accept(h.socket)
	case h.dialled:
		switch {
		case h.dial.Err() != nil || m.state != Connect:
			if h.socket != nil {
				h.socket.Close()
			}
		case h.err != nil:
			p.fire(m, TCPFails, cause{err: h.err})
		default:
			p.connected(m, h.socket)
		}
	case h.chunk.from == m.conn && m.conn != nil:
		p.chunk(m, h.chunk)
	}
}

// chunk takes what a connection said.
func (p *peer) chunk(m *machine, c chunk) {
	if c.err != nil {
		if bad, ok := errors.AsType[*wire.Error](c.err); ok {
			p.fire(m, HeaderBad, cause{notice: bad.Notification(), err: bad})
			return
		}
		if errors.Is(c.err, io.EOF) {
			c.err = errors.New("the other side closed the connection")
		}
		p.fire(m, TCPFails, cause{err: c.err})
		return
	}
	if c.drained {
		m.sendHold.stop()
		return
	}
	c.from.waiting = true
	for _, msg := range c.messages {
		if m.conn != c.from {
			return // a message before ended it
		}
		p.recorded(m, msg, false)
		p.receive(m, msg)
	}
}

// flush writes what is due as far as the sockets take it, and lets readers go on where there is room for what they bring.
func (p *peer) flush() {
	for _, m := range p.machines() {
		p.write(m)
	}
	p.write(p.inner)
	for _, m := range p.machines() {
		if m.conn != nil && m.conn.waiting && (p.routes == nil || p.routes.toEngine.len() < highWater) {
			m.conn.next()
		}
	}
	if m := p.inner; m.conn != nil && m.conn.waiting {
		m.conn.next()
	}
}

// write gives a machine's socket what is due to it.
func (p *peer) write(m *machine) {
	for m.conn != nil && m.conn.idle() {
		b := m.control
		m.control = nil
		if m.state == Established {
			b = p.due(m, b)
		}
		if len(b) == 0 {
			return
		}
		m.conn.send(b)
		if !m.conn.idle() && m.hold > 0 {
			p.arm(m, &m.sendHold, m.hold, SendHoldExpires)
		}
	}
}

// due appends the routes that are due on an established session.
func (p *peer) due(m *machine, b []byte) []byte {
	if p.routes == nil {
		return b
	}
	q, s, endOfRIB := p.routes.toPeer, p.routes.session, p.session != nil && p.session.received.GracefulRestart != nil
	if m == p.inner {
		q, s, endOfRIB = p.routes.toEngine, wire.Negotiate(m.sent, m.received), true
	} else if m != p.session {
		return b
	}
	if q.len() == 0 {
		return b
	}
	routes, updates, unsent := p.routes.messages(q, s, endOfRIB)
	p.recorded(m, routes, true)
	if m != p.inner {
		p.count.Sent += uint64(updates)
	}
	for _, c := range unsent {
		p.refuse(wire.Refusal{Decision: wire.Withdraw, What: "too long", Text: "the route does not fit into a message", Octets: []byte(c.NLRI)})
	}
	return append(b, routes...)
}

// moved follows a machine's change of state.
func (p *peer) moved(m *machine, from, next State, c cause) {
	if m.side.name == outerSide {
		p.log.WithFields(logrus.Fields{"from": from, "state": next, "accepted": m.accepted, "reason": c.String()}).Debug("session")
	}
	if m.accepted && m.state == Idle {
		p.remove(m)
	}
}

// remove forgets an accepted connection that is over.
func (p *peer) remove(m *machine) {
	for i, v := range p.accepted {
		if v == m {
			p.accepted = append(p.accepted[:i:i], p.accepted[i+1:]...)
			break
		}
	}
	if d := p.dialler; d != nil && d.state == Idle && d.idleHold.timer == nil && p.session == nil && !p.refusing && p.ctx.Err() == nil {
		p.act(d, StartIdleHold, Idle, cause{}) // it had lost to this one
	}
	if p.config.Dynamic && len(p.accepted) == 0 {
		p.after(&p.forget, forgetAfter, func() { p.guard.forget(p) })
	}
}

// accept takes a connection that the peer dialled.
func (p *peer) accept(c net.Conn) {
	if p.refusing {
		c.Close()
		return
	}
	if len(p.accepted) >= maxAccepted {
		for _, m := range p.accepted {
			if m.state < OpenConfirm { // one that says nothing makes place
				p.fire(m, Stop, cause{notice: wire.Notification{Code: wire.Cease, Subcode: wire.CeaseRejected}})
				break
			}
		}
	}
	p.forget.stop()
	m := &machine{side: p.outer(), since: p.now(), accepted: true}
	p.fire(m, StartPassive, cause{})
	p.accepted = append(p.accepted, m)
	p.connected(m, c)
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
	p.session, p.failure, p.engines = m, "", 0
	p.routes = newExchange(wire.Negotiate(m.sent, m.received))
	p.count.Sessions++
	if p.dialler != nil && p.dialler != m && p.dialler.state < OpenSent {
		p.fire(p.dialler, Stop, cause{})
	}
	p.log.WithFields(logrus.Fields{"as": m.received.AS, "router_id": m.received.RouterID, "hold": m.hold}).Info("session is up")
	p.guard.tell(Notice{Kind: PeerUp, Peer: p.address})
	p.awaitEngine()
	p.fire(p.inner, Start, cause{})
}

// peerDown ends it. The engine is told why, as a NOTIFICATION, at which it forgets the peer's routes at once.
func (p *peer) peerDown(m *machine, c cause) {
	p.session, p.routes = nil, nil
	p.engineAway.stop()
	p.renewal.stop()
	notice := c.notice
	if !c.heard {
		notice = wire.ShutdownNotification(wire.CeaseAdminReset, c.String())
	}
	p.fire(p.inner, Stop, cause{notice: notice})
	p.inner.drop() // also what waits in Idle
	p.inner.attempts = 0
	p.log.WithField("reason", c.String()).Info("session is down")
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
		return p.refresh(msg, func(f wire.Family) { p.routes.refresh(p.routes.out, p.routes.toPeer, f) })
	}
	p.count.Received++
	v := p.routes.filter.Update(msg)
	for _, r := range v.Refusals {
		p.refuse(r)
	}
	if v.Reset != nil {
		return v.Reset
	}
	p.routes.fromPeer(&v.Update)
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
