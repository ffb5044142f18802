package tes

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tns-project/tns/evpn"
)

// One test for each sentence of §3.2 and §3.3 that says what the hypervisor does.

// reqWorld has VM 1 taken up by op: two NICs in two VNs with the same MAC, one of them with a policy and an address.
func reqWorld(t *testing.T, op evpn.Op) *world {
	w := newWorld(t)
	w.up(edgeID)
	blue := nic("blue", 1, "10.0.0.1")
	blue.Policy = &evpn.Policy{Type: 7, Version: 1}
	w.must(Operation{Op: op, VM: vmid(1), NICs: []NIC{blue, nic("red", 1)}})
	return w
}

// wantRequest checks that every route of the VM carries the operation from that base.
func wantRequest(t *testing.T, w *world, op evpn.Op, base evpn.State, flags evpn.Flags) {
	t.Helper()
	rs := w.requests(vmid(1))
	if len(rs) == 0 {
		t.Fatal("no request in the table")
	}
	for _, r := range rs {
		if r.Op != op || r.Base != base || r.Flags != flags || int(r.Count) != len(rs) || r.VM != vmid(1) {
			t.Errorf("route %d says %v from %v, flags %v, count %d; want %v from %v, flags %v, count %d",
				r.Index, r.Op, r.Base, r.Flags, r.Count, op, base, flags, len(rs))
		}
	}
}

func TestReq_3_2_2_PropertiesAndPoliciesAreProvisionedFirst(t *testing.T) {
	w := reqWorld(t, evpn.PreAssociate)
	if v := w.vm(vmid(1)); v.State != evpn.StatePreAssociated || v.Routes[0].Active {
		t.Errorf("%s", sayVM(v))
	}
}

func TestReq_3_2_6_FailedImmigrationResumesAtTheOldLocation(t *testing.T) {
	w := reqWorld(t, evpn.Associate)
	w.must(Operation{Op: evpn.Emigrate, VM: vmid(1)})
	w.must(Operation{Op: evpn.Resume, VM: vmid(1)})
	wantRequest(t, w, evpn.Resume, evpn.StateEmigrating, 0)
	if v := w.vm(vmid(1)); v.State != evpn.StateAssociated || len(v.Routes) != 3 || v.Routes[0].Policy == nil {
		t.Errorf("not as it was: %s", sayVM(v))
	}
}

func TestReq_3_3_1_HypervisorComposesAndSendsPreAssociation(t *testing.T) {
	wantRequest(t, reqWorld(t, evpn.PreAssociate), evpn.PreAssociate, evpn.StateNull, 0)
}

func TestReq_3_3_1_VNIDsSayWhichMACBelongsToWhich(t *testing.T) {
	w := reqWorld(t, evpn.PreAssociate)
	if blue, red := w.routeOf("blue", mac(1), ""), w.routeOf("red", mac(1), ""); blue.Label != 10100 || red.Label != 10200 || blue.RD == red.RD {
		t.Errorf("one MAC in two VNs: labels %d and %d, RDs %v and %v", blue.Label, red.Label, blue.RD, red.RD)
	}
}

func TestReq_3_3_1_PoliciesSayWhichVNIDTheyBelongTo(t *testing.T) {
	w := reqWorld(t, evpn.PreAssociate)
	for _, r := range []evpn.Route{w.routeOf("blue", mac(1), ""), w.routeOf("blue", mac(1), "10.0.0.1"), w.routeOf("red", mac(1), "")} {
		q, err := evpn.DecodeRequest(r.Communities)
		if has := q.Policy != nil; err != nil || has != (r.Label == 10100) {
			t.Errorf("VNI %d: policy %v, %v", r.Label, q.Policy, err)
		}
	}
}

func TestReq_3_3_1_ResponseReachesTheVMManager(t *testing.T) {
	for _, reason := range []evpn.Reason{evpn.FailedAuthorization, evpn.ConflictPolicies, evpn.NonSufficientResources} {
		w := newWorld(t)
		w.up(edgeID)
		w.edges[edgeID].script(vmid(1), refusal(reason))
		out, ok := w.outcome(w.do(Operation{Op: evpn.PreAssociate, VM: vmid(1), NICs: []NIC{nic("blue", 1)}}))
		if !ok || out.err != nil || out.result.Status != evpn.Fail || out.result.Reason != reason {
			t.Errorf("%v: the caller was told %s", reason, sayOutcome(out.result, out.err))
		}
	}
}

func TestReq_3_3_2_AssociationWithPreAssociation(t *testing.T) {
	w := reqWorld(t, evpn.PreAssociate)
	w.must(Operation{Op: evpn.Associate, VM: vmid(1)})
	wantRequest(t, w, evpn.Associate, evpn.StatePreAssociated, 0)
	if q, _ := evpn.DecodeRequest(w.routeOf("blue", mac(1), "").Communities); q.Policy == nil {
		t.Error("the policies of the pre-association are not repeated")
	}
}

func TestReq_3_3_2_AssociationWithoutPreAssociation(t *testing.T) {
	wantRequest(t, reqWorld(t, evpn.Associate), evpn.Associate, evpn.StateNull, 0)
}

func TestReq_3_3_2_AssociationAfterAssociationIsSaidAgain(t *testing.T) {
	w := reqWorld(t, evpn.Associate)
	before := w.request(vmid(1)).Sequence
	w.must(Operation{Op: evpn.Associate, VM: vmid(1)})
	wantRequest(t, w, evpn.Associate, evpn.StateAssociated, 0)
	if w.request(vmid(1)).Sequence != before+1 {
		t.Error("the same association is no new request")
	}
}

func TestReq_3_3_3_HypervisorComposesAndSendsSuspension(t *testing.T) {
	w := reqWorld(t, evpn.Associate)
	w.must(Operation{Op: evpn.Suspend, VM: vmid(1)})
	wantRequest(t, w, evpn.Suspend, evpn.StateAssociated, 0)
}

func TestReq_3_3_3_SuspensionMustFollowAssociation(t *testing.T) {
	w := reqWorld(t, evpn.PreAssociate)
	w.edges[edgeID].script(vmid(1), refusalKept(evpn.WrongState), verdict{})
	out, _ := w.outcome(w.do(Operation{Op: evpn.Suspend, VM: vmid(1)}))
	w.wait(10 * time.Minute)
	if out.result.Reason != evpn.WrongState || w.vm(vmid(1)).State != evpn.StatePreAssociated {
		t.Errorf("told %s, state %v", sayOutcome(out.result, out.err), w.vm(vmid(1)).State)
	}
	wantRequest(t, w, evpn.PreAssociate, evpn.StatePreAssociated, 0)
}

func TestReq_3_3_3_TooBusyIsToldAndAskedAgain(t *testing.T) {
	w := reqWorld(t, evpn.Associate)
	w.edges[edgeID].script(vmid(1), refusalKept(evpn.TooBusy), verdict{})
	out, _ := w.outcome(w.do(Operation{Op: evpn.Suspend, VM: vmid(1)}))
	w.wait(2 * time.Second)
	if out.result.Reason != evpn.TooBusy || w.vm(vmid(1)).State != evpn.StateSuspended {
		t.Errorf("told %s, then %v", sayOutcome(out.result, out.err), w.vm(vmid(1)).State)
	}
}

func TestReq_3_3_4_HypervisorComposesAndSendsResume(t *testing.T) {
	w := reqWorld(t, evpn.Associate)
	w.must(Operation{Op: evpn.Suspend, VM: vmid(1)})
	w.must(Operation{Op: evpn.Resume, VM: vmid(1)})
	wantRequest(t, w, evpn.Resume, evpn.StateSuspended, 0)
}

func TestReq_3_3_4_ResumeWithoutSuspensionChangesNothing(t *testing.T) {
	w := reqWorld(t, evpn.PreAssociate)
	r := w.must(Operation{Op: evpn.Resume, VM: vmid(1)})
	if r.State != evpn.StatePreAssociated || w.vm(vmid(1)).State != evpn.StatePreAssociated {
		t.Errorf("state %v, want it as it is", r.State)
	}
}

func TestReq_3_3_5_EmigrationAfterAnyOfTheOthers(t *testing.T) {
	for name, before := range map[string][]evpn.Op{
		"pre-association": {evpn.PreAssociate},
		"association":     {evpn.Associate},
		"suspension":      {evpn.Associate, evpn.Suspend},
		"resume":          {evpn.Associate, evpn.Suspend, evpn.Resume},
	} {
		w := reqWorld(t, before[0])
		for _, op := range before[1:] {
			w.must(Operation{Op: op, VM: vmid(1)})
		}
		base := w.vm(vmid(1)).State
		if r := w.must(Operation{Op: evpn.Emigrate, VM: vmid(1)}); r.State != evpn.StateEmigrating {
			t.Errorf("after %s: state %v", name, r.State)
		}
		wantRequest(t, w, evpn.Emigrate, base, 0)
	}
}

func TestReq_3_3_6_ImmigrationIsAnIndication(t *testing.T) {
	w := newWorld(t)
	w.up(edgeID)
	w.must(Operation{Op: evpn.PreAssociate, VM: vmid(1), NICs: []NIC{nic("blue", 1)}, Immigration: true})
	wantRequest(t, w, evpn.PreAssociate, evpn.StateNull, evpn.FlagImmigration)
	w.must(Operation{Op: evpn.Associate, VM: vmid(1), Immigration: true})
	wantRequest(t, w, evpn.Associate, evpn.StatePreAssociated, evpn.FlagImmigration)
}

func TestReq_3_3_6_FailedImmigrationIsForTheVMManager(t *testing.T) {
	w := newWorld(t)
	w.up(edgeID)
	w.edges[edgeID].script(vmid(1), refusal(evpn.FailedAuthorization))
	out, _ := w.outcome(w.do(Operation{Op: evpn.PreAssociate, VM: vmid(1), NICs: []NIC{nic("blue", 1)}, Immigration: true}))
	sequence := w.request(vmid(1)).Sequence
	w.wait(time.Hour)
	if out.result.Status != evpn.Fail || w.request(vmid(1)).Sequence != sequence {
		t.Errorf("told %s, and asked again by itself: %v", sayOutcome(out.result, out.err), w.request(vmid(1)).Sequence != sequence)
	}
}

func TestReq_3_3_7_HypervisorComposesAndSendsTermination(t *testing.T) {
	w := reqWorld(t, evpn.Associate)
	w.edges[edgeID].script(vmid(1), verdict{silent: true})
	w.do(Operation{Op: evpn.Terminate, VM: vmid(1)})
	wantRequest(t, w, evpn.Terminate, evpn.StateAssociated, 0)
}

func TestReq_3_3_7_TerminatedIsForgotten(t *testing.T) {
	w := reqWorld(t, evpn.Associate)
	w.must(Operation{Op: evpn.Terminate, VM: vmid(1)})
	if len(w.requests(vmid(1))) != 0 || w.core.snapshot().VM(vmid(1)) != nil || len(w.disk.image.VMs) != 0 {
		t.Error("something of the VM is left")
	}
	if out, _ := w.outcome(w.do(Operation{Op: evpn.Resume, VM: vmid(1)})); !errors.Is(out.err, ErrUnknownVM) {
		t.Errorf("it can still be resumed: %v", out.err)
	}
}

func TestReq_3_3_7_TheVMCanBeTerminatedOnTheServerAnyway(t *testing.T) {
	w := reqWorld(t, evpn.Associate)
	w.edges[edgeID].script(vmid(1), refusalKept(evpn.TooBusy), verdict{}, verdict{})
	out, ok := w.outcome(w.do(Operation{Op: evpn.Terminate, VM: vmid(1)}))
	if !ok || out.result.Reason != evpn.TooBusy {
		t.Errorf("the caller was told %s", sayOutcome(out.result, out.err))
	}
	w.wait(2 * time.Second)
	if len(w.requests(vmid(1))) != 0 || len(w.disk.image.VMs) != 0 {
		t.Error("the termination was not brought to its end")
	}
}

func TestReq_3_3_8_HypervisorCreatesKeepAlive(t *testing.T) {
	w := reqWorld(t, evpn.Associate)
	before := w.requests(vmid(1))
	w.must(Operation{KeepAlive: true, VM: vmid(1)})
	wantRequest(t, w, evpn.Associate, evpn.StateAssociated, evpn.FlagKeepAlive)
	for i, r := range w.requests(vmid(1)) {
		r.Sequence, r.Flags, r.Base = before[i].Sequence, before[i].Flags, before[i].Base
		if got, want := r.Communities(), before[i].Communities(); len(got) != len(want) {
			t.Errorf("route %d has changed in more than sequence, flag and base", i+1)
		}
	}
}

func TestReq_3_3_8_BeaconKeepsAllAlive(t *testing.T) {
	w := reqWorld(t, evpn.Associate)
	_, before := w.beacon(edgeID)
	w.wait(30 * time.Second)
	if _, b := w.beacon(edgeID); b.Lease.Counter != before.Lease.Counter+1 || b.Digest.Live != 3 {
		t.Errorf("the beacon says %+v", b)
	}
}

// applier notes what it is given and fails on request.
type applier struct {
	tags  []evpn.LocalTag
	ended []string // MAC and VID
	err   error
}

func (a *applier) EndTag(_ evpn.VMID, _ string, mac evpn.MAC, tag evpn.LocalTag) {
	a.ended = append(a.ended, fmt.Sprintf("%v %d", mac, tag.VID))
}

func (a *applier) ApplyTag(_ evpn.VMID, _ string, _ evpn.MAC, tag evpn.LocalTag, answer func(error)) {
	a.tags = append(a.tags, tag)
	answer(a.err)
}

func TestReq_3_3_9_HypervisorRespondsToAChangedIndicator(t *testing.T) {
	for _, failed := range []bool{false, true} {
		a := &applier{}
		w := newWorld(t)
		w.cfg.Tags = a
		w.boot()
		w.up(edgeID)
		w.must(Operation{Op: evpn.Associate, VM: vmid(1), NICs: []NIC{nic("blue", 1)}})
		sequence := w.request(vmid(1)).Sequence
		if failed {
			a.err = errors.New("no such port")
		}
		w.edges[edgeID].vms[vmid(1)].tag = &evpn.LocalTag{Type: 1, VID: 100, Change: 3}
		w.quiesce()
		if len(a.tags) != 1 || a.tags[0].VID != 100 {
			t.Errorf("applied %+v, want VID 100 once", a.tags)
		}
		q := w.request(vmid(1))
		if q.Echo == nil || *q.Echo != (evpn.Echo{Change: 3, Failed: failed}) || q.Sequence != sequence {
			t.Errorf("failed %v: echo %+v with sequence %+d", failed, q.Echo, q.Sequence-sequence)
		}
		if tag := w.vm(vmid(1)).Tag; tag == nil || tag.VID != 100 {
			t.Errorf("the snapshot has tag %+v", tag)
		}
		w.boot()
		if q := w.request(vmid(1)); q.Echo == nil || q.Echo.Change != 3 {
			t.Error("the echo does not outlive a restart")
		}
	}
}

// An operation is two writes of the disk: before its request is announced, and when its answer has come, with the tag that it tells.
func TestAnOperationIsTwoWrites(t *testing.T) {
	for _, tag := range []*evpn.LocalTag{nil, {}, {Type: 1, VID: 100}, {Type: 1, VID: 100, Change: 1}} {
		w := newWorld(t)
		w.up(edgeID)
		w.must(Operation{Op: evpn.Associate, VM: vmid(2), NICs: []NIC{nic("blue", 2)}}) // the VN has its number
		w.edges[edgeID].vms[vmid(1)] = &record{lifetime: 300, tag: tag}
		for _, o := range []Operation{
			{Op: evpn.Associate, VM: vmid(1), NICs: []NIC{nic("blue", 1)}}, {Op: evpn.Suspend, VM: vmid(1)}, {Op: evpn.Terminate, VM: vmid(1)},
		} {
			before := w.disk.writes
			w.must(o)
			if n := w.disk.writes - before; n != 2 {
				t.Errorf("tag %+v: %v took %d writes, want 2", tag, o.Op, n)
			}
		}
	}
}

// Who applies tags is told when a MAC has its own no more: with the VM, or when the VM goes on without it.
func TestTagEndsWithItsMAC(t *testing.T) {
	a := &applier{}
	w := newWorld(t)
	w.cfg.Tags = a
	w.boot()
	w.up(edgeID)
	w.must(Operation{Op: evpn.Associate, VM: vmid(1), NICs: []NIC{nic("blue", 1), nic("blue", 2)}})
	w.edges[edgeID].vms[vmid(1)].tag = &evpn.LocalTag{Type: 1, VID: 100}
	w.quiesce()
	w.boot()
	w.up(edgeID)
	if len(a.tags) < 2 || len(a.ended) != 0 {
		t.Fatalf("applied %v, ended %v, want two applied", a.tags, a.ended)
	}
	w.must(Operation{Op: evpn.Associate, VM: vmid(1), NICs: []NIC{nic("blue", 1)}})
	if want := []string{nic("blue", 2).MAC.String() + " 100"}; !slices.Equal(a.ended, want) {
		t.Errorf("ended %v, want %v", a.ended, want)
	}
	w.must(Operation{Op: evpn.Suspend, VM: vmid(1)})
	if len(a.ended) != 1 {
		t.Errorf("a suspended VM has its tag still: %v", a.ended)
	}
	w.must(Operation{Op: evpn.Terminate, VM: vmid(1)})
	if want := []string{nic("blue", 2).MAC.String() + " 100", nic("blue", 1).MAC.String() + " 100"}; !slices.Equal(a.ended, want) {
		t.Errorf("ended %v, want %v", a.ended, want)
	}
}

// A tag that was applied while the disk is full is applied once, is answered when the disk has it, and ends with the VM, also if the NVE tells it no more by then.
func TestTagThatTheDiskDoesNotTake(t *testing.T) {
	for _, told := range []bool{true, false} {
		a := &applier{}
		w := newWorld(t)
		w.cfg.Tags = a
		w.boot()
		e := w.edges[edgeID]
		e.vms[vmid(1)] = &record{lifetime: 300, tag: &evpn.LocalTag{Type: 1, VID: 100, Change: 1}}
		w.do(Operation{Op: evpn.Associate, VM: vmid(1), NICs: []NIC{nic("blue", 1)}})
		w.disk.full = true
		w.up(edgeID)
		w.wait(10 * time.Second)
		if len(a.tags) != 1 || w.request(vmid(1)).Echo != nil {
			t.Errorf("applied %v, ECHO %v; want it applied once and not answered", a.tags, w.request(vmid(1)).Echo)
		}
		if !told {
			e.vms[vmid(1)].tag = nil
			e.change(vmid(1), refusal(evpn.Duplicate), evpn.StateNull)
			w.quiesce()
		}
		w.disk.full = false
		w.wait(10 * time.Second)
		if echo := w.request(vmid(1)).Echo; echo == nil || echo.Change != 1 || len(a.tags) != 1 {
			t.Errorf("told still: %t; ECHO %v, applied %v, want it applied once and answered", told, echo, a.tags)
		}
		w.must(Operation{Op: evpn.Terminate, VM: vmid(1)})
		if want := []string{nic("blue", 1).MAC.String() + " 100"}; !slices.Equal(a.ended, want) {
			t.Errorf("told still: %t; ended %v, want %v", told, a.ended, want)
		}
	}
}
