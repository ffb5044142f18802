package nve

import (
	"slices"
	"time"

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
	replay bool // the request was decided before a restart
	waited bool // since it was checked

	reserved  bool // its bindings count as held
	claimed   bool // it has its places
	committed bool
	bindings  bindings // of the set
	old       bindings // what the set before held
	held      Holding  // what is reserved if it fails
	from      lifecycle.State

	awaited []written            // entries that the kernel has not answered for
	refused map[StationKey]error // those that it refused
}

// ownRetry is the pause before the NVE tries again what the kernel refused it.
const ownRetry = time.Second

// begin starts a procedure.
func (e *Edge) begin(p *procedure) {
	r := p.record
	p.old, p.held, p.from = r.bindings, e.memory.Holdings[r.key], r.State
	if p.set != nil && !onlyAccepts(p.arrow) && p.arrow.To.Alive() {
		p.bindings = p.set.bindings(r)
	} else {
		p.bindings = r.bindings
	}
	r.procedure = p
	e.running++
	e.advance(p)
}

// onlyAccepts reports whether the arrow does nothing but answer.
func onlyAccepts(a lifecycle.Arrow) bool {
	return len(a.Actions) == 1 && a.Actions[0] == lifecycle.Accept
}

// advance carries out what can be until an answer has to be waited for.
func (e *Edge) advance(p *procedure) {
	if len(p.refused) > 0 {
		e.fail(p, e.kernelVerdict(p))
		return
	}
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
	e.end(p)
}

// refuse notes that the kernel refused a station's entry.
func (p *procedure) refuse(k StationKey, err error) {
	if p.refused == nil {
		p.refused = map[StationKey]error{}
	}
	p.refused[k] = err
}

// kernelVerdict names the routes whose entries the kernel refused.
func (e *Edge) kernelVerdict(p *procedure) Verdict {
	var v Verdict
	for _, b := range p.bindings {
		if p.refused[b.station()] != nil || p.refused[StationKey{VNI: b.vn.VNI}] != nil { // the entry, or the VN's tag
			v.refuse(b.key, evpn.NonSufficientResources)
		}
	}
	for _, k := range keysOf(p.refused, compareStations) {
		e.Log.WithField("vm", p.record.key.VM).WithField("vni", k.VNI).WithField("mac", k.MAC).WithError(p.refused[k]).Warn("the kernel refused")
	}
	return v
}

// commit takes the new state: from here on nothing can fail any more.
func (e *Edge) commit(p *procedure) {
	if p.committed {
		return
	}
	p.committed = true
	r := p.record
	switch {
	case p.event == lifecycle.Outranked:
		r.reason = evpn.Duplicate
	case p.event == lifecycle.AgedOut:
		r.reason = evpn.AgedOut
	case p.event != lifecycle.KeepAlive && p.event != lifecycle.NewerSeen && !onlyAccepts(p.arrow):
		r.reason = evpn.ReasonNone
	}
	before, from := r.Association, End{}
	if p.set != nil && asks(&p.set.request).Immigrates() {
		from = e.origin(p)
	}
	r.bindings = p.bindings
	e.untellOthers(r)
	because := p.event.String()
	if p.set != nil && asks(&p.set.request).Immigrates() {
		because = "immigration (" + because + ")"
		e.stats.immigrations++
	}
	e.enter(r, r.Move(p.event, p.arrow), because)
	for _, b := range r.bindings {
		e.bound.put(b)
	}
	if p.set != nil && r.alive() && !onlyAccepts(p.arrow) {
		e.accept(r, p.set)
	}
	switch p.event {
	case lifecycle.Outranked:
		r.displaced = e.displaced(r)
	case lifecycle.Emigrate, lifecycle.Terminate:
		if before.Outranked {
			e.forgive(p.old)
		}
	}
	if r.State == lifecycle.Associated {
		e.take(p)
	}
	e.tell(p, before, from)
}

// take makes a claim good, and tells the same VM's records at other TESs of this edge that it is here now (SPEC §3, "The same VM from two TESs of one
// NVE").
func (e *Edge) take(p *procedure) {
	r := p.record
	r.displaced = false
	e.eachIP(r.bindings, func(ip *place) { ip.keep(r) })
	for st := range stationsOf(r.bindings) {
		st.keep(r)
		for _, other := range st.records {
			if other != r && other.key.VM == r.key.VM && (other.State == lifecycle.Associated || other.State == lifecycle.Suspended) {
				e.later(func() { e.own(other, lifecycle.Outranked) })
			}
			if other != r && other.key.VM == r.key.VM {
				e.departed(other)
			}
		}
	}
}

// fail leaves everything as it was and refuses the set.
func (e *Edge) fail(p *procedure, v Verdict) {
	r := p.record
	e.rollBack(p)
	e.running--
	r.procedure = nil
	if p.set != nil {
		e.refuseSet(r, v)
		e.tellRefused(r, p.set, v)
	}
	e.later(func() { e.goOn(r) })
}

// end ends a procedure that went through.
func (e *Edge) end(p *procedure) {
	e.running--
	r := p.record
	r.procedure = nil
	if p.arrow.Does(lifecycle.Reserve) || !r.alive() {
		e.keep(r.key, holdingOf(r.bindings))
	}
	e.later(func() { e.goOn(r) })
}

// goOn looks at what came while a procedure was running.
func (e *Edge) goOn(r *record) {
	for r.procedure == nil && len(r.pending) > 0 {
		ev := r.pending[0]
		r.pending = r.pending[1:]
		e.own(r, ev)
	}
	if r.procedure == nil && r.State == lifecycle.Associated {
		e.own(r, lifecycle.Outranked) // if another has taken its place meanwhile
	}
	if r.procedure == nil && r.again {
		r.again = false
		e.evaluate(r)
	}
	if r.procedure == nil {
		e.presence(r)
		e.dropIfEmpty(r)
		e.checkComplete()
	}
}

// own is an event that the NVE sees by itself. Whether it still holds is looked at when its turn comes.
func (e *Edge) own(r *record, ev lifecycle.Event) {
	if r.procedure != nil {
		if !slices.Contains(r.pending, ev) {
			r.pending = append(r.pending, ev)
		}
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
		if !e.aged(r) {
			e.armLifetime(r) // refreshed while it waited
			return
		}
	}
	arrow := lifecycle.Next(r.State, ev)
	if arrow.Refusal != lifecycle.Allowed || len(arrow.Actions) == 0 {
		return
	}
	e.begin(&procedure{record: r, event: ev, arrow: arrow})
}

// displaced reports whether the same VM is active at another TES of this edge.
func (e *Edge) displaced(r *record) bool {
	for st := range stationsOf(r.bindings) {
		if a := st.active(); a != nil && a != r {
			return true
		}
	}
	return false
}

// outranked reports whether any of the record's MACs has been taken by another edge's better route, by another TES, or is a duplicate. A claim that is not
// made good yet takes nothing.
func (e *Edge) outranked(r *record) bool {
	for st := range stationsOf(r.bindings) {
		switch {
		case st.holder != nil && st.holder != r,
			st.holder == r && st.duplicate,
			st.owner == r && st.outranked():
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
	for st := range stationsOf(r.bindings) {
		if a := st.active(); a != nil && a != r || st.duplicate || st.best != nil {
			return true
		}
	}
	for _, b := range r.bindings {
		if k, ok := b.ipOf(); ok && e.ips[k] != nil && e.ips[k].active() != r {
			return true
		}
	}
	return false
}

// reinstateLater has the records of a station, whose place a procedure had and gave up, look again after a pause: its own, which the kernel refused, and
// those that it was in the way of. Nobody asks for them.
func (e *Edge) reinstateLater(st *station) {
	for _, r := range st.records {
		if r.Outranked && r.State == lifecycle.EmigratingAssociated && r.retry == nil {
			r.retry = e.timers.after(e.now, ownRetry, func() {
				r.retry = nil
				e.own(r, lifecycle.Reinstated)
			})
		}
	}
}

// reinstate looks whether records that were outranked for a station can be active again.
func (e *Edge) reinstate(st *station) {
	for _, r := range st.records {
		if r.Outranked && r.State == lifecycle.EmigratingAssociated {
			e.later(func() { e.own(r, lifecycle.Reinstated) })
		}
	}
}
