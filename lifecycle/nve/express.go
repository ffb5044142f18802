package nve

import (
	"bytes"
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/history"
)

// The express path: where a reflector holds routes back, edges of ours also speak directly. An edge says so on its type 3 routes (EDGE, SPEC §2); whoever
// sees that on a route of a VN of its own calls it, as far as its configuration lets it. What is said there, and what the reflector says, is one: one.go.

// Express is the express path as it is configured.
type Express struct {
	Address netip.Addr     // IPv4, where we take sessions, and from where we open them
	Peers   []netip.Prefix // whom we call
	Max     int            // how many at most
	Linger  time.Duration  // how long one that says EDGE no more is called on
}

// Caller opens sessions to other edges.
type Caller interface {
	// Call tells which addresses to call; with only, nobody else any more. It never waits.
	Call(addresses []netip.Addr, only bool)
}

// claim is what a route says by EDGE.
type claim struct {
	address netip.Addr
	edge    evpn.RouterID
	called  *callee // nil: refused
}

// callee is an edge that is called.
type callee struct {
	address netip.Addr
	edge    evpn.RouterID
	claims  int
	linger  *timer
}

// EdgeRefusal is why EDGE was not followed.
type EdgeRefusal uint8

const (
	EdgeNotAllowed EdgeRefusal = iota // its session address is not one that we may call
	EdgeNotItsOwn                     // the route is not by the edge that its RD names, or that edge has said or has another address, or another edge this one
	EdgeTooMany                       // there are Max edges already
	edgeRefusals
)

func (r EdgeRefusal) String() string {
	return [...]string{EdgeNotAllowed: "not-allowed", EdgeNotItsOwn: "not-its-own", EdgeTooMany: "too-many"}[r]
}

// express is the state of it.
type express struct {
	claims  map[remoteKey]*claim
	callees map[netip.Addr]*callee
	edges   map[evpn.RouterID]*callee
	due     bool // the list has changed in this turn

	told      int // refusals that were told in a minute
	toldSince time.Time
}

func newExpress() express {
	return express{claims: map[remoteKey]*claim{}, callees: map[netip.Addr]*callee{}, edges: map[evpn.RouterID]*callee{}}
}

// edgeCommunity is our EDGE, none where express sessions are off.
func (e *Edge) edgeCommunity() []evpn.ExtendedCommunity {
	x := e.config.Express
	if x == nil {
		return nil
	}
	return []evpn.ExtendedCommunity{evpn.Edge{Express: true, Session: evpn.SessionAddress(x.Address)}.Community()}
}

// edgeSaid takes what a type 3 route of another edge says by EDGE, nothing included.
func (e *Edge) edgeSaid(p *fabricPeer, r *evpn.Route) {
	if e.config.Express == nil {
		return
	}
	k := remoteKey{p.address, r.RouteKey}
	said, ok := evpn.DecodeEdge(r.Communities)
	edge, _, typed := r.RD.Split()
	if !ok || !said.Express || said.Addr() == e.config.Express.Address {
		e.edgeUnsaid(k)
		return
	}
	if c := e.express.claims[k]; c != nil {
		if c.address == said.Addr() && c.edge == edge {
			return
		}
		e.edgeUnsaid(k)
	}
	c := &claim{address: said.Addr(), edge: edge}
	e.express.claims[k] = c
	if !typed || r.OriginatorID != 0 && r.OriginatorID != edge {
		c.edge = 0
	}
	if why, text := e.admit(k, c); c.called == nil {
		e.refuseEdge(p, c, why, text)
	}
}

// edgeUnsaid takes a claim back. Its edge is called on for a while: a VN may come back.
func (e *Edge) edgeUnsaid(k remoteKey) {
	c := e.express.claims[k]
	if c == nil {
		return
	}
	delete(e.express.claims, k)
	d := c.called
	if d == nil {
		return
	}
	if d.claims--; d.claims == 0 {
		d.linger = e.timers.after(e.now, e.config.Express.Linger, func() { e.hangUp(d) })
	}
}

// admit finds a claim's callee, or makes it.
func (e *Edge) admit(k remoteKey, c *claim) (why EdgeRefusal, text string) {
	x := &e.express
	d, by := x.callees[c.address], e.fabric[k.peer]
	switch {
	case !slices.ContainsFunc(e.config.Express.Peers, func(p netip.Prefix) bool { return p.Contains(c.address) }):
		return EdgeNotAllowed, "it is in no prefix that express sessions are allowed with"
	case e.fabric[c.address] != nil && e.fabric[c.address].static:
		return EdgeNotAllowed, "it is a neighbour of the configuration"
	case c.edge == 0:
		return EdgeNotItsOwn, "the route is not by the edge that its RD names"
	case by != nil && by.express && c.address != k.peer:
		return EdgeNotItsOwn, "the edge says so in a session from another address"
	case d != nil && d.edge != c.edge:
		return EdgeNotItsOwn, fmt.Sprintf("it is that of edge %s", d.edge)
	case x.edges[c.edge] != nil && x.edges[c.edge] != d:
		return EdgeNotItsOwn, fmt.Sprintf("the edge's is %s", x.edges[c.edge].address)
	case d == nil && len(x.callees) >= e.config.Express.Max:
		return EdgeTooMany, fmt.Sprintf("there are %d edges already", len(x.callees))
	}
	if d == nil {
		d = &callee{address: c.address, edge: c.edge}
		x.callees[d.address], x.edges[d.edge] = d, d
		e.note(history.Event{Kind: history.KindSession, Peer: d.address.String(), Detail: fmt.Sprintf("express: edge %s takes sessions, and is called", d.edge)})
		e.callLater()
		e.unmask(d)
	}
	c.called = d
	d.claims++
	e.timers.stop(d.linger)
	d.linger = nil
	return 0, ""
}

// hangUp calls an edge no more, and takes up those for which there was no place.
func (e *Edge) hangUp(d *callee) {
	x := &e.express
	delete(x.callees, d.address)
	delete(x.edges, d.edge)
	e.note(history.Event{Kind: history.KindSession, Peer: d.address.String(), Detail: fmt.Sprintf("express: edge %s takes no sessions any more", d.edge)})
	e.callLater()
	for _, k := range keysOf(x.claims, compareRemoteKeys) {
		if c := x.claims[k]; c.called == nil {
			e.admit(k, c)
		}
	}
}

func compareRemoteKeys(a, b remoteKey) int {
	return cmp.Or(a.peer.Compare(b.peer), bytes.Compare(a.key.RD[:], b.key.RD[:]), a.key.IP.Compare(b.key.IP))
}

// callLater tells the caller at the end of the turn. Before the start is over nobody is hung up on: a guard may have sessions of before.
func (e *Edge) callLater() {
	if e.Caller == nil || e.config.Express == nil || e.express.due {
		return
	}
	e.express.due = true
	e.later(func() {
		e.express.due = false
		e.Caller.Call(keysOf(e.express.callees, netip.Addr.Compare), e.completed)
	})
}

// A flood of EDGE is told a few times a minute; all are counted.
const (
	edgesTold   = 8
	edgesWindow = time.Minute
)

// refuseEdge counts and tells a refusal.
func (e *Edge) refuseEdge(p *fabricPeer, c *claim, why EdgeRefusal, text string) {
	e.stats.edgesRefused[why]++
	x := &e.express
	if e.now.Sub(x.toldSince) >= edgesWindow {
		x.toldSince, x.told = e.now, 0
	}
	if x.told++; x.told > edgesTold {
		return
	}
	e.note(history.Event{Kind: history.KindAlarm, Peer: p.address.String(), Detail: fmt.Sprintf("express: no session with %s of EDGE: %s", c.address, text)})
	if x.told == edgesTold {
		e.Log.WithFields(logrus.Fields{"peer": p.address}).Warn("express: more such refusals are only counted for a minute")
	}
}
