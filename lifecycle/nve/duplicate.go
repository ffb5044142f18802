package nve

import (
	"slices"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle"
	"github.com/tns-project/tns/lifecycle/history"
)

// Duplicate MAC detection (RFC 7432 §15.1): a MAC that moves too often between this edge and others. A move that was signalled as an Immigration does not
// count; one whose EMIGRATE or TERMINATE comes late is forgiven then.

// contest counts the moves that activating a set is, where another edge's route stands and nobody signalled an Immigration; the verdict is on the routes of
// MACs that are duplicates now.
func (e *Edge) contest(r *record, s *set, ask lifecycle.Request) Verdict {
	var v Verdict
	var counted []*station
	for _, o := range s.offers {
		st := o.vn.stations[o.route.MAC]
		if st == nil || st.best == nil || st.prevails() || st.active() == r || ask.Immigrates() {
			continue
		}
		if !slices.Contains(counted, st) {
			counted = append(counted, st)
			e.moved(st)
		}
		if st.duplicate {
			v.refuse(o.route.RouteKey, evpn.Duplicate)
		}
	}
	return v
}

// moved counts a move; after too many the MAC is a duplicate: neither advertised nor processed until it recovers.
func (e *Edge) moved(st *station) {
	keep := st.moves[:0]
	for _, at := range st.moves {
		if e.now.Sub(at) < e.config.Duplicate.Window {
			keep = append(keep, at)
		}
	}
	st.moves = append(keep, e.now)
	if len(st.moves) < e.config.Duplicate.Moves || st.duplicate {
		return
	}
	st.duplicate = true
	e.stats.duplicates++
	e.noteOf(whom{vm: st.vm(), mac: st.key.MAC}, history.Event{Kind: history.KindAlarm, VNI: uint32(st.key.VNI), Detail: "duplicate MAC: it moved too often"})
	e.silence(st)
	if r := st.holder; r != nil {
		e.later(func() { e.own(r, lifecycle.Outranked) })
	}
	if d := e.config.Duplicate.Recovery; d > 0 {
		st.recovery = e.timers.after(e.now, d, func() { e.recover(st) })
	}
}

// forgive takes the last move back of each MAC that a record lost: it was signalled after all.
func (e *Edge) forgive(bs bindings) {
	for st := range stationsOf(bs) {
		st.moves = st.moves[:max(0, len(st.moves)-1)]
	}
}

// recover ends a duplicate's block.
func (e *Edge) recover(st *station) {
	if !st.duplicate {
		return
	}
	e.timers.stop(st.recovery)
	st.duplicate, st.moves, st.recovery = false, nil, nil
	e.noteOf(whom{vm: st.vm(), mac: st.key.MAC}, history.Event{Kind: history.KindState, VNI: uint32(st.key.VNI), Detail: "no duplicate any more"})
	e.settle(st)
	e.reinstate(st)
}
