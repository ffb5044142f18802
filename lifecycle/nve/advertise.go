package nve

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
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
		seq := e.sequence(st, above)
		if seq != st.own || st.owner != p.record || len(st.advertised) == 0 { // else it changes what the MAC has, and does not take it
			st.immigrated = time.Time{}
			if p.set != nil && !p.replay && asks(&p.set.request).Immigrates() {
				st.immigrated = e.now
			}
		}
		e.tellFabric(st, p.record, seq)
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
	want := r.ipsOf(st)
	for _, ip := range want {
		if again || !has(st.advertised, ip, netip.Addr.Compare) {
			if st.advertised == nil {
				st.advertised = make([]netip.Addr, 0, len(want))
			}
			st.advertised = with(st.advertised, ip, netip.Addr.Compare)
			e.announceFabric(st, e.macRoute(st, ip))
		}
	}
	e.trim(st, want)
	e.settled(st)
}

// ipsOf is the IPs of a record's bindings of a station; the invalid one is that without.
func (r *record) ipsOf(st *station) (ips []netip.Addr) {
	ips = make([]netip.Addr, 0, len(r.bindings))
	for _, b := range r.bindings {
		if b.vn == st.vn && b.key.MAC == st.key.MAC {
			ips = with(ips, b.key.IP, netip.Addr.Compare)
		}
	}
	return ips
}

// trim withdraws the station's routes that are not in want.
func (e *Edge) trim(st *station, want []netip.Addr) {
	if slices.Equal(st.advertised, want) {
		return
	}
	for _, ip := range slices.Clone(st.advertised) {
		if !has(want, ip, netip.Addr.Compare) {
			st.advertised = without(st.advertised, ip, netip.Addr.Compare)
			e.withdrawFabric(st, e.macRoute(st, ip).RouteKey)
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
	e.trim(st, r.ipsOf(st))
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
	cs := st.vn.communities
	if st.own > 0 {
		cs = append(slices.Clone(cs), evpn.MACMobility{Sequence: st.own}.Community())
	}
	return evpn.Route{
		RouteKey: evpn.RouteKey{Type: evpn.MACIPAdvertisement, RD: st.vn.fabricRD, MAC: st.key.MAC, IP: ip},
		Label:    st.key.VNI, NextHop: e.config.VTEP, Communities: cs,
	}
}

// announceFabric and withdrawFabric are the only ways of a station's routes to the fabric.
func (e *Edge) announceFabric(st *station, r evpn.Route) {
	if e.toFabric(st.key.VNI, r) {
		e.noteFabric(st, r.IP, announcedText(st.own))
	}
}

func announcedText(sequence uint32) string {
	if sequence == 0 { // most are
		return "announced, mobility sequence 0"
	}
	return "announced, mobility sequence " + strconv.FormatUint(uint64(sequence), 10)
}

func (e *Edge) withdrawFabric(st *station, k evpn.RouteKey) {
	if e.fromFabric(st.key.VNI, k) {
		e.noteFabric(st, k.IP, "withdrawn")
	}
}

func (e *Edge) noteFabric(st *station, ip netip.Addr, detail string) {
	e.noteOf(whom{vm: st.vm(), mac: st.key.MAC, ip: ip}, history.Event{Kind: history.KindFabric, VNI: uint32(st.key.VNI), Detail: detail})
}

// toFabric and fromFabric are the only ways to the fabric at all.
func (e *Edge) toFabric(vni evpn.VNI, r evpn.Route) (done bool) {
	if err := e.Fabric.Announce(r); err != nil {
		e.note(history.Event{Kind: history.KindAlarm, VNI: uint32(vni), Detail: fmt.Sprintf("announce %s to the fabric: %v", r.RouteKey, err)})
		return false
	}
	e.stats.fabricAnnounced++
	return true
}

func (e *Edge) fromFabric(vni evpn.VNI, k evpn.RouteKey) (done bool) {
	if err := e.Fabric.Withdraw(k); err != nil {
		e.note(history.Event{Kind: history.KindAlarm, VNI: uint32(vni), Detail: fmt.Sprintf("withdraw %s from the fabric: %v", k, err)})
		return false
	}
	e.stats.fabricWithdrawn++
	return true
}

// vm is the VM whose story the station belongs to, zero if there is none: the active one first.
func (st *station) vm() (vm evpn.VMID) {
	switch r := st.active(); {
	case r != nil:
		return r.key.VM
	case st.owner != nil:
		return st.owner.key.VM
	case len(st.records) > 0:
		return st.records[0].key.VM
	}
	return vm
}
