package nve

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle"
	"github.com/tns-project/tns/lifecycle/history"
)

// advertise sends the fabric routes of a procedure's set. Above: a claim, with a higher sequence than any seen (SPEC §4).
func (e *Edge) advertise(p *procedure, above bool) {
	for st := range stationsOf(p.bindings) {
		if st.duplicate || p.arrow.To.Emigrating() && st.best != nil {
			continue // a restored Emigrating one keeps quiet where another edge's route stands
		}
		e.tellFabric(st, p.record, e.sequence(st, above))
	}
}

// sequence is that of an activation (SPEC §4): the same while our routes stand, one more than the highest seen where another edge's route exists or is
// remembered, none otherwise; after a restart, the one we had.
func (e *Edge) sequence(st *station, above bool) uint32 {
	switch {
	case above:
		return max(st.seen, st.own) + 1
	case len(st.advertised) > 0:
		return st.own
	case st.restored && (st.best == nil || st.prevails()) && st.own >= st.seen:
		return st.own // what we advertised before the restart
	case e.remembered(st):
		return st.seen + 1
	}
	return 0
}

// tellFabric makes the station's fabric routes those of the record, with a sequence.
func (e *Edge) tellFabric(st *station, r *record, seq uint32) {
	again := seq != st.own || len(st.advertised) == 0
	st.owner, st.own, st.restored, st.standing = r, seq, false, false
	st.seen = max(st.seen, seq)
	want := map[netip.Addr]struct{}{}
	for _, b := range r.bindings {
		if b.vn == st.vn && b.key.MAC == st.key.MAC {
			want[b.key.IP] = struct{}{}
		}
	}
	for _, ip := range keysOf(want, netip.Addr.Compare) {
		if _, ok := st.advertised[ip]; !ok || again {
			st.advertised[ip] = struct{}{}
			e.announceFabric(st.vn, e.macRoute(st, ip))
		}
	}
	e.trim(st, want)
	e.settled(st)
}

// trim withdraws the station's routes that are not in want.
func (e *Edge) trim(st *station, want map[netip.Addr]struct{}) {
	for _, ip := range keysOf(st.advertised, netip.Addr.Compare) {
		if _, ok := want[ip]; !ok {
			delete(st.advertised, ip)
			e.withdrawFabric(st.vn, e.macRoute(st, ip).RouteKey)
		}
	}
}

// refreshRoutes brings the routes in line with the owner's bindings, with the same sequence. What came with an EMIGRATE was never active, and gets none.
func (e *Edge) refreshRoutes(st *station) {
	r := st.owner
	if r == nil || len(st.advertised) == 0 {
		return
	}
	if r.State == lifecycle.Associated {
		e.tellFabric(st, r, st.own)
		return
	}
	want := map[netip.Addr]struct{}{}
	for _, b := range r.bindings {
		if b.vn == st.vn && b.key.MAC == st.key.MAC {
			want[b.key.IP] = struct{}{}
		}
	}
	e.trim(st, want)
	e.settled(st)
}

// silence withdraws the station's fabric routes.
func (e *Edge) silence(st *station) {
	st.owner = nil
	e.trim(st, nil)
	e.settled(st)
	e.settle(st)
}

// settled draws the consequences of a change of our own or other edges' routes for what is remembered.
func (e *Edge) settled(st *station) {
	e.rankBest(st)
	if len(st.remotes) > 0 || len(st.advertised) > 0 {
		st.gone = time.Time{}
	} else if st.gone.IsZero() {
		st.gone = e.now
	}
	e.remember(st)
}

// candidate is our own route as the choice among several sees it.
func (e *Edge) candidate(st *station) evpn.Candidate {
	return evpn.Candidate{Sequence: st.own, VTEP: e.config.VTEP}
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

// announceFabric and withdrawFabric are the only ways to the fabric.
func (e *Edge) announceFabric(v *vn, r evpn.Route) {
	if err := e.Fabric.Announce(r); err != nil {
		e.note(history.Event{Kind: history.KindAlarm, VNI: uint32(v.VNI), Detail: fmt.Sprintf("announce %s to the fabric: %v", r.RouteKey, err)})
		return
	}
	e.stats.fabricAnnounced++
	m, _ := r.Mobility()
	e.noteFabric(v, r.RouteKey, fmt.Sprintf("announced, mobility sequence %d", m.Sequence))
}

func (e *Edge) withdrawFabric(v *vn, k evpn.RouteKey) {
	if err := e.Fabric.Withdraw(k); err != nil {
		e.note(history.Event{Kind: history.KindAlarm, VNI: uint32(v.VNI), Detail: fmt.Sprintf("withdraw %s from the fabric: %v", k, err)})
		return
	}
	e.stats.fabricWithdrawn++
	e.noteFabric(v, k, "withdrawn")
}

func (e *Edge) noteFabric(v *vn, k evpn.RouteKey, detail string) {
	if k.Type != evpn.MACIPAdvertisement {
		return
	}
	ev := history.Event{Kind: history.KindFabric, VNI: uint32(v.VNI), MAC: k.MAC.String(), IP: addrText(k.IP), Detail: detail}
	if st := v.stations[k.MAC]; st != nil {
		ev.VM = st.vmText()
	}
	e.note(ev)
}

// vmText is the VM whose story the station belongs to, if there is one: the active one first.
func (st *station) vmText() string {
	if r := st.active(); r != nil {
		return r.key.VM.String()
	}
	if st.owner != nil {
		return st.owner.key.VM.String()
	}
	for _, r := range recordsOf(st.records) {
		return r.key.VM.String()
	}
	return ""
}
