package lifecycle

import (
	"slices"
	"strings"
	"testing"
)

// shorthand names the states in the matrices of the tests.
var shorthand = [numStates]string{
	Null:                    "N",
	PreAssociated:           "P",
	Associated:              "A",
	Suspended:               "S",
	EmigratingPreAssociated: "eP",
	EmigratingAssociated:    "eA",
	EmigratingSuspended:     "eS",
	Terminated:              "T",
}

// TestEveryPair holds the table against the figure, written a second time by hand: where each pair leads, "!w" wrong state, "!u" unknown
// VM. A dot is a pair without an arrow, on purpose: what the NVE sees by itself (never a request) and what cannot concern that state.
//
//   - Null has no lifetime, so it does not age out.
//   - Only an association that holds or may come to hold addresses is outranked; one that emigrates already, and has no fabric route, has
//     nothing more to lose.
//   - A newer route matters where this edge's is still out, and its end only to who was active.
func TestEveryPair(t *testing.T) {
	const figure = `
		      Pre= Pre≠ Ass= Ass≠ Sus  Res  Emi  Ter  Kee  Age  Out  New  Rei
		N     P    P    A    A    !u   N    !u   T    !u   .    .    .    .
		P     P    P    A    A    !w   P    eP   T    P    T    eP   .    .
		A     !w   !w   A    A    S    A    eA   T    A    T    eA   .    .
		S     !w   !w   A    A    S    A    eS   T    S    T    eS   .    .
		eP    !w   !w   A    A    !w   P    eP   T    eP   T    .    .    .
		eA    !w   !w   A    A    !w   A    eA   T    eA   T    eA   eA   A
		eS    !w   !w   A    A    S    S    eS   T    eS   T    .    .    .
		T     P    P    A    A    !u   T    !u   T    !u   N    .    .    .
	`
	rows := strings.Split(strings.TrimSpace(figure), "\n")[1:]
	if len(rows) != int(numStates) {
		t.Fatalf("%d rows for %d states", len(rows), numStates)
	}
	for from, row := range rows {
		cells := strings.Fields(row)
		if len(cells) != 1+int(numEvents) || cells[0] != shorthand[from] {
			t.Fatalf("row %q: want %s and %d cells", row, shorthand[from], numEvents)
		}
		for e, want := range cells[1:] {
			if got := outcome(association[from][e]); got != want {
				t.Errorf("%s, %s: got %s, want %s", State(from), Event(e), got, want)
			}
		}
	}
}

// outcome is a cell in shorthand.
func outcome(a Arrow) string {
	switch {
	case a.Refusal == WrongState:
		return "!w"
	case a.Refusal == UnknownVM:
		return "!u"
	case !a.drawn():
		return "."
	}
	return shorthand[a.To]
}

func TestNextOfEveryPairIsAState(t *testing.T) {
	for from := range numStates {
		for e := range numEvents {
			a := Next(from, e)
			if (a.Refusal != Allowed || !association[from][e].drawn()) && (a.To != from || len(a.Actions) > 0) {
				t.Errorf("%s, %s: an event without an arrow leads to %s and does %v", from, e, a.To, a.Actions)
			}
			if e.Request() && a.Refusal == Allowed && !a.Does(Accept) {
				t.Errorf("%s, %s: a request is neither refused nor accepted", from, e)
			}
			if a.Does(Notify) && e.Request() {
				t.Errorf("%s, %s: a request is answered, not notified", from, e)
			}
		}
	}
}

func TestEveryStateIsReachedAndLeadsBackToNull(t *testing.T) {
	reached := reach(Null)
	for s := range numStates {
		if !reached[s] {
			t.Errorf("%s is not reached from Null", s)
		}
		if !reach(s)[Null] {
			t.Errorf("no way leads from %s back to Null", s)
		}
	}
}

// reach is the set of states that can follow one.
func reach(from State) (reached [numStates]bool) {
	reached[from] = true
	for queue := []State{from}; len(queue) > 0; queue = queue[1:] {
		for e := range numEvents {
			if next := Next(queue[0], e).To; !reached[next] {
				reached[next] = true
				queue = append(queue, next)
			}
		}
	}
	return reached
}

// TestEveryStateEndsByItself: a TES that never comes back leaves nothing behind.
func TestEveryStateEndsByItself(t *testing.T) {
	for s := range numStates {
		a := Association{State: s}.Orphan()
		for steps := 0; a.State != Null; steps++ {
			if _, ok := LifetimeOf(a); !ok || steps > 2 {
				t.Fatalf("%s: %+v lives for ever", s, a)
			}
			a = a.Move(AgedOut, Next(a.State, AgedOut))
		}
	}
}

func TestEveryEventAndActionIsUsed(t *testing.T) {
	var done [numActions]bool
	for e := range numEvents {
		used := false
		for s := range numStates {
			used = used || len(association[s][e].Actions) > 0
			for _, action := range association[s][e].Actions {
				done[action] = true
			}
		}
		if !used {
			t.Errorf("%s is on no arrow", e)
		}
	}
	for action := Action(1); action < numActions; action++ {
		if !done[action] {
			t.Errorf("%s is done on no arrow", action)
		}
	}
}

// TestLifetimesStartAnew with every change of state and with every request that is accepted, but for a RESUME that does nothing (§3.3.8).
func TestLifetimesStartAnew(t *testing.T) {
	for s := range numStates {
		for e := range numEvents {
			a := Next(s, e)
			nothing := e == Resume && a.To == s
			want := a.To != s && a.To != Null || e.Request() && a.Refusal == Allowed && !nothing
			if a.Does(RefreshLifetime) != want {
				t.Errorf("%s, %s: %v, starts the lifetime anew: %t", s, e, a.Actions, !want)
			}
		}
	}
}

// TestNothingIsLostBeforeTheLastThatMayFail is what makes FAIL leave everything as it was: whatever takes something away or is told to
// others comes after what answers later.
func TestNothingIsLostBeforeTheLastThatMayFail(t *testing.T) {
	everyArrow(func(what string, a Arrow) {
		decided := false
		for _, action := range a.Actions {
			if action.AnswersLater() && decided {
				t.Errorf("%s: %s comes after something that cannot be undone: %v", what, action, a.Actions)
			}
			decided = decided || !action.AnswersLater()
		}
	})
}

func TestActionsAreInOrder(t *testing.T) {
	order := []Action{Authorize, Reserve, Forward, Advertise, AdvertiseAbove, StopForwarding, StopAdvertising, ReleaseOld, Release,
		RefreshLifetime, StopLifetime, Forget, Accept, Notify}
	everyArrow(func(what string, a Arrow) {
		if !slices.IsSortedFunc(a.Actions, func(x, y Action) int { return slices.Index(order, x) - slices.Index(order, y) }) {
			t.Errorf("%s: %v is not in order", what, a.Actions)
		}
		if a.Does(Advertise) && a.Does(AdvertiseAbove) {
			t.Errorf("%s: advertises twice: %v", what, a.Actions)
		}
	})
}

// everyArrow calls with each arrow that there is: of the table, with exchanged parameters, and of an NVE without a record.
func everyArrow(do func(what string, a Arrow)) {
	for e := range numEvents {
		for s := range numStates {
			do(s.String()+", "+e.String(), Next(s, e))
		}
	}
	do("withheld", Withhold())
	for _, r := range everyRequest() {
		for s := range numStates {
			for _, same := range []bool{true, false} {
				do(s.String()+", "+describe(r, same), Association{State: s}.Ask(r, same))
			}
		}
	}
}

func TestNamesAreThere(t *testing.T) {
	for i := range numStates {
		named(t, i.String(), "state ")
	}
	for i := range numFigures {
		named(t, i.String(), "state ")
	}
	for i := range numEvents {
		named(t, i.String(), "event ")
	}
	for i := Action(1); i < numActions; i++ {
		named(t, i.String(), "action ")
	}
	for i := range numRefusals {
		named(t, i.String(), "refusal ")
	}
	for i := OpPreAssociate; i < numOps; i++ {
		named(t, i.String(), "operation ")
	}
	for i := range numSigns {
		named(t, i.String(), "sign ")
	}
	if got := State(200).String(); got != "state 200" {
		t.Errorf("a state without a name: got %q", got)
	}
	if got := Op(0).String(); got != "operation 0" {
		t.Errorf("operation 0: got %q", got)
	}
}

func named(t *testing.T, name, kind string) {
	t.Helper()
	if name == "" || strings.HasPrefix(name, kind) {
		t.Errorf("%q is no name", name)
	}
}
