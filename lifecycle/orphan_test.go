package lifecycle

import "testing"

func TestOrphanMarksWhatIsAliveAndChangesNothing(t *testing.T) {
	for s := range numStates {
		for sign, marks := range map[Sign]bool{SessionDown: true, BeaconOverdue: true, RequestsGone: true, RequestsBack: false, BeaconBack: false} {
			for _, before := range []Association{{State: s}, {State: s, Outranked: s.Emigrating()}, Association{State: s}.Orphan()} {
				after := before.See(sign)
				want := before
				want.Orphaned = marks && s.Alive()
				if after != want {
					t.Errorf("%+v, %s: got %+v, want %+v", before, sign, after, want)
				}
				if twice := after.See(sign); twice != after {
					t.Errorf("%+v, %s twice: got %+v, want %+v", before, sign, twice, after)
				}
			}
		}
		if got := (Association{State: s}).Orphan().Reappear(); got != (Association{State: s}) {
			t.Errorf("%s: orphaned and back: got %+v", s, got)
		}
	}
}

// TestOrphansTakeTheSameArrows: the mark is on a state, it is none.
func TestOrphansTakeTheSameArrows(t *testing.T) {
	for s := range numStates {
		for _, r := range everyRequest() {
			for _, same := range []bool{true, false} {
				a := Association{State: s}
				if got, want := a.Orphan().Ask(r, same), a.Ask(r, same); !equal(got, want) {
					t.Errorf("%s, %s: got %+v, want %+v", s, describe(r, same), got, want)
				}
			}
		}
	}
}

// TestAnAcceptedRequestClearsTheMark, and what the edge sees by itself does not.
func TestAnAcceptedRequestClearsTheMark(t *testing.T) {
	for s := range numStates {
		for e := range numEvents {
			before := Association{State: s}.Orphan()
			arrow := Next(s, e)
			after := before.Move(e, arrow)
			want := before.Orphaned && arrow.To.Alive() && (!e.Request() || arrow.Refusal != Allowed)
			if after.Orphaned != want {
				t.Errorf("%s, %s: orphaned is %t, want %t", s, e, after.Orphaned, want)
			}
		}
	}
}
