package nve

import (
	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle"
	"github.com/tns-project/tns/lifecycle/history"
)

// set is the routes of one VM with one sequence: what an operation is applied to, as a whole or not at all (SPEC §2, index and count).
type set struct {
	sequence uint32
	request  evpn.Request // of any of its routes: op, base and flags are equal in all
	offers   map[evpn.RouteKey]*offer
}

// arrive takes a readable request into its VM's record.
func (e *Edge) arrive(o *offer) {
	r := e.record(o.vm)
	delete(r.offers, o.route.RouteKey)
	r.offers[o.route.RouteKey] = o
	e.timers.stop(r.gone)
	r.gone = nil
	seq := o.request.Sequence
	switch {
	case r.decided && seq == r.sequence:
		if r.contents[o.route.RouteKey] != o.content {
			e.stale(r, o)
			return
		}
		// The standing response is the answer. A request that is there again clears the mark, once all of its set are.
		o.reason = evpn.ReasonNone
		if b := r.bindings[o.route.RouteKey]; b != nil {
			b.offer = o
		}
		for k := range r.contents {
			if s := r.offers[k]; s == nil || s.request.Sequence != seq {
				return
			}
		}
		e.reappear(r)
		return
	case r.decided && !evpn.SequenceNewer(seq, r.sequence),
		!r.decided && r.sequence != 0 && seq != r.sequence && !evpn.SequenceNewer(seq, r.sequence):
		e.stale(r, o)
		return
	}
	e.evaluate(r)
}

// stale refuses a sequence that is not newer, or the same one with other content (FAIL 12, with the highest accepted).
func (e *Edge) stale(r *record, o *offer) {
	status := evpn.Fail
	if r.alive() {
		status = evpn.FailKept
	}
	e.respond(o, answer{status: status, state: r.State, reason: evpn.StaleSequence, sequence: r.sequence, lifetime: e.granted(r)})
}

// evaluate looks at a record's requests as they stand and decides the newest set once it is whole. It is level-driven: it may be called at any time.
func (e *Edge) evaluate(r *record) {
	if r.procedure != nil {
		r.again = true
		return
	}
	if !e.fabricDone {
		e.deferred[r.key] = struct{}{}
		return
	}
	s := r.newest()
	if s == nil {
		return
	}
	if !s.whole() {
		e.awaitRest(r, s)
		return
	}
	e.timers.stop(r.assembly)
	r.assembly = nil
	e.decide(r, s)
}

// newest is the set with the newest sequence that is not decided; nil if there is none.
func (r *record) newest() *set {
	var s *set
	for k, o := range r.offers {
		seq := o.request.Sequence
		switch {
		case r.decided && !evpn.SequenceNewer(seq, r.sequence):
			continue
		case s == nil || evpn.SequenceNewer(seq, s.sequence):
			s = &set{sequence: seq, request: o.request, offers: map[evpn.RouteKey]*offer{k: o}}
		case seq == s.sequence:
			s.offers[k] = o
		}
	}
	return s
}

// whole reports whether count routes are there, or more than any of them counts.
func (s *set) whole() bool { return len(s.offers) >= int(s.request.Count) }

// consistent reports whether the routes agree: one OP value and count, each index once.
func (s *set) consistent() bool {
	seen := make(map[uint8]bool, len(s.offers))
	for _, o := range s.offers {
		q := &o.request
		if q.Op != s.request.Op || q.Base != s.request.Base || q.Flags != s.request.Flags || q.Count != s.request.Count || seen[q.Index] {
			return false
		}
		seen[q.Index] = true
	}
	return len(s.offers) == int(s.request.Count)
}

// awaitRest gives the rest of a set the assembly time (FAIL 18 after it).
func (e *Edge) awaitRest(r *record, s *set) {
	if r.assembly != nil && r.assembled == s.sequence {
		return
	}
	e.timers.stop(r.assembly)
	r.assembled = s.sequence
	r.assembly = e.timers.after(e.now, e.config.Assembly, func() {
		r.assembly = nil
		if s := r.newest(); s != nil && s.sequence == r.assembled && !s.whole() {
			e.stats.incomplete++
			for _, o := range s.offers {
				e.refuse(r, o, evpn.IncompleteSet)
			}
		}
		e.dropIfEmpty(r)
	})
}

// leaveRecord takes a request out of its record.
func (e *Edge) leaveRecord(o *offer, w why) {
	r := e.records[o.vm]
	if r == nil || r.offers[o.route.RouteKey] != o {
		e.withdrawAnswer(o)
		return
	}
	delete(r.offers, o.route.RouteKey)
	if !r.alive() || (r.bindings[o.route.RouteKey] == nil && w != lostSession) {
		e.withdrawAnswer(o)
	}
	if len(r.offers) > 0 {
		return // nothing changes until a complete newer set applies
	}
	if !r.alive() {
		e.dropIfEmpty(r)
		return
	}
	switch w {
	case withdrew:
		e.orphan(r, "its requests vanished without TERMINATE")
		if o.direct {
			r.gone = e.timers.after(e.now, e.config.Withdraw, func() {
				r.gone = nil
				if len(r.offers) == 0 {
					e.own(r, lifecycle.Terminate)
				}
			})
		}
	case lostSession:
		e.timers.stop(r.gone)
		r.gone = nil
		e.orphan(r, "its TES's session is down")
	case replaced:
		e.orphan(r, "another VM has its MAC at this TES")
	}
}

// note writes history.
func (e *Edge) note(ev history.Event) {
	ev.At = e.now
	if ev.VN == "" && ev.VNI != 0 {
		if v := e.vns[evpn.VNI(ev.VNI)]; v != nil {
			ev.VN = v.Name
		}
	}
	e.History.Append(ev)
	if ev.Kind == history.KindAlarm {
		e.stats.alarms++
		e.Log.WithFields(logFields(ev)).Warn(ev.Detail)
	}
}
