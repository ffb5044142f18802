package nve

import (
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle"
	"github.com/tns-project/tns/lifecycle/history"
)

// record is one association: a VM at a TES, the requests that stand for it, and what is held for it. With no request and no association it is dropped.
type record struct {
	key    VMKey
	tes    *tes
	offers offers
	kept   offers // requests that are gone and whose responses stay, because the binding is held

	lifecycle.Association
	since     time.Time
	displaced bool        // outranked by its own VM at another TES of this edge
	reason    evpn.Reason // why the NVE itself changed the state; 0 if it did not

	bindings bindings // the set in force

	decided   bool      // since it is here; else sequence is what is remembered from before a restart
	sequence  uint32    // the highest decided
	decisions decisions // of that sequence

	refreshed time.Time
	lifetime  *timer
	assembly  *timer
	assembled uint32 // the sequence that assembly waits for
	gone      *timer // its last request was withdrawn
	retry     *timer // it is looked at again whether it can be active
	left      why    // how its last request went
	departed  bool   // Emigrating: middleboxes were told where it went

	procedure *procedure
	again     bool // evaluate once the procedure is over
	pending   []lifecycle.Event
}

// binding is one (VN, MAC, IP or none) of a record.
type binding struct {
	record *record
	key    evpn.RouteKey // the request's NLRI, with MAC and IP
	vn     *vn
	policy *evpn.Policy

	parameters parameters // of the request, to tell same from changed
}

func (b *binding) station() StationKey { return StationKey{b.vn.VNI, b.key.MAC} }

// record finds or makes the record of a key.
func (e *Edge) record(k VMKey) *record {
	r := e.records[k]
	if r == nil {
		r = &record{key: k, tes: e.tes(k.TES), since: e.now}
		if s, ok := e.memory.Sequences[k]; ok {
			r.sequence = s
		}
		e.records[k] = r
		r.tes.records[k] = r
	}
	return r
}

// dropIfEmpty forgets a record that says nothing any more, and its sequence with it.
func (e *Edge) dropIfEmpty(r *record) {
	if r.State != lifecycle.Null || len(r.offers) > 0 || r.procedure != nil || e.records[r.key] != r {
		return
	}
	e.timers.stop(r.lifetime)
	e.timers.stop(r.gone)
	e.timers.stop(r.assembly)
	e.timers.stop(r.retry)
	e.unkeepAll(r)
	delete(e.records, r.key)
	if e.completed {
		e.keep(r.key, nil)
	}
	delete(e.deferred, r.key)
	e.forgetSequence(r.key)
	delete(r.tes.records, r.key)
	e.dropTES(r.tes)
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
	if !r.alive() {
		e.forgetAcceptances(r.key)
		e.untellAll(r.key)
	}
	if before.Orphaned != a.Orphaned {
		r.refreshed = e.now
		e.armLifetime(r)
	}
	e.noteOf(whom{vm: r.key.VM, tes: r.key.TES}, history.Event{Kind: history.KindState, State: wireState(r.State).String(), Reason: reasonText(r.reason), Sequence: r.sequence, Detail: because})
}

func reasonText(r evpn.Reason) string {
	if r == evpn.ReasonNone {
		return ""
	}
	return r.String()
}
