package nve

import (
	"fmt"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/history"
)

// Routes of one edge that come both from it, by an express session, and from a reflector are one:
//
//   - While its session stands and its table is complete, an edge speaks for its own routes, those whose RD has its identifier: what a reflector says of
//     them is kept and does not count. So a withdraw takes effect at once, while the reflector still has the route, and a late copy changes nothing.
//   - When the session is lost, what the reflectors say counts again, at once. What the edge said last stands beside it until a reflector says something
//     newer of that route, or the hold-on-loss time is over. So the end of a session alone takes nothing away.
//   - Nothing else is taken from an express session: routes of others are not that edge's to tell.

// says reports whether the peer may say something of routes with that RD.
func (e *Edge) says(p *fabricPeer, rd evpn.RouteDistinguisher) bool {
	if !p.express {
		return true
	}
	id, _, ok := rd.Split()
	return ok && id == p.edge && e.genuine(p)
}

// genuine reports whether nothing that edges say by EDGE speaks against who the peer says it is.
func (e *Edge) genuine(p *fabricPeer) bool {
	at, of := e.express.callees[p.address], e.express.edges[p.edge]
	return (at == nil || at.edge == p.edge) && (of == nil || of.address == p.address)
}

// unmask forgets what those have said whom an edge's EDGE gives the lie.
func (e *Edge) unmask(d *callee) {
	for _, p := range []*fabricPeer{e.fabric[d.address], e.authorities[d.edge]} {
		if p != nil && p.express && !e.genuine(p) {
			e.disown(p)
			e.sweep(p, p.epoch+1)
		}
	}
}

// foreignRoute is a route of an express session that is not the edge's own: ignored, and told once a session.
func (e *Edge) foreignRoute(p *fabricPeer, key evpn.RouteKey) {
	e.stats.expressForeign++
	if p.foreign {
		return
	}
	p.foreign = true
	e.note(history.Event{Kind: history.KindAlarm, Peer: p.address.String(), Detail: fmt.Sprintf("express: a route of RD %s by edge %s is ignored, as are others that are not its own", key.RD, p.edge)})
}

// overruled reports whether what a peer says of a route does not count, because the edge whose it is speaks for itself.
func (e *Edge) overruled(from *fabricPeer, rd evpn.RouteDistinguisher) bool {
	if len(e.authorities) == 0 {
		return false
	}
	id, _, ok := rd.Split()
	a := e.authorities[id]
	return ok && a != nil && a != from
}

// empower makes an express session, whose table is complete, the one that counts for its edge's routes.
func (e *Edge) empower(p *fabricPeer) {
	if other := e.authorities[p.edge]; other == p || !e.genuine(p) {
		return
	} else if other != nil {
		e.note(history.Event{Kind: history.KindAlarm, Peer: p.address.String(), Detail: fmt.Sprintf("express: edge %s speaks from %s, too; the reflectors' routes of it count beside both", p.edge, other.address)})
		e.disown(other)
		return
	}
	e.authorities[p.edge] = p
	e.weighAgain(p.edge)
}

// disown ends that.
func (e *Edge) disown(p *fabricPeer) {
	if e.authorities[p.edge] == p {
		delete(e.authorities, p.edge)
		e.weighAgain(p.edge)
	}
}

// weighAgain draws the consequences of another authority for an edge's routes.
func (e *Edge) weighAgain(edge evpn.RouterID) {
	stations := map[StationKey]*station{}
	for _, p := range e.fabric {
		for r := range p.routes.all() {
			key := r.key
			if id, _, ok := key.RD.Split(); !ok || id != edge {
				continue
			}
			if key.Type == evpn.InclusiveMulticast {
				e.syncFlood(r.vn, key.IP)
			} else if st := r.vn.stations[key.MAC]; st != nil {
				stations[st.key] = st
			}
		}
	}
	for _, k := range keysOf(stations, compareStations) {
		st := stations[k]
		for _, r := range st.remotes {
			e.pin(st, r.key.IP)
		}
		e.remoteChanged(st)
	}
}

// unmourn forgets that the peer's session was lost.
func (e *Edge) unmourn(p *fabricPeer) {
	if e.mourned[p.edge] == p {
		delete(e.mourned, p.edge)
	}
}

// supersede drops what a lost express session said of a route when another peer says something of it: that is newer.
func (e *Edge) supersede(by *fabricPeer, key evpn.RouteKey) {
	if by.express || len(e.mourned) == 0 {
		return
	}
	id, _, ok := key.RD.Split()
	p := e.mourned[id]
	if !ok || p == nil {
		return
	}
	if r := p.routes.get(key); r != nil && (!p.up || r.epoch < p.epoch) {
		e.forgetRoute(p, key)
	}
}
