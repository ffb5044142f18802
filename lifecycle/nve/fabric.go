package nve

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle"
	"github.com/tns-project/tns/lifecycle/history"
	"github.com/tns-project/tns/speaker"
)

// fabricPeer is a session towards the data centre, mostly a route reflector, and what it said.
type fabricPeer struct {
	address netip.Addr
	static  bool
	epoch   uint64
	up      bool
	done    bool // End-of-RIB was seen once
	routes  table[*imported]
	hold    *timer

	express bool          // an express session
	edge    evpn.RouterID // and whose
	foreign bool          // it has said something of others' routes
}

// imported is a route of the peer that concerns a VN of ours.
type imported struct {
	remote // of a type 3 route its origin only
	vn     *vn
	epoch  uint64
}

// vtep is where it leads.
func (i *imported) vtep() netip.Addr {
	if i.key.Type == evpn.InclusiveMulticast {
		return i.key.IP
	}
	return i.VTEP
}

// remoteKey names one route of one peer.
type remoteKey struct {
	peer netip.Addr
	key  evpn.RouteKey
}

// remote is another edge's route to a MAC.
type remote struct {
	evpn.Candidate
	from *fabricPeer
	key  evpn.RouteKey
	wins bool // over ours, as far as it is the best of the others
}

// find is where a route of a peer is among the other edges', or would be.
func (st *station) find(p *fabricPeer, key evpn.RouteKey) (at int, found bool) {
	return slices.BinarySearchFunc(st.remotes, key, func(r *remote, key evpn.RouteKey) int {
		if c := compareRoutes(r.key, key); c != 0 {
			return c
		}
		return r.from.address.Compare(p.address)
	})
}

// see takes another edge's route, in the place of what the peer said of it before.
func (st *station) see(r *remote) {
	at, found := st.find(r.from, r.key)
	if found {
		st.remotes[at] = r
		return
	}
	st.remotes = slices.Insert(st.remotes, at, r)
}

func (st *station) unsee(p *fabricPeer, key evpn.RouteKey) {
	if at, found := st.find(p, key); found {
		st.remotes = slices.Delete(st.remotes, at, at+1)
	}
}

// sighting is the words for where a MAC was seen: the same for many, one after the other.
type sighting struct {
	vtep     netip.Addr
	sequence uint32
	text     string
}

func (s *sighting) of(vtep netip.Addr, sequence uint32) string {
	if s.text == "" || s.vtep != vtep || s.sequence != sequence {
		*s = sighting{vtep, sequence, fmt.Sprintf("seen at %s, mobility sequence %d", vtep, sequence)}
	}
	return s.text
}

// handleFabric is the fabric's input.
func (e *Edge) handleFabric(ev speaker.Event) {
	p := e.fabric[ev.Peer]
	if p == nil && ev.Kind != speaker.SessionUp {
		return
	}
	if p == nil {
		p = &fabricPeer{address: ev.Peer}
		e.fabric[ev.Peer] = p
	}
	switch ev.Kind {
	case speaker.SessionUp:
		p.up, p.epoch = true, ev.Epoch
		e.timers.stop(p.hold)
		p.hold = nil
		what := "fabric session established"
		if e.config.Express != nil && !p.static {
			e.disown(p)
			if p.edge != ev.RouterID {
				e.unmourn(p)
			}
			p.express, p.edge, p.foreign = true, ev.RouterID, false
			what = fmt.Sprintf("express session with edge %s established", ev.RouterID)
		}
		e.note(history.Event{Kind: history.KindSession, Peer: ev.Peer.String(), Detail: what})
	case speaker.SessionDown:
		if !p.up || ev.Epoch != p.epoch {
			return
		}
		p.up = false
		if p.express {
			e.disown(p)
			e.mourned[p.edge] = p
		}
		e.note(history.Event{Kind: history.KindSession, Peer: ev.Peer.String(), Detail: "fabric session down: " + ev.Text})
		e.timers.stop(p.hold)
		p.hold = e.timers.after(e.now, e.config.HoldOnLoss, func() {
			p.hold = nil
			e.sweep(p, p.epoch+1)
			e.unmourn(p)
			if !p.static && !p.up {
				delete(e.fabric, p.address)
			}
		})
	case speaker.Announced:
		switch {
		case !p.up || ev.Epoch != p.epoch:
		case !e.says(p, ev.Route.RD):
			e.foreignRoute(p, ev.Route.RouteKey)
		default:
			e.importRoute(p, ev.Route)
			e.supersede(p, ev.Route.RouteKey)
		}
	case speaker.Withdrawn:
		if p.up && ev.Epoch == p.epoch {
			e.forgetRoute(p, ev.Key)
			e.supersede(p, ev.Key)
		}
	case speaker.Refused:
		e.stats.malformed++
		e.note(history.Event{Kind: history.KindAlarm, Peer: ev.Peer.String(), Detail: "a fabric route could not be read: " + ev.Text})
		if p.up && ev.Epoch == p.epoch {
			e.forgetRoute(p, ev.Key)
		}
	case speaker.EndOfRIB:
		if !p.up || ev.Epoch != p.epoch {
			return
		}
		e.sweep(p, p.epoch)
		p.done = true
		if p.express && !ev.Implied {
			e.unmourn(p)
			e.empower(p)
		}
		e.checkFabricKnown()
		e.later(e.checkComplete)
	}
}

// sweep removes what the peer said in sessions before an epoch and did not say again.
func (e *Edge) sweep(p *fabricPeer, epoch uint64) {
	n := 0
	for _, k := range p.routes.routes() {
		if r := p.routes.get(k); r != nil && r.epoch < epoch {
			e.forgetRoute(p, k)
			n++
		}
	}
	if n > 0 {
		e.Log.WithField("peer", p.address).WithField("routes", n).Info("stale fabric routes removed")
	}
}

// importRoute takes a route of another edge that bears a route target of one of our VNs.
func (e *Edge) importRoute(p *fabricPeer, r evpn.Route) {
	v := e.imports(&r)
	if v == nil || !e.reachable(vtepOf(&r)) || r.NextHop == e.config.VTEP || !vxlan(&r) || r.Tag != 0 || r.ESI != (evpn.ESI{}) {
		e.forgetRoute(p, r.RouteKey) // it may have been ours to care for before
		return
	}
	if old := p.routes.get(r.RouteKey); old != nil && (old.vn != v || old.vtep() != vtepOf(&r)) {
		if r.Type == evpn.InclusiveMulticast || old.vn != v {
			e.forgetRoute(p, r.RouteKey)
		}
	}
	is := &imported{remote: remote{from: p, key: r.RouteKey}, vn: v, epoch: p.epoch}
	switch r.Type {
	case evpn.InclusiveMulticast:
		if r.PMSI == nil || r.PMSI.Type != evpn.IngressReplication || r.IP == e.config.VTEP {
			e.forgetRoute(p, r.RouteKey)
			return
		}
		if p.routes.get(r.RouteKey) == nil {
			f := v.floods[r.IP]
			if f == nil {
				f = &flood{routes: map[remoteKey]*fabricPeer{}}
				v.floods[r.IP] = f
			}
			f.routes[remoteKey{p.address, r.RouteKey}] = p
			e.syncFlood(v, r.IP)
		}
	case evpn.MACIPAdvertisement:
		if r.MAC.Check() != nil {
			e.stats.ignored++
			e.forgetRoute(p, r.RouteKey)
			return
		}
		st := e.station(StationKey{v.VNI, r.MAC})
		m, _ := r.Mobility()
		is.Candidate = evpn.Candidate{Sticky: m.Sticky, Sequence: m.Sequence, VTEP: r.NextHop}
		st.see(&is.remote)
		e.pin(st, r.IP)
		st.seen, st.other = max(st.seen, m.Sequence), true
		if !e.overruled(p, r.RD) {
			e.noteOf(whom{vm: st.vm(), peer: p.address, mac: r.MAC, ip: r.IP}, history.Event{Kind: history.KindFabric, VNI: uint32(v.VNI),
				Detail: e.seen.of(r.NextHop, m.Sequence)})
		}
		defer e.remoteChanged(st)
	}
	p.routes.put(is)
	if r.Type == evpn.InclusiveMulticast {
		e.edgeSaid(p, &r)
	}
}

// reachable reports whether a VTEP can be where a route says: a unicast address of our tunnels' family.
func (e *Edge) reachable(vtep netip.Addr) bool {
	return vtep.IsValid() && vtep.Is4() == e.config.VTEP.Is4() && unicast(vtep)
}

func vtepOf(r *evpn.Route) netip.Addr {
	if r.Type == evpn.InclusiveMulticast {
		return r.IP
	}
	return r.NextHop
}

// vxlan reports whether the route is for VXLAN: it says so, or says nothing (RFC 8365 §5.1.3).
func vxlan(r *evpn.Route) bool {
	named := false
	for _, c := range r.Communities {
		if c[0] == 0x03 && c[1] == 0x0c {
			if c == evpn.EncapsulationVXLAN {
				return true
			}
			named = true
		}
	}
	return !named
}

// forgetRoute removes a route of a peer, if it was one of ours to care for.
func (e *Edge) forgetRoute(p *fabricPeer, key evpn.RouteKey) {
	r := p.routes.get(key)
	if r == nil {
		return
	}
	p.routes.drop(key)
	switch key.Type {
	case evpn.InclusiveMulticast:
		e.edgeUnsaid(remoteKey{p.address, key})
		if f := r.vn.floods[key.IP]; f != nil {
			delete(f.routes, remoteKey{p.address, key})
			e.syncFlood(r.vn, key.IP)
		}
	case evpn.MACIPAdvertisement:
		st := r.vn.stations[key.MAC]
		if st == nil {
			return
		}
		st.unsee(p, key)
		e.pin(st, key.IP)
		if !e.overruled(p, key.RD) {
			e.noteOf(whom{vm: st.vm(), peer: p.address, mac: key.MAC, ip: key.IP}, history.Event{Kind: history.KindFabric, VNI: uint32(r.vn.VNI), Detail: "gone from " + r.vtep().String()})
		}
		e.remoteChanged(st)
	}
}

// pin notes whether a sticky route of another edge binds the IP to the station's MAC.
func (e *Edge) pin(st *station, ip netip.Addr) {
	if !ip.IsValid() {
		return
	}
	for _, r := range st.remotes {
		if r.key.IP == ip && r.Sticky && !e.overruled(r.from, r.key.RD) {
			st.vn.pinned[ip] = st
			return
		}
	}
	if st.vn.pinned[ip] == st {
		delete(st.vn.pinned, ip)
	}
}

// rankBest finds the best of the other edges' routes, and whether it wins over ours.
func (e *Edge) rankBest(st *station) {
	st.best = nil
	for _, r := range st.remotes {
		if !e.overruled(r.from, r.key.RD) && (st.best == nil || evpn.Better(r.Candidate, st.best.Candidate)) {
			st.best = r
		}
	}
	if st.best != nil {
		st.best.wins = len(st.advertised) == 0 && !st.standing || evpn.Better(st.best.Candidate, e.candidate(st))
	}
}

// prevails reports whether a route of ours from before a restart stands, and the best of the others' does not win over it: the edge that has it has not heard of
// ours, or is starting, too, and has not withdrawn it yet. Whoever takes a MAC over does so with a sequence above ours.
func (st *station) prevails() bool { return st.standing && !st.outranked() }

// outranked reports whether another edge's route wins over ours, or stands where we have none.
func (st *station) outranked() bool { return st.best != nil && st.best.wins }

// remoteChanged draws the consequences of what other edges say about a MAC: a better route than ours outranks the association, or is the newer one that an
// Emigrating one waits for; when the last one goes, an outranked association may come back.
func (e *Edge) remoteChanged(st *station) {
	lost := st.lost()
	e.settled(st)
	e.breakTie(st)
	if r := st.owner; r != nil && st.lost() {
		if r.State == lifecycle.Associated {
			if !lost {
				e.moved(st)
			}
			e.later(func() { e.own(r, lifecycle.Outranked) })
		} else {
			e.later(func() { e.own(r, lifecycle.NewerSeen) })
		}
	}
	e.settle(st)
	if st.best == nil {
		e.reinstate(st)
		return
	}
	for _, r := range st.records {
		e.departed(r)
	}
}

// tieGrace is how long after an Immigration the route that its edge before sent last may still be on its way here: reflectors hold routes back.
const tieGrace = 5 * time.Second

// breakTie raises our sequence above that of a route that was on its way here when an Immigration took the MAC, and that has the same: its edge had raised it, too,
// which the Immigration could not know. Without that the lower VTEP would win, although the VM is here. Once for each Immigration: who raises it again is a
// contender.
func (e *Edge) breakTie(st *station) {
	if !st.lost() || st.best.Sticky || st.best.Sequence != st.own || st.immigrated.IsZero() || e.now.Sub(st.immigrated) >= tieGrace {
		return
	}
	if r := st.owner; r != nil && r.State == lifecycle.Associated {
		st.immigrated = time.Time{}
		e.tellFabric(st, r, e.sequence(st, true))
	}
}

// lost reports whether a route of ours stands and another edge's wins over it.
func (st *station) lost() bool { return len(st.advertised) > 0 && st.outranked() }
