package nve

import (
	"slices"
	"time"

	"github.com/tns-project/tns/evpn"
)

// set is the routes of one VM with one sequence: what an operation is applied to, as a whole or not at all (SPEC §2, index and count).
type set struct {
	sequence uint32
	request  evpn.Request // of the first of its routes: op, base, flags and count are equal in all
	offers   offers
}

// arrive takes a readable request into its VM's record.
func (e *Edge) arrive(o *offer) {
	r := e.record(o.vm)
	k := o.route.RouteKey
	if r.offers == nil {
		r.offers = make(offers, 0, min(o.request.Count, 4))
	}
	r.offers.put(o)
	e.timers.stop(r.gone)
	r.gone = nil
	if old := r.kept.get(k); old != nil {
		r.kept.drop(k)
		if e.answerKey(old) != e.answerKey(o) {
			e.unsay(old)
		}
	}
	switch seq := o.request.Sequence; {
	case r.decided && seq == r.sequence:
		d := r.decisions.get(k)
		if !r.decides(o) {
			e.stale(r, o)
			return
		}
		if d.made {
			e.respond(o, d.answer) // the standing response is the answer
		}
		e.returned(r)
	case r.past(seq):
		e.stale(r, o)
	default:
		e.evaluate(r)
	}
}

// returned clears the mark when the newest set stands again as a whole.
func (e *Edge) returned(r *record) {
	for _, d := range r.decisions {
		if o := r.offers.get(d.of.route.RouteKey); o == nil || !r.decides(o) {
			return
		}
	}
	e.reappear(r)
}

// stale refuses a sequence that is not newer, or the same one with other content (FAIL 12, with the highest accepted).
func (e *Edge) stale(r *record, o *offer) {
	e.respond(o, e.refusal(r, evpn.StaleSequence, r.sequence))
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
	s, ok := r.newest()
	if !ok {
		return
	}
	if !s.whole() {
		e.awaitRest(r, s)
		return
	}
	e.timers.stop(r.assembly)
	r.assembly = nil
	whole := s
	whole.offers = slices.Clone(s.offers) // the record's go on
	e.decide(r, &whole)
}

// newest is the set with the newest sequence that is not decided; none, if there is none. It has the record's own list where that is all of one set.
func (r *record) newest() (s set, ok bool) {
	n := 0
	for _, o := range r.offers {
		switch seq := o.request.Sequence; {
		case r.past(seq):
		case n == 0 || evpn.SequenceNewer(seq, s.sequence):
			s, n = set{sequence: seq, request: o.request}, 1
		case seq == s.sequence:
			n++
		}
	}
	if s.offers = r.offers; n < len(r.offers) {
		s.offers = slices.DeleteFunc(slices.Clone(r.offers), func(o *offer) bool { return o.request.Sequence != s.sequence })
	}
	return s, n > 0
}

// past reports whether a sequence is not newer than what was decided.
func (r *record) past(seq uint32) bool {
	return (r.decided || r.sequence != 0 && seq != r.sequence) && !evpn.SequenceNewer(seq, r.sequence)
}

// whole reports whether as many routes are there as the one that counts most says.
func (s *set) whole() bool {
	count := uint8(0)
	for _, o := range s.offers {
		count = max(count, o.request.Count)
	}
	return len(s.offers) >= int(count)
}

// consistent reports whether the routes agree: one OP value and count, each index once.
func (s *set) consistent() bool {
	var seen [256]bool // by index
	for _, o := range s.offers {
		q := &o.request
		if q.Op != s.request.Op || q.Base != s.request.Base || q.Flags != s.request.Flags || q.Count != s.request.Count || seen[q.Index] {
			return false
		}
		seen[q.Index] = true
	}
	return len(s.offers) == int(s.request.Count)
}

// all is the verdict that refuses each route with one reason.
func (s *set) all(reason evpn.Reason) Verdict {
	v := make(Verdict, len(s.offers))
	for _, o := range s.offers {
		v[o.route.RouteKey] = reason
	}
	return v
}

// awaitRest gives the rest of a set the assembly time (FAIL 18 after it), from when the first of it arrived.
func (e *Edge) awaitRest(r *record, s set) {
	if r.assembly != nil && r.assembled == s.sequence {
		return
	}
	e.timers.stop(r.assembly)
	r.assembled = s.sequence
	first := e.now
	for _, o := range s.offers {
		if o.at.Before(first) {
			first = o.at
		}
	}
	e.expectRest(r, first.Add(e.config.Assembly), first.Add(e.config.Assembly))
}

// expectRest looks at the set once more then: what arrived before the deadline counts, also if it is on its way to us still.
func (e *Edge) expectRest(r *record, deadline, then time.Time) {
	r.assembly = e.timers.at(then, func() {
		r.assembly = nil
		if s, ok := r.newest(); ok && s.sequence == r.assembled && !s.whole() {
			if until := e.onItsWay(s.offers, deadline); until.After(e.now) {
				e.expectRest(r, deadline, until)
				return
			}
			e.stats.incomplete++
			for _, o := range s.offers {
				e.respond(o, e.refusal(r, evpn.IncompleteSet, s.sequence))
			}
		}
		e.dropIfEmpty(r)
	})
}

const (
	flowPause   = time.Second      // after such a pause in a stream of routes nothing is expected to be on its way
	longestWait = 30 * time.Second // that a set is waited for beyond the assembly time
)

// onItsWay is until when a route that arrived before the deadline, and belongs to these, may be between its session and us; what was before now is over.
// A speaker that is behind says so of any route that it brings, and brings those of one TES long after those of another. A TES that tells all it has, up to
// End-of-RIB, tells it in any order.
func (e *Edge) onItsWay(offers offers, deadline time.Time) (until time.Time) {
	until = e.behind
	for _, o := range offers {
		for _, a := range append(o.also[:len(o.also):len(o.also)], o.from) {
			if p := e.peers[a]; p != nil && !p.ended && p.heard.Add(flowPause).After(until) {
				until = p.heard.Add(flowPause)
			}
		}
	}
	if last := deadline.Add(longestWait); until.After(last) {
		return last
	}
	return until
}
