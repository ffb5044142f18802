package lifecycle

import (
	"slices"
	"testing"
)

// One test per sentence of §3.2 and §3.3 that says what a party does, where the association's machine decides it. docs/requirements.md
// lists all of them, with the tests of the other packages.

// "the attached NVE needn't be aware of this event"
func TestReq_3_2_1_CreationIsNoEvent(t *testing.T) {
	x := at(t, Null)
	if err := x.check(); err != nil || x.holds() != 0 {
		t.Errorf("a VM that was created only: holds %s, %v", x.holds(), err)
	}
	x.want(t, OpAssociate, Associated) // the first that the NVE hears of it
}

// "Before VM connects to network, operator need to provision VM's network properties and policies to the NVE"
func TestReq_3_2_2_PropertiesAreProvisionedBeforeConnecting(t *testing.T) {
	x := at(t, PreAssociated)
	if !x.holds().Has(Reserved) {
		t.Errorf("Pre-associated holds %s, want the properties and policies", x.holds())
	}
}

// "these properties and policies are not immediately activated on NVE unless the VM Manager indicate the VM to connect to network"
func TestReq_3_2_2_NothingIsActivatedByPreAssociation(t *testing.T) {
	for _, e := range []Event{PreAssociateSame, PreAssociateChanged} {
		for s := range numStates {
			if a := Next(s, e); a.Does(Forward) || a.Does(Advertise) || a.Does(AdvertiseAbove) {
				t.Errorf("%s, %s: %v activates", s, e, a.Actions)
			}
		}
	}
	x := at(t, PreAssociated)
	x.want(t, OpAssociate, Associated)
	if !x.holds().Has(Forwarding | Advertised) {
		t.Errorf("connected: holds %s, want it active", x.holds())
	}
}

// "Pre-association is optional event."
func TestReq_3_2_2_PreAssociationIsOptional(t *testing.T) {
	with, without := at(t, PreAssociated), at(t, Null)
	with.want(t, OpAssociate, Associated)
	without.want(t, OpAssociate, Associated)
	if with.holds() != without.holds() {
		t.Errorf("with it holds %s, without it %s", with.holds(), without.holds())
	}
}

// "NVE has to get VM's network properties and policies, assign resources and install these properties and policies."
func TestReq_3_2_3_AssociationAssignsAndInstalls(t *testing.T) {
	inOrder(t, Next(Null, AssociateChanged), Reserve, Forward, Advertise)
}

// "If there is Pre-association before Association, NVE can reduce the time for Association."
func TestReq_3_2_3_PreAssociationSavesTime(t *testing.T) {
	if with, without := waits(Next(PreAssociated, AssociateSame)), waits(Next(Null, AssociateChanged)); with >= without {
		t.Errorf("waits for %d steps after a Pre-association, for %d without", with, without)
	}
}

// "While VM is associated, it can use network resources as a physical server does."
func TestReq_3_2_3_AssociatedUsesTheNetwork(t *testing.T) {
	for s := range numStates {
		if s.Holds().Has(Forwarding) != (s == Associated) {
			t.Errorf("%s forwards: %t", s, s.Holds().Has(Forwarding))
		}
	}
	if got := at(t, Associated).holds(); got != Reserved|Forwarding|Advertised {
		t.Errorf("Associated holds %s", got)
	}
}

// "If the network properties and policies in Association message is the same as the pre-association, NVE can activate the installed network
// properties and policies."
func TestReq_3_2_3_SameParametersActivateWhatIsInstalled(t *testing.T) {
	a := Next(PreAssociated, AssociateSame)
	inOrder(t, a, Forward, Advertise)
	if a.Does(Reserve) || a.Does(ReleaseOld) {
		t.Errorf("%v installs what is installed", a.Actions)
	}
}

// "If they are different, the old reserved resources should be released and the new network properties and policies are installed and
// activated."
func TestReq_3_2_3_OtherParametersReplaceWhatIsReserved(t *testing.T) {
	inOrder(t, Next(PreAssociated, AssociateChanged), Reserve, Forward, Advertise, ReleaseOld)
	x := at(t, PreAssociated)
	old := x.set
	if _, err := x.ask(Request{Op: OpAssociate, Base: FigurePreAssociated}, false); err != nil {
		t.Fatal(err)
	}
	if x.reserved[old] || !x.forwarding[x.set] {
		t.Errorf("old reserved: %t, new active: %t", x.reserved[old], x.forwarding[x.set])
	}
}

// "operators can suspend a virtual machine for the required time and quickly resume it later"
func TestReq_3_2_4_ResumeNeedsNoReservation(t *testing.T) {
	a := Next(Suspended, Resume)
	if a.Does(Authorize) || a.Does(Reserve) || waits(a) >= waits(Next(Null, AssociateChanged)) {
		t.Errorf("%v is no quicker than an association", a.Actions)
	}
}

// "To activate the suspended VM."
func TestReq_3_2_5_ResumeActivates(t *testing.T) {
	x := at(t, Suspended)
	x.want(t, OpResume, Associated)
	if !x.holds().Has(Forwarding | Advertised) {
		t.Errorf("resumed: holds %s", x.holds())
	}
}

// "It's not always predictable on when a suspended VM will be resumed."
func TestReq_3_2_5_SuspendedWaitsLong(t *testing.T) {
	suspended, _ := LifetimeOf(Association{State: Suspended})
	associated, _ := LifetimeOf(Association{State: Associated})
	if suspended <= associated {
		t.Errorf("Suspended is kept for %s, Associated for %s", suspended, associated)
	}
	x := at(t, Suspended)
	for range 3 {
		x.want(t, OpSuspend, Suspended) // asked again, its lifetime starts again
	}
}

// "The proccessing of offline migration is similar to terminating the VM on one server and creating it on another server."
func TestReq_3_2_6_OfflineMigration(t *testing.T) {
	source, target := at(t, Associated), at(t, Null)
	source.want(t, OpTerminate, Terminated)
	target.want(t, OpAssociate, Associated)
	if source.holds() != 0 {
		t.Errorf("the source still holds %s", source.holds())
	}
}

// "VM is lively migrated from one location to another, and the running applications should not be visibly disrupted."
func TestReq_3_2_6_SourceIsAdvertisedUntilTheTargetIsSeen(t *testing.T) {
	source := at(t, EmigratingAssociated)
	if !source.holds().Has(Advertised) {
		t.Fatal("no edge knows where the VM is while it moves")
	}
	source.want(t, NewerSeen, EmigratingAssociated)
	if source.holds().Has(Advertised) {
		t.Error("the source is advertised beside the target")
	}
}

// "network properties and policies can be correctly obtained, installed and activated on new location, and removed from the old location"
func TestReq_3_2_6_LiveMigration(t *testing.T) {
	source, target := at(t, Associated), at(t, Null)
	target.want(t, OpPreAssociate, PreAssociated)
	source.want(t, OpEmigrate, EmigratingAssociated)
	target.want(t, OpAssociate, Associated)
	source.want(t, NewerSeen, EmigratingAssociated, OpTerminate, Terminated)
	if source.holds() != 0 || target.holds() != Reserved|Forwarding|Advertised {
		t.Errorf("the source holds %s, the target %s", source.holds(), target.holds())
	}
}

// "all the relevant resources on the server and attached NVE are disabled, but not removed right now"
func TestReq_3_2_6_EmigratingIsDisabledNotRemoved(t *testing.T) {
	for _, s := range []State{EmigratingPreAssociated, EmigratingAssociated, EmigratingSuspended} {
		if h := at(t, s).holds(); h.Has(Forwarding) || !h.Has(Reserved) {
			t.Errorf("%s holds %s", s, h)
		}
	}
}

// "and is ready to be removed once VM is successfully migrated"
func TestReq_3_2_6_EmigratingIsRemovedWhenMigrated(t *testing.T) {
	for _, s := range []State{EmigratingPreAssociated, EmigratingAssociated, EmigratingSuspended} {
		x := at(t, s)
		x.want(t, OpTerminate, Terminated)
		if x.holds() != 0 {
			t.Errorf("%s, then TERMINATE: holds %s", s, x.holds())
		}
	}
}

// "If VM is failed to immigrate on the new location, VM has to be resumed on old location with the states and policies disabled by old NVE."
func TestReq_3_2_6_FailedMigrationResumesAtTheSource(t *testing.T) {
	for before, emigrating := range map[State]State{
		PreAssociated: EmigratingPreAssociated,
		Associated:    EmigratingAssociated,
		Suspended:     EmigratingSuspended,
	} {
		x := at(t, before)
		x.want(t, OpEmigrate, emigrating, OpResume, before)
		if x.holds() != before.Holds() {
			t.Errorf("back in %s: holds %s", before, x.holds())
		}
		if a := Next(emigrating, Resume); a.Does(Reserve) || a.Does(ReleaseOld) {
			t.Errorf("%s, RESUME: %v, want the states and policies that were disabled", emigrating, a.Actions)
		}
	}
	inOrder(t, Next(EmigratingAssociated, Resume), Forward, AdvertiseAbove)
}

// "The srever and attached NVE has prepared the necessary resources and is ready to enable the VM's properties and policies once VM is
// successfully migrated."
func TestReq_3_2_6_ImmigratingIsPrepared(t *testing.T) {
	target := at(t, Null)
	for _, step := range []struct {
		op   Op
		want Holdings
	}{{OpPreAssociate, Reserved}, {OpAssociate, Reserved | Forwarding | Advertised}} {
		r := Request{Op: step.op, Base: target.State.Figure(), Immigration: true}
		if _, err := target.ask(r, target.State.Alive()); err != nil || target.holds() != step.want {
			t.Errorf("%s with immigration: holds %s, %v", step.op, target.holds(), err)
		}
	}
}

// "All VM's resources on server, including CPU, Memory, Storage and network resources, are released."
func TestReq_3_2_7_TerminationReleasesAll(t *testing.T) {
	for s := range numStates {
		x := at(t, s)
		x.want(t, OpTerminate, Terminated)
		if x.holds() != 0 {
			t.Errorf("%s, then TERMINATE: holds %s", s, x.holds())
		}
	}
}

// "There is no such a VM any more."
func TestReq_3_2_7_TerminatedIsUnknown(t *testing.T) {
	for _, e := range []Event{Suspend, Emigrate, KeepAlive} {
		if a := Next(Terminated, e); a.Refusal != UnknownVM {
			t.Errorf("%s: got %s, want unknown VM", e, outcome(a))
		}
	}
	x := at(t, Terminated)
	x.want(t, AgedOut, Null)
	if *x != (edge{model: model{set: x.set}}) {
		t.Errorf("left behind: %+v", x)
	}
}

// "A simplest VM life has only VM Creation, VM Associating with NVE and VM Termination."
func TestReq_3_2_8_SimplestLife(t *testing.T) {
	at(t, Null).want(t, OpAssociate, Associated, OpTerminate, Terminated, AgedOut, Null)
}

// "A most complex VM life has all the events listed in above."
func TestReq_3_2_8_FullLife(t *testing.T) {
	source, target := at(t, Null), at(t, Null)
	source.want(t, OpPreAssociate, PreAssociated, OpAssociate, Associated, OpSuspend, Suspended, OpResume, Associated,
		OpEmigrate, EmigratingAssociated)
	target.want(t, OpPreAssociate, PreAssociated) // fails there: figure 4, "Failed Immigration to other server"
	source.want(t, OpAssociate, Associated)       // and goes on here
	source.want(t, OpEmigrate, EmigratingAssociated)
	target.want(t, OpAssociate, Associated) // "Successful Immigraiton to this server"
	source.want(t, NewerSeen, EmigratingAssociated, OpTerminate, Terminated, AgedOut, Null)
	target.want(t, OpTerminate, Terminated, AgedOut, Null)
}

// "NVE may also initiate interaction if there is some changes happen on NVE and those changes must be learned by particular VMs"
func TestReq_3_3_NVETellsWhatItDidByItself(t *testing.T) {
	for s := range numStates {
		for e := range numEvents {
			a := Next(s, e)
			if !e.Request() && s.Alive() && a.To != s && !a.Does(Notify) && !a.Does(Accept) {
				t.Errorf("%s, %s: leads to %s unsaid", s, e, a.To)
			}
		}
	}
}

// "NVE needs to authorize the VM and/or Hypervisor, obtain VM's network properties and policies, and install the properties and policies"
func TestReq_3_3_1_AuthorizesThenReserves(t *testing.T) {
	for _, s := range []State{Null, PreAssociated, Terminated} {
		inOrder(t, Next(s, PreAssociateChanged), Authorize, Reserve, Accept)
	}
}

// "Association can happen with or without a Pre-association message."
func TestReq_3_3_2_WithOrWithoutPreAssociation(t *testing.T) {
	for _, s := range []State{Null, PreAssociated, Terminated} {
		at(t, s).want(t, OpAssociate, Associated)
	}
}

// "NVE needs to compare the information provided by Pre-association and Association. If they are same, NVE can activate the pre-installed
// resources."
func TestReq_3_3_2_SameAsPreAssociationActivates(t *testing.T) {
	want := []Action{Forward, Advertise, RefreshLifetime, Accept}
	if got := (Association{State: PreAssociated}).Ask(Request{Op: OpAssociate}, true); !slices.Equal(got.Actions, want) {
		t.Errorf("got %v, want %v", got.Actions, want)
	}
}

// "If they are different, NVE needs to do some additional work depending on what information has been changed from pte-association to
// association. For example, if policy or VNID is changed, NVE needs to update its memory."
func TestReq_3_3_2_OtherThanPreAssociationUpdates(t *testing.T) {
	got := Association{State: PreAssociated}.Ask(Request{Op: OpAssociate}, false)
	inOrder(t, got, Authorize, Reserve, Forward, Advertise, ReleaseOld, Accept)
}

// "If there is no Pre-association message before Association, NVE needs to do authorization, obtain VM's network properties and policies, and
// install and activate the properties and policies on NVE."
func TestReq_3_3_2_WithoutPreAssociationDoesAll(t *testing.T) {
	inOrder(t, Association{}.Ask(Request{Op: OpAssociate}, false), Authorize, Reserve, Forward, Advertise, Accept)
}

// "NVE needs to compare the information provided by previous provisioned Association and this Association. If all is the same, NVE do
// nothing except for update the VM's timer."
func TestReq_3_3_2_SameAssociationRefreshesOnly(t *testing.T) {
	want := []Action{RefreshLifetime, Accept}
	if got := (Association{State: Associated}).Ask(Request{Op: OpAssociate}, true); !slices.Equal(got.Actions, want) || got.To != Associated {
		t.Errorf("got %v into %s, want %v", got.Actions, got.To, want)
	}
}

// "If there is different in comparision, NVE needs to do some additional work, depends on what information is changed."
func TestReq_3_3_2_OtherAssociationUpdates(t *testing.T) {
	got := Association{State: Associated}.Ask(Request{Op: OpAssociate}, false)
	inOrder(t, got, Authorize, Reserve, Forward, Advertise, ReleaseOld, Accept)
	if got.Does(StopForwarding) || got.Does(StopAdvertising) {
		t.Errorf("%v: what stays is interrupted", got.Actions)
	}
}

// "Suspension must happen after Successful Association."
func TestReq_3_3_3_SuspensionNeedsAnAssociation(t *testing.T) {
	for s, want := range map[State]string{
		Null:                    "!u",
		PreAssociated:           "!w",
		Associated:              "S",
		Suspended:               "S",
		EmigratingPreAssociated: "!w",
		EmigratingAssociated:    "!w",
		EmigratingSuspended:     "S", // it was associated before
		Terminated:              "!u",
	} {
		if got := outcome(Next(s, Suspend)); got != want {
			t.Errorf("%s: got %s, want %s", s, got, want)
		}
	}
}

// "On receiving a Suspension message, NVE inactivate, but not remove, the VM's resources and prepare for the next Resume message."
func TestReq_3_3_3_SuspensionInactivatesAndKeeps(t *testing.T) {
	x := at(t, Associated)
	x.want(t, OpSuspend, Suspended)
	if x.holds() != Reserved {
		t.Errorf("holds %s, want what is reserved and no more", x.holds())
	}
	x.want(t, OpResume, Associated)
}

// "In the state of suspension, NVE acts similar as it in Pre-association state."
func TestReq_3_3_3_SuspendedIsLikePreAssociated(t *testing.T) {
	if Suspended.Holds() != PreAssociated.Holds() {
		t.Errorf("Suspended holds %s, Pre-associated %s", Suspended.Holds(), PreAssociated.Holds())
	}
	for _, e := range []Event{AssociateSame, AssociateChanged, Terminate, AgedOut} {
		if s, p := Next(Suspended, e), Next(PreAssociated, e); !equal(s, p) {
			t.Errorf("%s: Suspended %+v, Pre-associated %+v", e, s, p)
		}
	}
}

// "The FDB can be aged out during VM suspension."
func TestReq_3_3_3_SuspendedHasNoFDBEntry(t *testing.T) {
	inOrder(t, Next(Associated, Suspend), StopForwarding)
	if at(t, Suspended).holds().Has(Forwarding) {
		t.Error("Suspended forwards")
	}
}

// "Resume is supposed to happen after a successful Suspension message, otherwise, it will be responded with a SUCCESS message and NVE will do
// nothing to the message."
func TestReq_3_3_4_ResumeWithoutSuspension(t *testing.T) {
	for _, s := range []State{Null, PreAssociated, Associated, Terminated} {
		for _, same := range []bool{true, false} {
			a := Association{State: s}.Ask(Request{Op: OpResume, Base: s.Figure()}, same)
			if a.Refusal != Allowed || a.To != s || !slices.Equal(a.Actions, []Action{Accept}) {
				t.Errorf("%s, same %t: got %+v, want SUCCESS and nothing done", s, same, a)
			}
		}
	}
}

// "On receiving a Resume message, NVE activates the VM's resources"
func TestReq_3_3_4_ResumeActivates(t *testing.T) {
	inOrder(t, Next(Suspended, Resume), Forward, Advertise, Accept)
	inOrder(t, Next(EmigratingAssociated, Resume), Forward, AdvertiseAbove, Accept)
}

// "Emigration can happen after Pre-association, Association, Suspension or Resume."
func TestReq_3_3_5_EmigrationFrom(t *testing.T) {
	at(t, PreAssociated).want(t, OpEmigrate, EmigratingPreAssociated)
	at(t, Associated).want(t, OpEmigrate, EmigratingAssociated)
	at(t, Suspended).want(t, OpEmigrate, EmigratingSuspended)
	at(t, Suspended).want(t, OpResume, Associated, OpEmigrate, EmigratingAssociated)
	for _, s := range []State{Null, Terminated} {
		if a := Next(s, Emigrate); a.Refusal != UnknownVM {
			t.Errorf("%s: got %s, want unknown VM", s, outcome(a))
		}
	}
}

// "On receiving VM Emigration message or indication, NVE inactivate VM's resources."
func TestReq_3_3_5_EmigrationInactivates(t *testing.T) {
	inOrder(t, Next(Associated, Emigrate), StopForwarding, Accept)
	if at(t, EmigratingAssociated).holds().Has(Forwarding) {
		t.Error("an emigrating VM is forwarded")
	}
}

// "But NVE doesn't immediately reomve VM's resources and states, because an emigration maybe fail"
func TestReq_3_3_5_EmigrationKeeps(t *testing.T) {
	for _, s := range []State{PreAssociated, Associated, Suspended} {
		a := Next(s, Emigrate)
		if a.Does(Release) || a.Does(StopAdvertising) || a.Does(Forget) {
			t.Errorf("%s: %v removes", s, a.Actions)
		}
	}
}

// "In that case, the emigrating VM may need to continue its work on the current server."
func TestReq_3_3_5_EmigratingContinues(t *testing.T) {
	for _, s := range []State{EmigratingPreAssociated, EmigratingAssociated, EmigratingSuspended} {
		at(t, s).want(t, OpAssociate, Associated)
	}
	at(t, EmigratingAssociated).want(t, NewerSeen, EmigratingAssociated, OpResume, Associated)
}

// "NVE will wait for a next Termination message to remove the VM's resources or states on NVE."
func TestReq_3_3_5_EmigratingWaitsForTermination(t *testing.T) {
	for _, s := range []State{EmigratingPreAssociated, EmigratingAssociated, EmigratingSuspended} {
		for e := range numEvents {
			if a := Next(s, e); a.Does(Release) && e != Terminate && e != AgedOut {
				t.Errorf("%s, %s: %v removes before the end", s, e, a.Actions)
			}
		}
		at(t, s).want(t, OpTerminate, Terminated)
	}
}

// "NVE's reaction to VM Immigration is silimar to its reaction to Pre-association or Association."
func TestReq_3_3_6_ImmigrationIsLikeAssociation(t *testing.T) {
	for s := range numStates {
		for _, op := range []Op{OpPreAssociate, OpAssociate} {
			for _, same := range []bool{true, false} {
				r := Request{Op: op, Base: s.Figure()}
				plain := Association{State: s}.Ask(r, same)
				r.Immigration = true
				if got := (Association{State: s}).Ask(r, same); !equal(got, plain) {
					t.Errorf("%s, %s: got %+v with immigration, %+v without", s, op, got, plain)
				}
			}
		}
	}
}

// "If the result of Immigration processing is FAIL, the VM will not migrate to the new location and continue its work on old server."
func TestReq_3_3_6_FailedImmigrationContinuesAtTheSource(t *testing.T) {
	source := at(t, EmigratingAssociated) // the target answered FAIL: nothing newer was seen
	source.want(t, OpResume, Associated)
	if source.holds() != Reserved|Forwarding|Advertised {
		t.Errorf("holds %s", source.holds())
	}
}

// "To distinguish Immigration from Pre-association and Association is meaningful"
func TestReq_3_3_6_ImmigrationIsDistinguished(t *testing.T) {
	for _, op := range []Op{OpPreAssociate, OpAssociate} {
		if r := (Request{Op: op}); r.Immigrates() {
			t.Errorf("%s immigrates unsaid", op)
		}
		if r := (Request{Op: op, Immigration: true}); !r.Immigrates() {
			t.Errorf("%s with immigration is not told apart", op)
		}
	}
}

// "NVE' will release VM's resources on NVE and remove all state about this VM."
func TestReq_3_3_7_TerminationRemovesAllState(t *testing.T) {
	for s := range numStates {
		x := at(t, s)
		x.want(t, OpTerminate, Terminated, AgedOut, Null)
		if *x != (edge{model: model{set: x.set}}) {
			t.Errorf("%s: left behind %+v", s, x)
		}
	}
}

// "the VM can be terminated on the server anyway"
func TestReq_3_3_7_TerminationIsNeverRefused(t *testing.T) {
	for s := range numStates {
		for base := range numFigures {
			a := Association{State: s}.Ask(Request{Op: OpTerminate, Base: base}, false)
			if a.Refusal != Allowed || a.To != Terminated || a.MayFail() {
				t.Errorf("%s from base %s: got %+v, want an end that needs no checks", s, base, a)
			}
		}
	}
}

// "if a associated, pre-associated or suspended VM keeps idle for a pre-defined time, NVE will remove the VM's resources"
func TestReq_3_3_8_IdleVMIsRemoved(t *testing.T) {
	for s := range numStates {
		if !s.Alive() {
			continue
		}
		if _, ok := LifetimeOf(Association{State: s}); !ok {
			t.Errorf("%s: no lifetime", s)
		}
		x := at(t, s)
		x.want(t, AgedOut, Terminated)
		if x.holds() != 0 {
			t.Errorf("%s aged out: holds %s", s, x.holds())
		}
		if !Next(s, AgedOut).Does(Notify) {
			t.Errorf("%s aged out unsaid", s)
		}
	}
}

// "an Pre-association/Association message with Keep-alive indication, NVE will update VM's timer upon the Keep-alive message"
func TestReq_3_3_8_KeepAliveUpdatesTheTimer(t *testing.T) {
	for s := range numStates {
		if !s.Alive() {
			continue
		}
		for op := OpPreAssociate; op < numOps; op++ {
			a := Association{State: s}.Ask(Request{Op: op, Base: s.Figure(), KeepAlive: true}, true)
			if a.To != s || !slices.Equal(a.Actions, []Action{RefreshLifetime, Accept}) {
				t.Errorf("%s, %s with keep-alive: got %+v", s, op, a)
			}
		}
	}
}

// "Some of the events can be carried in one signalled message with different operation type."
func TestReq_3_3_9_OneMessageManyEvents(t *testing.T) {
	var seen [numEvents]bool
	for _, r := range everyRequest() {
		for _, same := range []bool{true, false} {
			seen[Classify(r, same)] = true
		}
	}
	for e := range numEvents {
		if seen[e] != e.Request() {
			t.Errorf("%s comes from a request: %t", e, seen[e])
		}
	}
}

// "The TNS MUST support TES to notify NVE about the VM's events, including but not limited to Pre-Association, Association, Emigration,
// Immigration and Termination."
func TestReq_3_4_1_EveryEventOfAVMIsNotified(t *testing.T) {
	for r, want := range map[Request]Event{
		{Op: OpPreAssociate}:                    PreAssociateChanged,
		{Op: OpPreAssociate, Immigration: true}: PreAssociateChanged,
		{Op: OpAssociate}:                       AssociateChanged,
		{Op: OpAssociate, Immigration: true}:    AssociateChanged,
		{Op: OpSuspend}:                         Suspend,
		{Op: OpResume}:                          Resume,
		{Op: OpEmigrate}:                        Emigrate,
		{Op: OpTerminate}:                       Terminate,
	} {
		if got := Classify(r, false); got != want || r.Immigrates() != r.Immigration {
			t.Errorf("%+v is %s, immigration %t", r, got, r.Immigrates())
		}
	}
}

// inOrder wants these actions among the arrow's, in this order.
func inOrder(t *testing.T, a Arrow, want ...Action) {
	t.Helper()
	last := -1
	for _, action := range want {
		at := slices.Index(a.Actions, action)
		if at <= last {
			t.Errorf("got %v, want %v in this order", a.Actions, want)
			return
		}
		last = at
	}
}

// waits is how many of the arrow's actions answer later.
func waits(a Arrow) int {
	n := 0
	for _, action := range a.Actions {
		if action.AnswersLater() {
			n++
		}
	}
	return n
}
