package nve

import (
	"time"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle"
)

// procedure is an arrow being carried out: its actions in order, of which some answer later. One runs per record at a time; what comes meanwhile waits and is
// then looked at as it stands.
type procedure struct {
	record *record
	set    *set // the request; nil when the NVE acts on its own
	event  lifecycle.Event
	arrow  lifecycle.Arrow
	next   int

	generation uint64 // a late answer to an earlier procedure has another one
	committed  bool
	bindings   map[evpn.RouteKey]*binding // of the set
	params     map[evpn.RouteKey]string
	old        map[evpn.RouteKey]*binding // what the set before held

	awaited   int // entries that the kernel has not answered for
	failed    error
	displaced map[*station]standing // whose place was taken
}

// ownRetry is the pause before the NVE tries again what the kernel refused it.
const ownRetry = time.Second

// standing is who was active for a MAC before a procedure took it.
type standing struct {
	active *record
	port   string
}

// waiter is a procedure that waits for an entry.
type waiter struct {
	procedure  *procedure
	generation dataplane.Generation
}

// begin starts a procedure.
func (e *Edge) begin(p *procedure) {
	r := p.record
	e.generation++
	p.generation = e.generation
	p.old = r.bindings
	if p.set != nil && !onlyAccepts(p.arrow) && p.arrow.To.Alive() {
		p.bindings, p.params = e.bindingsOf(r, p.set)
	} else {
		p.bindings, p.params = r.bindings, r.params
	}
	p.displaced = map[*station]standing{}
	r.procedure = p
	e.advance(p)
}

// advance carries out what can be until an answer has to be waited for.
func (e *Edge) advance(p *procedure) {
	for p.next < len(p.arrow.Actions) {
		step := p.arrow.Actions[p.next]
		if !step.AnswersLater() {
			e.commit(p)
		}
		p.next++
		if done := e.perform(p, step); !done {
			return
		}
	}
	e.commit(p)
	e.finish(p)
}

// commit takes the new state: from here on nothing can fail any more.
func (e *Edge) commit(p *procedure) {
	if p.committed {
		return
	}
	p.committed = true
	r := p.record
	if p.event == lifecycle.Outranked {
		r.reason = evpn.Duplicate
	} else if p.event == lifecycle.AgedOut {
		r.reason = evpn.AgedOut
	} else if p.event != lifecycle.KeepAlive && p.event != lifecycle.NewerSeen && !onlyAccepts(p.arrow) {
		r.reason = evpn.ReasonNone
	}
	before := r.Association
	r.bindings, r.params = p.bindings, p.params
	after := r.Move(p.event, p.arrow)
	because := p.event.String()
	if p.set != nil && asks(&p.set.request).Immigrates() {
		because = "immigration (" + because + ")"
		e.stats.immigrations++
	}
	e.enter(r, after, because)
	for k := range r.bindings {
		e.bound[k] = r
	}
	switch p.event {
	case lifecycle.Outranked:
		r.displaced = e.displaced(r)
	case lifecycle.Emigrate, lifecycle.Terminate:
		if before.Outranked { // the move was signalled after all
			for _, st := range stationsOf(p.old) {
				st.moves = st.moves[:max(0, len(st.moves)-1)]
			}
		}
	}
	if p.arrow.To == lifecycle.Associated {
		r.displaced = false
		e.takeOver(p)
	}
}

// takeOver tells the same VM's records at other TESs of this edge that it is here now (SPEC §3, "The same VM from two TESs of one NVE").
func (e *Edge) takeOver(p *procedure) {
	for st := range p.displaced {
		for other := range st.records {
			if other != p.record && other.key.VM == p.record.key.VM && (other.State == lifecycle.Associated || other.State == lifecycle.Suspended) {
				e.later(func() { e.own(other, lifecycle.Outranked) })
			}
		}
	}
}

// displaced reports whether the same VM is active at another TES of this edge.
func (e *Edge) displaced(r *record) bool {
	for _, st := range stationsOf(r.bindings) {
		if st.active != nil && st.active != r {
			return true
		}
	}
	return false
}

// fail leaves everything as it was and refuses the set.
func (e *Edge) fail(p *procedure, v Verdict) {
	e.rollBack(p)
	r := p.record
	r.procedure = nil
	if p.set != nil {
		e.refuseSet(r, p.set, v)
	} else { // the NVE's own doing: nobody asks again
		e.timers.after(e.now, ownRetry, func() { e.own(r, p.event) })
	}
	e.goOn(r)
}

// finish ends a procedure that went through.
func (e *Edge) finish(p *procedure) {
	p.record.procedure = nil
	e.goOn(p.record)
}

// goOn looks at what came while a procedure was running.
func (e *Edge) goOn(r *record) {
	e.later(func() {
		if r.procedure != nil {
			return
		}
		for len(r.pending) > 0 && r.procedure == nil {
			ev := r.pending[0]
			r.pending = r.pending[1:]
			e.own(r, ev)
		}
		if r.procedure == nil && r.again {
			r.again = false
			e.evaluate(r)
		}
		if r.procedure == nil {
			if !r.alive() && len(r.offers) == 0 {
				e.withdrawAnswers(r)
			}
			e.dropIfEmpty(r)
			if !e.completed {
				e.checkComplete()
			}
		}
	})
}

// own is an event that the NVE sees by itself. Whether it still holds is looked at when its turn comes.
func (e *Edge) own(r *record, ev lifecycle.Event) {
	if r.procedure != nil {
		r.pending = append(r.pending, ev)
		return
	}
	switch ev {
	case lifecycle.Outranked, lifecycle.NewerSeen:
		if !e.outranked(r) {
			return
		}
	case lifecycle.Reinstated:
		if !r.Outranked || e.contested(r) {
			return
		}
	case lifecycle.Terminate:
		if len(r.offers) > 0 {
			return
		}
	case lifecycle.AgedOut:
		if d := e.lifetimeOf(r); d == 0 || e.freshest(r).Add(d).After(e.now) {
			return // refreshed while it waited
		}
	}
	arrow := lifecycle.Next(r.State, ev)
	if arrow.Refusal != lifecycle.Allowed || len(arrow.Actions) == 0 {
		return
	}
	e.begin(&procedure{record: r, event: ev, arrow: arrow})
}

// outranked reports whether any of the record's MACs has been taken by another edge's better route, by another TES, or is a duplicate.
func (e *Edge) outranked(r *record) bool {
	for _, st := range stationsOf(r.bindings) {
		if st.active != nil && st.active != r || st.active == r && st.duplicate || st.owner == r && st.outranked() {
			return true
		}
	}
	return false
}

// contested reports whether anything stands in the way of re-activating an outranked record.
func (e *Edge) contested(r *record) bool {
	if r.displaced {
		return true
	}
	for _, st := range stationsOf(r.bindings) {
		if st.active != nil && st.active != r || st.duplicate || st.best != nil {
			return true
		}
	}
	return false
}

// reinstate looks whether records that were outranked for a station can be active again.
func (e *Edge) reinstate(st *station) {
	for r := range st.records {
		if r.Outranked && r.State == lifecycle.EmigratingAssociated {
			e.later(func() { e.own(r, lifecycle.Reinstated) })
		}
	}
}

// handleResult takes the kernel's answer.
func (e *Edge) handleResult(res dataplane.Result) {
	e.tell(res)
	w := e.waiting[res.Key]
	if w == nil || res.Generation < w.generation {
		return
	}
	delete(e.waiting, res.Key)
	p := w.procedure
	if p.record.procedure != p {
		return
	}
	if res.Err != nil && !p.committed {
		p.failed = res.Err
	}
	if p.awaited--; p.awaited > 0 {
		return
	}
	if p.failed != nil {
		e.Log.WithField("vm", p.record.key.VM).WithError(p.failed).Warn("the kernel refused")
		var v Verdict
		if p.set != nil {
			v = p.set.all(evpn.NonSufficientResources)
		}
		e.fail(p, v)
		return
	}
	e.advance(p)
}
