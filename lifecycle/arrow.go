package lifecycle

import "slices"

// Refusal is why an arrow is not there.
type Refusal uint8

const (
	Allowed    Refusal = iota
	WrongState         // reason 9
	UnknownVM          // reason 10
	numRefusals
)

var refusalNames = [numRefusals]string{
	Allowed:    "allowed",
	WrongState: "wrong state",
	UnknownVM:  "unknown VM",
}

// String is the reason in words.
func (r Refusal) String() string { return name(refusalNames[:], r, "refusal") }

// Arrow is one cell of the table. Actions belong to the table: read them, do not change them. A refused request has none and leads to
// the state it came from.
type Arrow struct {
	To      State
	Actions []Action
	Refusal Refusal
}

// Next is the arrow from a state for an event; every pair has one. Where the figure draws none, the event changes nothing.
func Next(from State, e Event) Arrow {
	a := association[from][e]
	if len(a.Actions) == 0 {
		a.To = from
	}
	return a
}

// Does reports whether the action is among the arrow's.
func (a Arrow) Does(action Action) bool { return slices.Contains(a.Actions, action) }

// MayFail reports whether any of the actions may: an arrow without such needs no facts and is never refused for them.
func (a Arrow) MayFail() bool { return slices.ContainsFunc(a.Actions, Action.AnswersLater) }

// drawn reports whether the table has this arrow or refuses it; each arrow has at least one action.
func (a Arrow) drawn() bool { return len(a.Actions) > 0 || a.Refusal != Allowed }

func to(s State, actions ...Action) Arrow { return Arrow{To: s, Actions: actions} }

func refuse(why Refusal) Arrow { return Arrow{Refusal: why} }
