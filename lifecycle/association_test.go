package lifecycle

import (
	"fmt"
	"slices"
	"testing"
)

// TestImmigrationAndDryRunTakeTheSameArrows: M is reported and D carries nothing out; neither adds an arrow (§3.3.6).
func TestImmigrationAndDryRunTakeTheSameArrows(t *testing.T) {
	for s := range numStates {
		for _, r := range everyRequest() {
			plain := r
			plain.Immigration, plain.DryRun = false, false
			for _, same := range []bool{true, false} {
				a := Association{State: s}
				if got, want := a.Ask(r, same), a.Ask(plain, same); !equal(got, want) {
					t.Errorf("%s, %s: got %+v, want %+v", s, describe(r, same), got, want)
				}
			}
		}
	}
}

func TestImmigrationIsReportedWithTheTwoOperationsThatImmigrate(t *testing.T) {
	for _, r := range everyRequest() {
		want := r.Immigration && !r.KeepAlive && (r.Op == OpPreAssociate || r.Op == OpAssociate)
		if got := r.Immigrates(); got != want {
			t.Errorf("%+v immigrates: %t, want %t", r, got, want)
		}
	}
}

// TestKeepAliveRefreshesAndNothingElse: whatever the operation, in every state and with every mark (§3.3.8).
func TestKeepAliveRefreshesAndNothingElse(t *testing.T) {
	for s := range numStates {
		for _, r := range everyRequest() {
			if !r.KeepAlive {
				continue
			}
			a := Association{State: s, Outranked: s.Emigrating()}
			arrow := a.Ask(r, true)
			after := a.Move(KeepAlive, arrow)
			switch {
			case s == Null: // an edge without a record takes it up: TestRebuild
			case !s.Alive():
				if arrow.Refusal != UnknownVM || after != a {
					t.Errorf("%s, %s: got %+v, want it refused as unknown", s, describe(r, true), arrow)
				}
			case r.Base != s.Figure():
				if arrow.Refusal != WrongState || arrow.To != s || after != a {
					t.Errorf("%s, %s: got %+v, want it refused as wrong state", s, describe(r, true), arrow)
				}
			default:
				if after != a || !slices.Equal(arrow.Actions, []Action{RefreshLifetime, Accept}) {
					t.Errorf("%s, %s: got %+v and %+v, want no more than a refresh", s, describe(r, true), arrow, after)
				}
			}
		}
	}
}

func TestKeepAliveShowsThatTheTESIsThere(t *testing.T) {
	a := Association{State: Associated}.Orphan()
	arrow := a.Ask(Request{Op: OpAssociate, Base: FigureAssociated, KeepAlive: true}, true)
	if after := a.Move(KeepAlive, arrow); after != (Association{State: Associated}) {
		t.Errorf("got %+v, want no mark", after)
	}
}

// TestRebuild holds an edge without a record against the figure, written by hand: each base state with each operation, and keep-alive.
func TestRebuild(t *testing.T) {
	for base, row := range map[Figure][7]string{
		//                    Pre  Ass  Sus   Res  Emi   Ter  Keep-alive
		FigureNull:          {"P", "A", "!u", "N", "!u", "T", "!u"},
		FigurePreAssociated: {"P", "A", "!w", "P", "eP", "T", "P"},
		FigureAssociated:    {"!w", "A", "S", "A", "eA", "T", "A"},
		FigureSuspended:     {"!w", "A", "S", "A", "eS", "T", "S"},
		FigureEmigrating:    {"!w", "A", "S", "A", "eA", "T", "eA"},
		FigureTerminated:    {"P", "A", "!u", "N", "!u", "T", "!u"},
		numFigures:          {"!w", "!w", "!w", "!w", "!w", "!w", "!w"},
		15:                  {"!w", "!w", "!w", "!w", "!w", "!w", "!w"},
	} {
		for i, want := range row {
			r := Request{Op: OpPreAssociate + Op(i), Base: base}
			if i == 6 {
				r.Op, r.KeepAlive = OpAssociate, true
			}
			for _, same := range []bool{true, false} {
				arrow := Association{}.Ask(r, same)
				if got := outcome(arrow); got != want {
					t.Errorf("%s: got %s, want %s", describe(r, same), got, want)
				}
				if arrow.Refusal != Allowed && arrow.To != Null {
					t.Errorf("%s: refused into %s, want Null: there is no record", describe(r, same), arrow.To)
				}
			}
		}
	}
}

// TestRebuildChecksAndBuildsAsForANewAssociation: what the resulting state holds, all of it, nothing else, and never without the checks.
func TestRebuildChecksAndBuildsAsForANewAssociation(t *testing.T) {
	for base := range numFigures {
		for e := range KeepAlive + 1 {
			x := &edge{}
			arrow := Rebuild(base, e)
			if err := x.follow(e, arrow, true); err != nil {
				t.Errorf("%s from %s: %v", e, base, err)
			}
			if x.State.Alive() && !(arrow.Does(Authorize) && arrow.Does(Reserve)) {
				t.Errorf("%s from %s: %v, want the checks of a new association", e, base, arrow.Actions)
			}
			for _, never := range []Action{StopForwarding, StopAdvertising, Release, ReleaseOld, Notify, Forget} {
				if arrow.Does(never) {
					t.Errorf("%s from %s: does %s, but there is nothing yet", e, base, never)
				}
			}
		}
	}
}

// TestRebuildLeadsWhereTheRecordWouldHave: to a TES, an edge that lost its records looks like one that did not, but for the state before
// an emigration, which only the record knew.
func TestRebuildLeadsWhereTheRecordWouldHave(t *testing.T) {
	lost := map[string]string{
		"Emigrating (was Pre-associated), RESUME":  "P, rebuilt A",
		"Emigrating (was Pre-associated), SUSPEND": "!w, rebuilt S",
		"Emigrating (was Associated), SUSPEND":     "!w, rebuilt S",
		"Emigrating (was Suspended), RESUME":       "S, rebuilt A",
	}
	for s := range numStates {
		for op := OpPreAssociate; op < numOps; op++ {
			r := Request{Op: op, Base: s.Figure()}
			kept, rebuilt := Association{State: s}.Ask(r, false), Association{}.Ask(r, false)
			pair := fmt.Sprintf("%s, %s", s, op)
			if want, ok := lost[pair]; ok {
				if got := outcome(kept) + ", rebuilt " + outcome(rebuilt); got != want {
					t.Errorf("%s: got %s, want %s", pair, got, want)
				}
				continue
			}
			if kept.Refusal != rebuilt.Refusal || told(kept) != told(rebuilt) {
				t.Errorf("%s: got %s with the record, %s without", pair, outcome(kept), outcome(rebuilt))
			}
		}
	}
}

// told is what a TES learns of where it is: Null and Terminated are the same to it, no association.
func told(a Arrow) Figure {
	if !a.To.Alive() || a.Refusal != Allowed {
		return FigureNull
	}
	return a.To.Figure()
}

// TestWithholdHoldsAndClaimsNothing, and is taken back like any association that was outranked.
func TestWithholdHoldsAndClaimsNothing(t *testing.T) {
	x := &edge{}
	if err := x.follow(Outranked, Withhold(), true); err != nil {
		t.Fatal(err)
	}
	if want := (Association{State: EmigratingAssociated, Outranked: true}); x.Association != want || x.holds() != Reserved {
		t.Errorf("got %+v holding %s, want %+v holding %s", x.Association, x.holds(), want, Reserved)
	}
	x.want(t, OpResume, Associated)
}

// TestWhatMayFail: holding, ending and doing nothing need no facts (§3.3.4, §3.3.7); becoming active, and other parameters, do.
func TestWhatMayFail(t *testing.T) {
	for s := range numStates {
		for e := range numEvents {
			arrow := Next(s, e)
			activates := arrow.To == Associated && s != Associated
			provides := arrow.To.Alive() && !s.Alive() || arrow.Does(ReleaseOld)
			if got := arrow.MayFail(); got != (activates || provides) {
				t.Errorf("%s, %s: may fail is %t: %v", s, e, got, arrow.Actions)
			}
		}
	}
}

// TestComingBackFromEmigratingAdvertisesAbove: the MACs were claimed elsewhere in between, or may have been.
func TestComingBackFromEmigratingAdvertisesAbove(t *testing.T) {
	everyArrow(func(what string, a Arrow) {
		if a.Does(AdvertiseAbove) && a.To != Associated {
			t.Errorf("%s: advertises above into %s", what, a.To)
		}
	})
	for from := range numStates {
		for e := range numEvents {
			a := Next(from, e)
			if from.Emigrating() && a.To == Associated && (!a.Does(AdvertiseAbove) || a.Does(Advertise)) {
				t.Errorf("%s, %s: %v, want all routes again with a higher sequence", from, e, a.Actions)
			}
			if !from.Emigrating() && a.Does(AdvertiseAbove) {
				t.Errorf("%s, %s: claims what nobody took", from, e)
			}
		}
	}
	if a := Rebuild(FigureEmigrating, Resume); !a.Does(AdvertiseAbove) {
		t.Errorf("RESUME from Emigrating without a record: %v, want the routes with a higher sequence", a.Actions)
	}
}

// TestAnExchangeOfParametersRidesOnAnyOperation: a complete set replaces the one before.
func TestAnExchangeOfParametersRidesOnAnyOperation(t *testing.T) {
	for _, test := range []struct {
		from State
		op   Op
		want []Action
	}{
		{Associated, OpSuspend, []Action{Authorize, Reserve, StopForwarding, StopAdvertising, ReleaseOld, RefreshLifetime, Accept}},
		{Suspended, OpResume, []Action{Authorize, Reserve, Forward, Advertise, ReleaseOld, RefreshLifetime, Accept}},
		{EmigratingAssociated, OpResume, []Action{Authorize, Reserve, Forward, AdvertiseAbove, ReleaseOld, RefreshLifetime, Accept}},
		{PreAssociated, OpEmigrate, []Action{Authorize, Reserve, ReleaseOld, RefreshLifetime, Accept}},
		{Associated, OpResume, []Action{Accept}}, // does nothing
		{Associated, OpTerminate, []Action{StopForwarding, StopAdvertising, Release, RefreshLifetime, Accept}}, // needs no checks
	} {
		r := Request{Op: test.op, Base: test.from.Figure()}
		got := Association{State: test.from}.Ask(r, false)
		if !slices.Equal(got.Actions, test.want) {
			t.Errorf("%s, %s with others: got %v, want %v", test.from, test.op, got.Actions, test.want)
		}
		unchanged := Association{State: test.from}.Ask(r, true)
		if got.To != unchanged.To {
			t.Errorf("%s, %s: leads to %s with others, to %s with the same", test.from, test.op, got.To, unchanged.To)
		}
		if !equal(unchanged, Next(test.from, Classify(r, true))) {
			t.Errorf("%s, %s with the same: %+v is not the table's", test.from, test.op, unchanged)
		}
	}
	if a := (Association{State: PreAssociated}).Ask(Request{Op: OpSuspend}, false); a.Refusal != WrongState || len(a.Actions) > 0 {
		t.Errorf("a refused SUSPEND with other parameters: %+v", a)
	}
}

// TestOutrankedGivesEverythingUpAtOnce: unlike an emigration that was asked for, there is nothing newer to wait for.
func TestOutrankedGivesEverythingUpAtOnce(t *testing.T) {
	for _, s := range []State{PreAssociated, Associated, Suspended} {
		x := at(t, s)
		if err := x.happen(Outranked); err != nil || x.holds() != Reserved || !x.State.Emigrating() {
			t.Errorf("%s, outranked: %s holding %s, %v", s, x.State, x.holds(), err)
		}
	}
}

func TestOutrankedStaysUntilTheTESDecides(t *testing.T) {
	outranked := Association{State: Associated}.Move(Outranked, Next(Associated, Outranked))
	if want := (Association{State: EmigratingAssociated, Outranked: true}); outranked != want {
		t.Fatalf("outranked: got %+v, want %+v", outranked, want)
	}
	for e, want := range map[Event]Association{
		NewerSeen:        {State: EmigratingAssociated, Outranked: true},
		Outranked:        {State: EmigratingAssociated, Outranked: true},
		KeepAlive:        {State: EmigratingAssociated, Outranked: true},
		Emigrate:         {State: EmigratingAssociated},
		Resume:           {State: Associated},
		AssociateSame:    {State: Associated},
		AssociateChanged: {State: Associated},
		Reinstated:       {State: Associated},
		Terminate:        {State: Terminated},
		AgedOut:          {State: Terminated},
		Suspend:          {State: EmigratingAssociated, Outranked: true}, // refused
	} {
		if got := outranked.Move(e, Next(outranked.State, e)); got != want {
			t.Errorf("%s: got %+v, want %+v", e, got, want)
		}
	}
	own := Association{State: EmigratingAssociated}
	if got := own.Move(Outranked, Next(own.State, Outranked)); got.Outranked {
		t.Errorf("an association that emigrates by request is not outranked by its successor: %+v", got)
	}
}

func TestClaims(t *testing.T) {
	for _, r := range everyRequest() {
		want := !r.KeepAlive && (r.Op == OpResume || r.Op == OpAssociate && r.Base == FigureEmigrating)
		if got := r.Claims(); got != want {
			t.Errorf("%+v claims: %t, want %t", r, got, want)
		}
	}
}

func TestClassifyRefusesWhatIsNoOperation(t *testing.T) {
	for _, op := range []Op{0, numOps, 15} {
		if op.Valid() {
			t.Errorf("%s is valid", op)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s was classified", op)
				}
			}()
			Classify(Request{Op: op}, false)
		}()
	}
}

func equal(a, b Arrow) bool {
	return a.To == b.To && a.Refusal == b.Refusal && slices.Equal(a.Actions, b.Actions)
}
