package nve

import (
	"bytes"
	"cmp"
	"net/netip"
	"time"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle"
	"github.com/tns-project/tns/lifecycle/history"
)

// station is a (VN, MAC): who is active for it here, what the fabric is told, and what other edges say. FDB entries and fabric routes belong to it, not to a
// record; settle is the one place that decides what they should be.
type station struct {
	key StationKey
	vn  *vn

	records map[*record]struct{} // that hold it

	active *record // whose frames are forwarded here
	port   string
	owner  *record // whose fabric routes stand: active, or Emigrating from here

	advertised map[netip.Addr]struct{} // by IP; the invalid one is the route without IP
	own        uint32                  // their sequence

	remotes map[remoteKey]*remote
	best    *remote // of the other edges' routes, the one that wins

	seen  uint32    // the highest sequence seen, ours included
	other bool      // another edge had it
	gone  time.Time // when the last route went

	entry     dataplane.Entry // what was asked of the kernel; the zero value is nothing
	neighbors map[netip.Addr]struct{}

	moves     []time.Time // unsignalled ones, in the window
	duplicate bool        // more than that: neither advertised nor processed (RFC 7432 §15.1)
	forget    *timer
}

type ipKey struct {
	vni evpn.VNI
	ip  netip.Addr
}

// station finds or makes the station of a key, with what was remembered of it.
func (e *Edge) station(k StationKey) *station {
	st := e.stations[k]
	if st == nil {
		st = &station{key: k, vn: e.vns[k.VNI], records: map[*record]struct{}{}, advertised: map[netip.Addr]struct{}{}, remotes: map[remoteKey]*remote{}, neighbors: map[netip.Addr]struct{}{}}
		if m, ok := e.memory.Mobility[k]; ok && (m.Gone.IsZero() || e.now.Sub(m.Gone) < e.config.Memory) {
			st.seen, st.other, st.gone = m.Seen, m.Other, m.Gone
			if m.Active {
				st.own = m.Own
			}
			if st.gone.IsZero() {
				st.gone = e.now
			}
		}
		e.stations[k] = st
		st.vn.stations[k.MAC] = st
		e.forgetLater(st)
	}
	return st
}

// activate sets whose frames are forwarded; settle writes it.
func (e *Edge) activate(st *station, r *record, port string) {
	if st.active != nil {
		e.opened(st.vn, st.port, -1)
	}
	st.active, st.port = r, port
	if r != nil {
		e.opened(st.vn, port, 1)
	}
}

// candidate is our own route as the choice among several sees it.
func (e *Edge) candidate(st *station) evpn.Candidate {
	return evpn.Candidate{Sequence: st.own, VTEP: e.config.VTEP}
}

// outranked reports whether another edge's route wins over ours, or would if we had one.
func (st *station) outranked() bool {
	return st.best != nil && st.best.wins
}

// settle decides what the kernel holds for the station: the local port while a record is active here, else the winning edge's VTEP while the VN has members here.
func (e *Edge) settle(st *station) written {
	key := dataplane.Key{Kind: dataplane.Unicast, VNI: dataplane.VNI(st.key.VNI), MAC: dataplane.MAC(st.key.MAC)}
	var want dataplane.Entry
	remote := !st.duplicate && st.best != nil && len(st.vn.members) > 0 && st.active == nil && (len(st.advertised) == 0 || st.best.wins)
	switch {
	case st.active != nil && !st.duplicate:
		want = dataplane.Entry{Key: key, LocalPort: st.port}
	case remote:
		want = dataplane.Entry{Key: key, VTEP: st.best.vtep}
	}
	e.settleNeighbors(st, remote)
	if want == st.entry && (want != dataplane.Entry{}) && st.active == nil {
		return written{}
	}
	w := written{key: key}
	switch {
	case want != dataplane.Entry{}:
		w.generation = e.Forwarder.Set(want)
	case st.entry != dataplane.Entry{}:
		w.generation = e.Forwarder.Unset(key)
	}
	st.entry = want
	e.forgetLater(st)
	return w
}

// settleNeighbors keeps the suppression entries of the IPs behind the winning edge.
func (e *Edge) settleNeighbors(st *station, remote bool) {
	want := map[netip.Addr]struct{}{}
	if remote {
		for _, r := range st.remotes {
			if r.ip.IsValid() && r.vtep == st.best.vtep {
				want[r.ip] = struct{}{}
			}
		}
	}
	for ip := range st.neighbors {
		if _, ok := want[ip]; !ok {
			delete(st.neighbors, ip)
			e.Forwarder.Unset(dataplane.Key{Kind: dataplane.Neighbor, VNI: dataplane.VNI(st.key.VNI), IP: ip})
		}
	}
	for ip := range want {
		if _, ok := st.neighbors[ip]; !ok {
			st.neighbors[ip] = struct{}{}
			e.Forwarder.Set(dataplane.Entry{Key: dataplane.Key{Kind: dataplane.Neighbor, VNI: dataplane.VNI(st.key.VNI), IP: ip}, LinkAddr: dataplane.MAC(st.key.MAC)})
		}
	}
}

// advertise sends the fabric routes of a procedure's set. Above: a claim, with a higher sequence than any seen (SPEC §4).
func (e *Edge) advertise(p *procedure, above bool) {
	r := p.record
	signalled := p.set != nil && asks(&p.set.request).Immigrates()
	for _, st := range stationsOf(p.bindings) {
		if st.duplicate || p.arrow.To.Emigrating() && st.best != nil {
			continue // a restored Emigrating one keeps quiet where another edge's route stands
		}
		foreign := st.best != nil
		seq := e.claim(st, above)
		if foreign && !signalled && e.moved(st) {
			continue
		}
		e.tellFabric(st, r, seq)
	}
}

// claim is the sequence of an activation (SPEC §4): the same while our routes stand, one more than the highest seen where another edge's route exists or is
// remembered, none otherwise; after a restart, the one we had.
func (e *Edge) claim(st *station, above bool) uint32 {
	switch {
	case above:
		return max(st.seen, st.own) + 1
	case len(st.advertised) > 0:
		return st.own
	case st.best == nil && st.own > 0:
		return st.own // what we advertised before the restart
	case st.other && (len(st.remotes) > 0 || e.now.Sub(st.gone) < e.config.Memory):
		return st.seen + 1
	}
	return 0
}

// tellFabric makes the station's fabric routes those of the record, with a sequence.
func (e *Edge) tellFabric(st *station, r *record, seq uint32) {
	st.owner = r
	again := seq != st.own || len(st.advertised) == 0
	st.own = seq
	st.seen = max(st.seen, seq)
	st.gone = time.Time{}
	want := map[netip.Addr]struct{}{}
	for _, b := range r.bindings {
		if b.vn == st.vn && b.mac == st.key.MAC {
			want[b.ip] = struct{}{}
		}
	}
	for ip := range want {
		if _, ok := st.advertised[ip]; !ok || again {
			st.advertised[ip] = struct{}{}
			e.announceFabric(e.macRoute(st, ip))
		}
	}
	for ip := range st.advertised {
		if _, ok := want[ip]; !ok {
			delete(st.advertised, ip)
			e.withdrawFabric(e.macRoute(st, ip).RouteKey)
		}
	}
	e.rankBest(st)
	e.remember(st)
}

// refreshRoutes brings the routes in line with the owner's bindings, with the same sequence.
func (e *Edge) refreshRoutes(st *station) {
	if len(st.advertised) > 0 && st.owner != nil {
		e.tellFabric(st, st.owner, st.own)
	}
}

// silence withdraws the station's fabric routes.
func (e *Edge) silence(st *station) {
	for ip := range st.advertised {
		delete(st.advertised, ip)
		e.withdrawFabric(e.macRoute(st, ip).RouteKey)
	}
	st.owner = nil
	st.own = 0
	if len(st.remotes) == 0 {
		st.gone = e.now
	}
	e.rankBest(st)
	e.settle(st)
	e.remember(st)
	e.forgetLater(st)
}

// macRoute is the station's type 2 route (RFC 7432 §7.2, §15; RFC 8365 §5.1.3).
func (e *Edge) macRoute(st *station, ip netip.Addr) evpn.Route {
	cs := e.fabricCommunities(st.vn)
	if st.own > 0 {
		cs = append(cs, evpn.MACMobility{Sequence: st.own}.Community())
	}
	return evpn.Route{
		RouteKey: evpn.RouteKey{Type: evpn.MACIPAdvertisement, RD: st.vn.fabricRD, MAC: st.key.MAC, IP: ip},
		Label:    st.key.VNI, NextHop: e.config.VTEP, Communities: cs,
	}
}

// remember keeps the sequence on disk.
func (e *Edge) remember(st *station) {
	m := Mobility{Seen: st.seen, Other: st.other, Gone: st.gone, Own: st.own, Active: len(st.advertised) > 0}
	if e.memory.Mobility[st.key] == m {
		return
	}
	e.memory.Mobility[st.key] = m
	if e.Store != nil {
		e.Store.PutMobility(st.key.VNI, st.key.MAC, m)
	}
}

// idle reports whether nothing is said about the station by anyone.
func (st *station) idle() bool {
	return len(st.records) == 0 && st.owner == nil && len(st.remotes) == 0 && len(st.advertised) == 0 && !st.duplicate
}

// forgetLater drops a station that nobody speaks of once its memory is over.
func (e *Edge) forgetLater(st *station) {
	if st.forget != nil || !st.idle() {
		return
	}
	if st.gone.IsZero() {
		st.gone = e.now
	}
	st.forget = e.timers.after(e.now, max(e.config.Memory-e.now.Sub(st.gone), 0), func() {
		st.forget = nil
		if !st.idle() {
			return
		}
		if e.now.Sub(st.gone) < e.config.Memory {
			e.forgetLater(st)
			return
		}
		delete(e.stations, st.key)
		delete(st.vn.stations, st.key.MAC)
		delete(e.memory.Mobility, st.key)
		if e.Store != nil {
			e.Store.DropMobility(st.key.VNI, st.key.MAC)
		}
	})
}

// tell notes what the kernel did, for the VM it concerns.
func (e *Edge) tell(res dataplane.Result) {
	if res.Err != nil {
		e.stats.kernelErrors++
	}
	if res.Key.Kind != dataplane.Unicast {
		if res.Err != nil {
			e.note(history.Event{Kind: history.KindAlarm, VNI: uint32(res.Key.VNI), IP: addrText(res.Key.IP), Detail: "the kernel refused: " + res.Err.Error()})
		}
		return
	}
	st := e.stations[StationKey{evpn.VNI(res.Key.VNI), evpn.MAC(res.Key.MAC)}]
	ev := history.Event{Kind: history.KindFDB, VNI: uint32(res.Key.VNI), MAC: evpn.MAC(res.Key.MAC).String()}
	switch {
	case res.Err != nil:
		ev.Detail = "failed: " + res.Err.Error()
	case res.Removed:
		ev.Detail = "removed"
	case st != nil && st.entry.LocalPort != "":
		ev.Detail = "on port " + st.entry.LocalPort
	case st != nil:
		ev.Detail = "behind " + addrText(st.entry.VTEP)
	}
	if st == nil || len(st.records) == 0 {
		e.note(ev)
		return
	}
	for r := range st.records {
		ev.VM, ev.TES = r.key.VM.String(), r.key.TES.String()
		e.note(ev)
	}
}

func compareStations(a, b StationKey) int {
	if c := cmp.Compare(a.VNI, b.VNI); c != 0 {
		return c
	}
	return bytes.Compare(a.MAC[:], b.MAC[:])
}

// moved counts a move that nobody signalled as an Immigration; it reports whether the MAC is a duplicate now (RFC 7432 §15.1).
func (e *Edge) moved(st *station) bool {
	keep := st.moves[:0]
	for _, at := range st.moves {
		if e.now.Sub(at) < e.config.Duplicate.Window {
			keep = append(keep, at)
		}
	}
	st.moves = append(keep, e.now)
	if len(st.moves) < e.config.Duplicate.Moves || st.duplicate {
		return st.duplicate
	}
	st.duplicate = true
	e.stats.duplicates++
	e.note(history.Event{Kind: history.KindAlarm, VNI: uint32(st.key.VNI), MAC: st.key.MAC.String(), Detail: "duplicate MAC: it moved too often"})
	e.silence(st)
	if r := st.active; r != nil {
		e.later(func() { e.own(r, lifecycle.Outranked) })
	}
	if d := e.config.Duplicate.Recovery; d > 0 {
		e.timers.after(e.now, d, func() { e.recover(st) })
	}
	return true
}

// recover ends a duplicate's block.
func (e *Edge) recover(st *station) {
	if !st.duplicate {
		return
	}
	st.duplicate, st.moves = false, nil
	e.note(history.Event{Kind: history.KindState, VNI: uint32(st.key.VNI), MAC: st.key.MAC.String(), Detail: "no duplicate any more"})
	e.settle(st)
	e.reinstate(st)
}
