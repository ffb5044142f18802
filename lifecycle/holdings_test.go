package lifecycle

import "testing"

// TestHoldings walks every reachable combination of state, marks and held things, over every request and everything the edge sees. In each
// the state holds exactly what it promises, whatever the way: nothing is left behind, nothing is missing.
func TestHoldings(t *testing.T) {
	seen := map[edge]bool{{}: true}
	queue := []edge{{}}
	visit := func(from edge, what string, step func(*edge) error) {
		x := from
		if err := step(&x); err != nil {
			t.Fatalf("%+v, %s: %v", from, what, err)
		}
		if !seen[x] {
			seen[x] = true
			queue = append(queue, x)
		}
	}
	requests := everyRequest()
	for ; len(queue) > 0; queue = queue[1:] {
		from := queue[0]
		for e := AgedOut; e < numEvents; e++ {
			visit(from, e.String(), func(x *edge) error { return x.happen(e) })
		}
		if from.State == Null {
			visit(from, "withheld", func(x *edge) error { return x.follow(Outranked, Withhold(), true) })
		}
		for s := range numSigns {
			visit(from, s.String(), func(x *edge) error { x.Association = x.See(s); return x.check() })
		}
		for _, r := range requests {
			for _, same := range []bool{true, false} {
				if same && !from.State.Alive() {
					continue // nothing is held that it could be the same as
				}
				visit(from, describe(r, same), func(x *edge) error { _, err := x.ask(r, same); return err })
			}
		}
	}
	var reached [numStates]bool
	for x := range seen {
		reached[x.State] = true
	}
	for s := range numStates {
		if !reached[s] {
			t.Errorf("%s was not walked", s)
		}
	}
	t.Logf("%d combinations", len(seen))
}

// TestSameWithoutHoldingsBuildsEverything: even an owner that compares with what it remembers of an association that ended gets all of it.
func TestSameWithoutHoldingsBuildsEverything(t *testing.T) {
	for _, s := range []State{Null, Terminated} {
		for _, e := range []Event{PreAssociateSame, AssociateSame} {
			x := at(t, s)
			if err := x.happen(e); err != nil {
				t.Errorf("%s, %s: %v", s, e, err)
			}
		}
	}
}

func TestHoldingsInWords(t *testing.T) {
	for s, want := range map[State]string{
		Null:                 "nothing",
		Suspended:            "reserved",
		EmigratingAssociated: "reserved + advertised",
		Associated:           "reserved + forwarding + advertised",
	} {
		if got := s.Holds().String(); got != want {
			t.Errorf("%s holds %q, want %q", s, got, want)
		}
	}
}
