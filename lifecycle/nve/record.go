package nve

import (
	"bytes"
	"cmp"
	"net/netip"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle"
	"github.com/tns-project/tns/lifecycle/history"
)

// record is one association: a VM at a TES, the requests that stand for it, and what is held for it. With no request and no association it is dropped.
type record struct {
	key      VMKey
	offers   map[evpn.RouteKey]*offer
	answered map[evpn.RouteKey]*offer // what its standing responses answer, by their NLRI

	lifecycle.Association
	since     time.Time
	displaced bool        // outranked by its own VM at another TES of this edge
	reason    evpn.Reason // why the NVE itself changed the state; 0 if it did not

	bindings map[evpn.RouteKey]*binding // the set in force, by the request's NLRI
	params   map[evpn.RouteKey]string   // its parameters, to tell same from changed

	decided  bool   // sequence is one that was decided
	sequence uint32 // the highest decided
	contents map[evpn.RouteKey]string

	refreshed time.Time
	lifetime  *timer
	assembly  *timer
	assembled uint32 // the sequence that assembly waits for
	gone      *timer // its last request was withdrawn

	procedure *procedure
	again     bool // evaluate once the procedure is over
	pending   []lifecycle.Event
}

// binding is one (VN, MAC, IP or none) of a record.
type binding struct {
	vn     *vn
	mac    evpn.MAC
	ip     netip.Addr // invalid: none
	port   string
	policy *evpn.Policy
	index  uint8
	count  uint8
	offer  *offer // the request that brought it last
}

func (b *binding) station() StationKey { return StationKey{b.vn.VNI, b.mac} }

// record finds or makes the record of a key.
func (e *Edge) record(k VMKey) *record {
	r := e.records[k]
	if r == nil {
		r = &record{key: k, offers: map[evpn.RouteKey]*offer{}, answered: map[evpn.RouteKey]*offer{}, since: e.now}
		if s, ok := e.memory.Sequences[k]; ok {
			r.sequence = s
		}
		e.records[k] = r
		e.tes(k.TES).records[k] = r
	}
	return r
}

// dropIfEmpty forgets a record that says nothing any more.
func (e *Edge) dropIfEmpty(r *record) {
	if r.State != lifecycle.Null || len(r.offers) > 0 || r.procedure != nil || r.assembly != nil {
		return
	}
	e.timers.stop(r.lifetime)
	e.timers.stop(r.gone)
	delete(e.records, r.key)
	delete(e.tes(r.key.TES).records, r.key)
	delete(e.deferred, r.key)
}

// alive reports whether an association lives on, so that a refusal keeps something (status 2).
func (r *record) alive() bool { return r.State.Alive() }

// wireState is the state as numbered in SPEC §2.
func wireState(s lifecycle.State) evpn.State { return evpn.State(s.Figure()) }

// enter moves the record's association.
func (e *Edge) enter(r *record, a lifecycle.Association, because string) {
	before := r.Association
	r.Association = a
	if before == a {
		return
	}
	if before.State != a.State {
		r.since = e.now
		e.stats.transitions++
	}
	if before.Orphaned != a.Orphaned {
		r.refreshed = e.now
		e.armLifetime(r)
	}
	e.note(history.Event{Kind: history.KindState, VM: r.key.VM.String(), TES: r.key.TES.String(), State: wireState(r.State).String(), Reason: reasonText(r.reason), Sequence: r.sequence, Detail: because})
}

// orphan marks a record whose TES does not speak for it any more (SPEC §3, "Orphaned"): forwarding goes on.
func (e *Edge) orphan(r *record, because string) {
	if !r.alive() || r.Orphaned {
		return
	}
	e.stats.orphaned++
	e.enter(r, r.Orphan(), "orphaned: "+because)
}

// reappear takes the mark away; nothing else changes.
func (e *Edge) reappear(r *record) {
	e.timers.stop(r.gone)
	r.gone = nil
	if !r.Orphaned {
		return
	}
	e.enter(r, r.Reappear(), "its TES is back")
}

// lifetimeOf is how long the record lasts from its last refresh; 0 means that no lifetime runs.
func (e *Edge) lifetimeOf(r *record) time.Duration {
	a := r.Association
	a.Outranked = a.Outranked && len(r.offers) > 0 && e.tes(r.key.TES).beaconAlive()
	d, _ := e.config.Lifetimes.Of(a)
	return d
}

// freshest is when the record was last refreshed, by a request or by its TES's beacon.
func (e *Edge) freshest(r *record) time.Time {
	t := e.tes(r.key.TES)
	if t.beacon == nil || r.Orphaned || r.State.Emigrating() || r.State == lifecycle.Terminated || len(r.offers) == 0 || r.perVM() {
		return r.refreshed
	}
	if t.beacon.at.After(r.refreshed) {
		return t.beacon.at
	}
	return r.refreshed
}

// perVM reports whether the beacon leaves the VM out (`keepalive: per-vm` on any of its VNs).
func (r *record) perVM() bool {
	for _, b := range r.bindings {
		if b.vn.PerVMKeepAlive {
			return true
		}
	}
	return false
}

// armLifetime sets the record's ageing.
func (e *Edge) armLifetime(r *record) {
	e.timers.stop(r.lifetime)
	r.lifetime = nil
	d := e.lifetimeOf(r)
	if d == 0 {
		if r.Outranked {
			r.lifetime = e.timers.after(e.now, e.config.Lifetimes.Emigrating, func() { e.lifetimeOver(r) })
		}
		return
	}
	left := e.freshest(r).Add(d).Sub(e.now)
	r.lifetime = e.timers.after(e.now, max(left, 0), func() { e.lifetimeOver(r) })
}

// lifetimeOver ages the record, unless something refreshed it meanwhile.
func (e *Edge) lifetimeOver(r *record) {
	r.lifetime = nil
	if !e.paused.IsZero() && r.alive() {
		r.lifetime = &timer{index: -1} // resumed with the next session
		return
	}
	d := e.lifetimeOf(r)
	if d == 0 || e.freshest(r).Add(d).After(e.now) {
		if r.Outranked && d == 0 {
			r.refreshed = e.now
		}
		e.armLifetime(r)
		return
	}
	e.own(r, lifecycle.AgedOut)
}

func compareVMKeys(a, b VMKey) int {
	if c := bytes.Compare(a.VM[:], b.VM[:]); c != 0 {
		return c
	}
	return cmp.Compare(a.TES, b.TES)
}

func reasonText(r evpn.Reason) string {
	if r == evpn.ReasonNone {
		return ""
	}
	return r.String()
}
