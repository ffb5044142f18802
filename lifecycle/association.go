package lifecycle

import "slices"

// Association is the state of one association with the marks on it. The zero value is Null: no record.
//
// It is a value without identity: the VM, the TES and the addresses are the owner's.
type Association struct {
	State State

	// Orphaned: the TES is not there (see Sign). Forwarding goes on, for the lifetime of orphans.
	Orphaned bool

	// Outranked: Emigrating because another claimed the addresses, not because its TES asked. No lifetime runs while its request stands.
	Outranked bool
}

// Ask is the arrow for a request. Same tells whether its parameters are those held.
//
// Without a record (Null), the base state of the request decides, see [Rebuild]. A keep-alive from another state than the base is refused.
// A SUSPEND, RESUME or EMIGRATE that comes with other parameters replaces what is held on its way, as every complete set does; a RESUME that
// does nothing does not. What the facts forbid (addresses held by others, quota, stale sequences) is not the machine's: the owner refuses
// before it asks.
func (a Association) Ask(r Request, same bool) Arrow {
	e := Classify(r, same)
	switch {
	case a.State == Null:
		return Rebuild(r.Base, e)
	case e == KeepAlive && a.State.Alive() && r.Base != a.State.Figure():
		return Arrow{To: a.State, Refusal: WrongState}
	}
	arrow := Next(a.State, e)
	if !same && (e == Suspend || e == Resume || e == Emigrate) {
		return replace(arrow)
	}
	return arrow
}

// replace is the arrow with the exchange of the parameters in it: the new ones before, the old ones after what it does.
func replace(a Arrow) Arrow {
	done := slices.Index(a.Actions, RefreshLifetime)
	if done < 0 {
		return a
	}
	a.Actions = slices.Concat([]Action{Authorize, Reserve}, a.Actions[:done], []Action{ReleaseOld}, a.Actions[done:])
	return a
}

// Move is the association after an event whose arrow's actions have been carried out. A refused event moves nothing.
func (a Association) Move(e Event, arrow Arrow) Association {
	if !arrow.drawn() || arrow.Refusal != Allowed {
		return a
	}
	after := Association{State: arrow.To}
	if !after.State.Alive() {
		return after
	}
	after.Orphaned = a.Orphaned && !e.Request()
	switch e {
	case Outranked:
		after.Outranked = a.Outranked || !a.State.Emigrating()
	case KeepAlive, NewerSeen:
		after.Outranked = a.Outranked
	}
	return after
}

// Claims reports whether the request takes back addresses that the association lost when it was outranked: RESUME, or ASSOCIATE from the
// base state Emigrating. Any other ASSOCIATE for addresses that another holds is a duplicate.
func (r Request) Claims() bool {
	return !r.KeepAlive && (r.Op == OpResume || r.Op == OpAssociate && r.Base == FigureEmigrating)
}
