package nve

import (
	"net/netip"
	"slices"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/history"
)

// written is an entry that was asked for; generation 0 means that nothing had to be.
type written struct {
	key        dataplane.Key
	generation dataplane.Generation
}

// forwarded is where a station's frames go.
type forwarded struct {
	port string
	vtep netip.Addr
}

func (st *station) fdbEntry() dataplane.Entry {
	return dataplane.Entry{Key: st.fdbKey(), LocalPort: st.entry.port, VTEP: st.entry.vtep}
}

func (st *station) fdbKey() dataplane.Key {
	return dataplane.Key{Kind: dataplane.Unicast, VNI: dataplane.VNI(st.key.VNI), MAC: dataplane.MAC(st.key.MAC)}
}

// local is the port of the record that is active here; empty when none is, the MAC is a duplicate, or its policy is not in force.
func (st *station) local() string {
	if r := st.active(); r != nil && !st.duplicate && st.policeable() {
		return st.vn.portOf(r.key.TES, st.key.MAC)
	}
	return ""
}

// settle decides what the kernel holds for the station: the local port while a record is active here, else the winning edge's VTEP while the VN has members here;
// and its policy. A policy comes into force before frames are let through, and goes after.
func (e *Edge) settle(st *station) written {
	policy := e.enforcedOf(st)
	if policy.inForce {
		e.settlePolicy(st, policy)
	} else {
		defer func() { e.settlePolicy(st, policy) }()
	}
	var want forwarded
	remote := st.active() == nil && !st.duplicate && st.best != nil && len(st.vn.members) > 0 && st.outranked()
	switch port := st.local(); {
	case port != "":
		want.port = port
	case remote:
		want.vtep = st.best.VTEP
	}
	e.settleNeighbors(st, remote)
	w := written{key: st.fdbKey()}
	if was := st.entry; want != was {
		st.entry, st.broken = want, false
		if was.port != want.port {
			e.opened(st.vn, want.port, 1)
			e.opened(st.vn, was.port, -1)
		}
		if want == (forwarded{}) {
			w.generation = e.Forwarder.Unset(w.key)
		} else {
			w.generation = e.Forwarder.Set(st.fdbEntry())
		}
	}
	e.forgetLater(st)
	return w
}

// confirm settles the station and has the kernel answer for the entry, also where it should have it already.
func (e *Edge) confirm(st *station) written {
	w := e.settle(st)
	if w.generation == 0 && st.entry != (forwarded{}) {
		w.generation = e.Forwarder.Set(st.fdbEntry())
	}
	return w
}

// settleNeighbors keeps the suppression entries of the IPs behind the winning edge.
func (e *Edge) settleNeighbors(st *station, remote bool) {
	if !remote && len(st.neighbors) == 0 {
		return
	}
	var want []netip.Addr
	if remote {
		for _, r := range st.remotes {
			if r.key.IP.IsValid() && r.VTEP == st.best.VTEP && !e.overruled(r.from, r.key.RD) {
				want = with(want, r.key.IP, netip.Addr.Compare)
			}
		}
	}
	if slices.Equal(want, st.neighbors) {
		return
	}
	before, neighbors := st.neighbors, st.vn.neighbors
	st.neighbors = want
	for _, ip := range before {
		if !has(want, ip, netip.Addr.Compare) {
			if neighbors[ip] == st { // not another MAC's by now
				delete(neighbors, ip)
				e.Forwarder.Unset(dataplane.Key{Kind: dataplane.Neighbor, VNI: dataplane.VNI(st.key.VNI), IP: ip})
			}
		}
	}
	for _, ip := range want {
		if !has(before, ip, netip.Addr.Compare) {
			neighbors[ip] = st
			e.Forwarder.Set(dataplane.Entry{Key: dataplane.Key{Kind: dataplane.Neighbor, VNI: dataplane.VNI(st.key.VNI), IP: ip}, LinkAddr: dataplane.MAC(st.key.MAC)})
		}
	}
}

// handleResult takes the kernel's answer.
func (e *Edge) handleResult(res dataplane.Result) {
	e.noteKernel(res)
	p := e.waiting[res.Key]
	if res.Key.Kind == dataplane.Tag {
		e.tagResult(res)
	}
	if res.Key.Kind == dataplane.Policy {
		e.policyResult(res, p != nil && !p.committed)
	}
	if p == nil {
		e.keeps(res)
		return
	}
	if slices.ContainsFunc(p.awaited, func(w written) bool { return w.key == res.Key && res.Generation < w.generation }) {
		return
	}
	delete(e.waiting, res.Key)
	p.answered(res.Key)
	if res.Err != nil && !p.committed {
		p.refuse(stationKey(res.Key), res.Err)
	}
	if len(p.awaited) == 0 {
		e.advance(p)
	}
}

// keeps tells a VM that the kernel does not keep its entry any more, or does again (SPEC §3, Response: loses a resource).
func (e *Edge) keeps(res dataplane.Result) {
	st := e.stations[stationKey(res.Key)]
	switch {
	case st == nil || st.holder == nil || st.broken == (res.Err != nil):
		return
	case res.Key.Kind == dataplane.Unicast && st.entry.port != "":
	case res.Key.Kind == dataplane.Policy && st.policy.inForce && res.Generation >= st.policyWritten:
	default:
		return
	}
	r := st.holder
	st.broken = res.Err != nil
	if st.broken {
		r.reason = evpn.NonSufficientResources
		e.tellState(r, evpn.Fail)
		return
	}
	for other := range stationsOf(r.bindings) {
		if other.broken && other.holder == r {
			return
		}
	}
	r.reason = evpn.ReasonNone
	e.tellState(r, evpn.Success)
}

// stationKey is the station of an entry of kind Unicast or Policy.
func stationKey(k dataplane.Key) StationKey { return StationKey{evpn.VNI(k.VNI), evpn.MAC(k.MAC)} }

// noteKernel notes what the kernel did, for the VMs it concerns.
func (e *Edge) noteKernel(res dataplane.Result) {
	if res.Err != nil {
		e.stats.kernelErrors++
	}
	if res.Key.Kind != dataplane.Unicast && res.Key.Kind != dataplane.Policy {
		if res.Err != nil {
			e.note(history.Event{Kind: history.KindAlarm, VNI: uint32(res.Key.VNI), IP: addrText(res.Key.IP), Detail: "the kernel refused: " + res.Err.Error()})
		}
		return
	}
	st := e.stations[stationKey(res.Key)]
	ev, about := history.Event{Kind: history.KindFDB, VNI: uint32(res.Key.VNI)}, whom{mac: evpn.MAC(res.Key.MAC)}
	switch {
	case res.Key.Kind == dataplane.Policy && res.Removed:
		ev.Detail = "policy removed"
	case res.Key.Kind == dataplane.Policy && st != nil && res.Err != nil:
		ev.Detail = st.policyText() + ": failed: " + res.Err.Error()
	case res.Key.Kind == dataplane.Policy && st != nil:
		ev.Detail = st.policyText()
	case res.Err != nil:
		ev.Detail = "failed: " + res.Err.Error()
	case res.Removed:
		ev.Detail = "removed"
	case st != nil && st.entry.port != "":
		ev.Detail = "on port " + st.entry.port
	case st != nil:
		ev.Detail = "behind " + addrText(st.entry.vtep)
	}
	if st == nil || len(st.records) == 0 {
		e.noteOf(about, ev)
		return
	}
	for i, r := range st.records {
		if i > 0 && st.records[i-1].key.VM == r.key.VM {
			continue // once in each VM's story, though it may have records at several TESs
		}
		about.vm, about.tes = r.key.VM, 0
		if a := st.active(); a != nil && a.key.VM == r.key.VM {
			about.tes = a.key.TES
		}
		e.noteOf(about, ev)
	}
}
