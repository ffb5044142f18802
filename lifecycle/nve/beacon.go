package nve

import (
	"net/netip"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/history"
)

// beacon is a TES's sign of life: one route that refreshes all its VMs at once (SPEC §2).
type beacon struct {
	peer      netip.Addr
	key       evpn.RouteKey
	counter   uint32
	at        time.Time
	lifetime  time.Duration
	overdue   *timer
	wrong     int // intervals in a row that the digest did not match
	asked     bool
	asks      uint32
	isOverdue bool
}

// overdue reports whether the TES's beacon is; a TES that never sent one has none to miss.
func (t *tes) overdue() bool { return t.beacon != nil && t.beacon.isOverdue }

// beaconSeen takes a type 3 route of the TES plane.
func (e *Edge) beaconSeen(p *peer, r evpn.Route) {
	if !r.HasRouteTarget(evpn.RequestTarget(e.config.ID)) || r.Tag != evpn.EthernetTag(e.config.ID) {
		e.stats.ignored++
		return
	}
	id, complaint := e.identify(p, &r)
	if complaint == "" && r.IP != id.Addr() {
		complaint = "beacon's originator " + r.IP.String() + " is not the TES-ID"
	}
	b, err := evpn.DecodeBeacon(r.Communities)
	if complaint == "" && err != nil {
		complaint = "malformed beacon: " + err.Error()
	}
	if complaint != "" {
		e.stats.malformed++
		e.note(history.Event{Kind: history.KindAlarm, TES: id.String(), Peer: p.address.String(), Detail: complaint})
		return
	}
	e.stats.beacons++
	t := e.present(id)
	if t.beacon == nil {
		t.beacon = &beacon{counter: b.Lease.Counter - 1}
	}
	t.beacon.peer, t.beacon.key = p.address, r.RouteKey
	t.beacon.lifetime = time.Duration(b.Lease.Lifetime) * time.Second
	if b.Lease.Counter == t.beacon.counter {
		return // a repetition is no sign of life
	}
	t.beacon.counter, t.beacon.at = b.Lease.Counter, e.now
	e.timers.stop(t.beacon.overdue)
	t.beacon.overdue = e.timers.after(e.now, t.beacon.lifetime, func() { e.beaconOverdue(t) })
	if t.beacon.isOverdue {
		t.beacon.isOverdue = false
		for _, k := range keysOf(t.records, compareVMKeys) {
			e.returned(t.records[k])
		}
	}
	e.compareDigest(t, b.Digest)
}

// beaconOverdue orphans what the TES has here.
func (e *Edge) beaconOverdue(t *tes) {
	t.beacon.isOverdue = true
	for _, k := range keysOf(t.records, compareVMKeys) {
		e.presence(t.records[k])
	}
}

// beaconLost ends the watch over a beacon whose session is down. What it refreshed was refreshed then.
func (e *Edge) beaconLost(t *tes) {
	for _, r := range t.records {
		r.refreshed = e.freshest(r)
	}
	e.timers.stop(t.beacon.overdue)
	e.unask(t)
	t.beacon = nil
}

// beaconWithdrawn leaves the beacon to become overdue.
func (e *Edge) beaconWithdrawn(p *peer, key evpn.RouteKey) {
	id, _, _ := key.RD.Split()
	if t := e.tess[id]; t != nil && t.beacon != nil && t.beacon.peer == p.address && t.beacon.key == key {
		e.unask(t)
	}
}

// unask withdraws the reply beacon.
func (e *Edge) unask(t *tes) {
	t.beacon.wrong = 0
	if t.beacon.asked {
		t.beacon.asked = false
		e.withdrawTES(e.replyBeacon(t, evpn.Digest{}).RouteKey)
	}
}

// compareDigest finds requests that were lost on the way: after two intervals the TES is asked to send its routes again.
func (e *Edge) compareDigest(t *tes, told evpn.Digest) {
	own := evpn.DigestOf(e.digestItems(t))
	if own == told {
		e.unask(t)
		return
	}
	if t.beacon.wrong++; t.beacon.wrong < 2 {
		return
	}
	e.stats.digestMismatches++
	t.beacon.asked = true
	t.beacon.asks++
	e.note(history.Event{Kind: history.KindAlarm, TES: t.id.String(), Detail: "its digest does not match what is here: asked to send again"})
	e.announceTES(e.replyBeacon(t, own))
}

// digestItems is every request of the TES that stands, of the VMs that are not kept alive one by one.
func (e *Edge) digestItems(t *tes) []evpn.DigestItem {
	items := make([]evpn.DigestItem, 0, t.offers)
	for _, r := range t.records {
		if r.asksPerVM() {
			continue
		}
		for _, o := range r.offers {
			items = append(items, evpn.DigestItem{VNI: o.route.Label, Key: o.route.RouteKey, Sequence: o.request.Sequence})
		}
	}
	return items
}

// asksPerVM reports whether any of its requests is in a VN whose VMs are kept alive one by one.
func (r *record) asksPerVM() bool {
	for _, o := range r.offers {
		if o.vn != nil && o.vn.PerVMKeepAlive {
			return true
		}
	}
	return false
}

// replyBeacon is the NVE's own digest, addressed to the TES (SPEC §2, Beacon).
func (e *Edge) replyBeacon(t *tes, d evpn.Digest) evpn.Route {
	b := evpn.Beacon{Lease: evpn.Lease{Lifetime: uint16(min(t.beacon.lifetime/time.Second, 65535)), Counter: t.beacon.asks}, Digest: d}
	return evpn.Route{
		RouteKey: evpn.RouteKey{Type: evpn.InclusiveMulticast, RD: evpn.NewRD(e.config.ID, evpn.BeaconRD), Tag: evpn.EthernetTag(t.id), IP: e.config.ID.Addr()},
		NextHop:  e.config.ID.Addr(), PMSI: &evpn.PMSITunnel{},
		Communities: append([]evpn.ExtendedCommunity{evpn.ExtendedCommunity(evpn.ResponseTarget(t.id))}, b.Communities()...),
	}
}
