package lifecycle

import (
	"fmt"
	"testing"
)

// requests is one event per operation: a merged or skipped update has other parameters than those held, or the same; both lead to the same
// state, which TestEveryPair shows.
var requests = []Event{PreAssociateChanged, AssociateChanged, Suspend, Resume, Emigrate, Terminate}

// TestSkippedUpdates holds BGP's way against the table: the edge sees one update where the TES sent two, because the second overtook the
// first. Where it is accepted, the association must get to the same state.
//
// ASSOCIATE and TERMINATE do so from everywhere. The others have, each for one reason, the exceptions below; a TES that waits for the answer
// to one request before it sends the next (SPEC §3) does not meet them.
//
//   - SUSPEND needs an association (§3.3.3): skipping the ASSOCIATE, or the RESUME of an emigration, it is refused.
//   - EMIGRATE needs something that emigrates (§3.3.5): skipping what made it, it is refused. Otherwise the figure's state is the same, and
//     only the state to come back to differs.
//   - PRE-ASSOCIATE is refused behind an association: it may not take a VM off the network unsaid.
//   - RESUME names no state but means the one that is there (§3.3.4).
func TestSkippedUpdates(t *testing.T) {
	refused := map[Event]string{ // of these states, skipping something that would have made it possible
		PreAssociateChanged: "A S eP eA eS",
		Suspend:             "N P eP eA T",
		Emigrate:            "N T",
	}
	got := map[Event]string{}
	for s := range numStates {
		for _, second := range requests {
			direct := Next(s, second)
			lost := false
			for _, first := range requests {
				full := Next(s, first)
				if full.Refusal != Allowed {
					continue
				}
				full = Next(full.To, second)
				switch {
				case full.Refusal != Allowed || full.To == direct.To && direct.Refusal == Allowed:
				case direct.Refusal != Allowed:
					lost = true
				case second == Emigrate && full.To.Figure() == direct.To.Figure():
				case second == Resume:
				default:
					t.Errorf("%s: %s and %s lead to %s, %s alone to %s", s, first, second, full.To, second, direct.To)
				}
			}
			if lost {
				got[second] = join(got[second], shorthand[s])
			}
		}
	}
	for _, e := range requests {
		if got[e] != refused[e] {
			t.Errorf("%s alone is refused from %q, want %q", e, got[e], refused[e])
		}
	}
}

// TestRepeatedUpdates: an update that comes twice changes nothing the second time. A repeated sequence is answered by the standing response
// and does not come here; a TES that had no answer asks again with a new one.
//
// The one exception is the figure's: RESUME of an emigration out of Suspended leads back to Suspended, and RESUME of Suspended on to
// Associated. The base state of the second tells a TES's intention: Emigrating if it had no answer, Suspended if it goes on.
func TestRepeatedUpdates(t *testing.T) {
	for s := range numStates {
		for _, e := range requests {
			once := Next(s, e)
			if once.Refusal != Allowed {
				continue
			}
			again := e
			switch e { // what is held now is the same
			case PreAssociateChanged:
				again = PreAssociateSame
			case AssociateChanged:
				again = AssociateSame
			}
			twice := Next(once.To, again)
			if s == EmigratingSuspended && e == Resume {
				if twice.To != Associated {
					t.Errorf("%s, %s twice: got %s, want the exception", s, e, twice.To)
				}
				continue
			}
			if twice.To != once.To || twice.Refusal != Allowed {
				t.Errorf("%s, %s: got %s once, %s twice", s, e, once.To, outcome(twice))
			}
			for _, action := range twice.Actions {
				if action != RefreshLifetime && action != Accept {
					t.Errorf("%s, %s: the second time does %v", s, e, twice.Actions)
				}
			}
		}
	}
}

// TestEachPhaseAnnouncedDirectly: from every state, the phases of a whole life announced one by one end where the last one alone ends.
func TestEachPhaseAnnouncedDirectly(t *testing.T) {
	for _, life := range [][]Op{
		{OpAssociate},
		{OpPreAssociate, OpAssociate},
		{OpPreAssociate, OpAssociate, OpSuspend, OpResume, OpAssociate},
		{OpAssociate, OpEmigrate, OpAssociate},
		{OpAssociate, OpTerminate},
		{OpPreAssociate, OpEmigrate, OpTerminate},
		{OpAssociate, OpSuspend, OpEmigrate, OpTerminate},
	} {
		last := life[len(life)-1]
		for s := range numStates {
			step, jump := at(t, s), at(t, s)
			for _, op := range life {
				ask(t, step, op)
			}
			ask(t, jump, last)
			if step.State != jump.State || step.holds() != jump.holds() {
				t.Errorf("%s, %v: got %s holding %s, and %s holding %s with %s alone", s, life, step.State, step.holds(), jump.State, jump.holds(), last)
			}
		}
	}
}

// ask makes a request that may be refused.
func ask(t *testing.T, x *edge, op Op) {
	t.Helper()
	if _, err := x.ask(Request{Op: op, Base: x.State.Figure()}, x.State.Alive()); err != nil {
		t.Errorf("%s: %v", op, err)
	}
}

func join(list, item string) string {
	if list == "" {
		return item
	}
	return fmt.Sprintf("%s %s", list, item)
}
