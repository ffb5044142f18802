package lifecycle

// State is a state of figure 5 as an NVE keeps it. Emigrating is told apart by the state before it, which is where RESUME leads back to.
type State uint8

const (
	Null                    State = iota // no association
	PreAssociated                        // §3.3.1: held, nothing forwarded
	Associated                           // §3.3.2: active
	Suspended                            // §3.3.3: held, nothing forwarded
	EmigratingPreAssociated              // §3.3.5: on its way to another edge, from Pre-associated
	EmigratingAssociated                 // the same from Associated: no longer forwarded here, still advertised until the new place is seen
	EmigratingSuspended                  // the same from Suspended
	Terminated                           // §3.3.7: over, remembered for a while
	numStates
)

var stateNames = [numStates]string{
	Null:                    "Null",
	PreAssociated:           "Pre-associated",
	Associated:              "Associated",
	Suspended:               "Suspended",
	EmigratingPreAssociated: "Emigrating (was Pre-associated)",
	EmigratingAssociated:    "Emigrating (was Associated)",
	EmigratingSuspended:     "Emigrating (was Suspended)",
	Terminated:              "Terminated",
}

// String is the state's name, with the state before an Emigrating one.
func (s State) String() string { return name(stateNames[:], s, "state") }

// Figure is the state as figure 5 draws it and as it is told on the wire.
func (s State) Figure() Figure {
	switch s {
	case PreAssociated:
		return FigurePreAssociated
	case Associated:
		return FigureAssociated
	case Suspended:
		return FigureSuspended
	case EmigratingPreAssociated, EmigratingAssociated, EmigratingSuspended:
		return FigureEmigrating
	case Terminated:
		return FigureTerminated
	}
	return FigureNull
}

// Alive reports whether there is an association: any state but Null and Terminated.
func (s State) Alive() bool { return s != Null && s != Terminated }

// Emigrating reports whether the state is one of the three that figure 5 draws as Emigrating.
func (s State) Emigrating() bool { return s.Figure() == FigureEmigrating }

// Figure is a state as figure 5 draws it: one Emigrating, whatever was before. The numbers are those of the base state of a request and
// of the state of a response.
type Figure uint8

const (
	FigureNull Figure = iota
	FigurePreAssociated
	FigureAssociated
	FigureSuspended
	FigureEmigrating
	FigureTerminated
	numFigures
)

var figureNames = [numFigures]string{
	FigureNull:          "Null",
	FigurePreAssociated: "Pre-associated",
	FigureAssociated:    "Associated",
	FigureSuspended:     "Suspended",
	FigureEmigrating:    "Emigrating",
	FigureTerminated:    "Terminated",
}

// String is the state's name.
func (f Figure) String() string { return name(figureNames[:], f, "state") }

// Valid reports whether f is one of the six states; four bits on the wire have room for more.
func (f Figure) Valid() bool { return f < numFigures }
