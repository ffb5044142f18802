package lifecycle

// Restore is the state in which an NVE without a record takes a request from a TES that holds base as acknowledged: the NVE restarted, the
// TES did not. Null and Terminated are the row Null. Which of the three Emigrating states it was is told by the request: SUSPEND leads
// back to Suspended, everything else is judged as if the VM had been active, so that RESUME leads to Associated.
func Restore(base Figure, e Event) State {
	switch base {
	case FigurePreAssociated:
		return PreAssociated
	case FigureAssociated:
		return Associated
	case FigureSuspended:
		return Suspended
	case FigureEmigrating:
		if e == Suspend {
			return EmigratingSuspended
		}
		return EmigratingAssociated
	}
	return Null
}

// Rebuild is the arrow for a request to an NVE without a record. It leads to where the figure leads from the base state, and its actions
// build all that this state holds with the checks of a new association: nothing in between is programmed or advertised. A refusal leaves
// Null, as does a base that is no state (wrong state).
func Rebuild(base Figure, e Event) Arrow {
	if !base.Valid() {
		return refuse(WrongState)
	}
	from := Restore(base, e)
	arrow := Next(from, e)
	switch {
	case from == Null:
		return arrow
	case arrow.Refusal != Allowed:
		return refuse(arrow.Refusal)
	}
	return to(arrow.To, build(arrow)...)
}

// Withhold is the arrow instead of a [Rebuild] into Associated when another edge holds the MAC: the VM's request is older than the fabric knows,
// so the association is held and nothing is claimed, as if it had been outranked before the NVE lost its record. Its event is Outranked.
func Withhold() Arrow { return to(EmigratingAssociated, Authorize, Reserve, RefreshLifetime, Notify) }

// build is what brings the state that an arrow leads to about from nothing.
func build(arrow Arrow) []Action {
	var actions []Action
	held := arrow.To.Holds()
	if held.Has(Reserved) {
		actions = append(actions, Authorize, Reserve)
	}
	if held.Has(Forwarding) {
		actions = append(actions, Forward)
	}
	switch {
	case arrow.Does(AdvertiseAbove):
		actions = append(actions, AdvertiseAbove)
	case held.Has(Advertised):
		actions = append(actions, Advertise)
	}
	return append(actions, RefreshLifetime, Accept)
}
