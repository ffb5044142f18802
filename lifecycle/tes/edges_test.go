package tes

import (
	"testing"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker"
)

func TestWhichReasonsPass(t *testing.T) {
	want := map[evpn.Reason]bool{2: true, 3: true, 8: true, 12: true, 15: true, 16: true, 17: true, 18: true}
	for reason := evpn.InvalidFormat; reason <= evpn.UnsupportedType; reason++ {
		w := newWorld(t)
		w.up(edgeID)
		w.edges[edgeID].script(vmid(1), refusal(reason), refusal(reason), verdict{})
		w.do(associateBlue)
		w.wait(3 * time.Minute) // draining is asked about once a minute
		if got := w.vm(vmid(1)).State == evpn.StateAssociated; got != want[reason] {
			t.Errorf("%v: asked again by itself %v, want %v", reason, got, want[reason])
		}
	}
}

func TestWhatIsAskedAnewIsNoImmigration(t *testing.T) {
	w := newWorld(t)
	w.up(edgeID)
	immigrate := associateBlue
	immigrate.Immigration = true
	w.must(immigrate)
	w.edges[edgeID].change(vmid(1), refusal(evpn.AgedOut), evpn.StateTerminated)
	w.quiesce()
	w.wait(2 * time.Second)
	if q := w.request(vmid(1)); q.Flags != 0 || q.Base != evpn.StateTerminated || w.vm(vmid(1)).State != evpn.StateAssociated {
		t.Errorf("asked anew with flags %v from %v", q.Flags, q.Base)
	}
}

// Outranked, the VM is Emigrating without having been asked to; to state ASSOCIATE again would claim its MAC back.
func TestTheTruthOfAnOutrankedVM(t *testing.T) {
	w := newWorld(t)
	w.up(edgeID)
	w.must(associateBlue)
	e := w.edges[edgeID]
	e.change(vmid(1), refusal(evpn.Duplicate), evpn.StateEmigrating)
	w.quiesce()
	e.script(vmid(1), refusalKept(evpn.WrongState), verdict{})
	w.do(Operation{Op: evpn.Suspend, VM: vmid(1)})
	if q := w.request(vmid(1)); q.Op != evpn.Emigrate || q.Base != evpn.StateEmigrating {
		t.Errorf("stated %v from %v, want emigrate from emigrating", q.Op, q.Base)
	}
}

// A wish that overtakes a waiting one without saying the NICs keeps those that the waiting one said.
func TestMergedWishesKeepTheNICs(t *testing.T) {
	w := newWorld(t)
	w.up(edgeID)
	w.must(associateBlue)
	w.edges[edgeID].script(vmid(1), verdict{silent: true}, verdict{})
	w.do(Operation{Op: evpn.Suspend, VM: vmid(1)})
	w.do(Operation{Op: evpn.Associate, VM: vmid(1), NICs: []NIC{nic("blue", 1), nic("red", 2)}})
	w.do(Operation{Op: evpn.Associate, VM: vmid(1)})
	w.wait(5 * time.Second)
	if n := len(w.requests(vmid(1))); n != 2 {
		t.Errorf("%d routes, want 2", n)
	}
}

// Two VNs' worth of a refused wish that passes, then a change for which the VM manager is to decide: nothing stays due.
func TestNothingStaysDueAfterARefusal(t *testing.T) {
	w := newWorld(t)
	w.up(edgeID)
	w.must(associateBlue)
	e := w.edges[edgeID]
	e.script(vmid(1), refusalKept(evpn.TooBusy), verdict{})
	w.do(Operation{Op: evpn.Suspend, VM: vmid(1)})
	e.change(vmid(1), refusal(evpn.Duplicate), evpn.StateEmigrating)
	w.quiesce()
	sequence := w.request(vmid(1)).Sequence
	w.wait(10 * time.Minute) // fails when the clock spins
	if w.request(vmid(1)).Sequence != sequence {
		t.Error("asked again on reason 14")
	}
}

func TestReplacedRoutesAreNoticedWithoutAMissingOne(t *testing.T) {
	w := newWorld(t)
	w.up(edgeID)
	w.must(associateBlue)
	before := w.routeOf("blue", mac(1), "")
	changed := before
	changed.Label = 5
	w.table.routes[before.RouteKey] = changed
	keys, _ := w.table.Own()
	w.in(found{keys, true})
	if !sameRoute(before, w.routeOf("blue", mac(1), "")) {
		t.Error("a route that was replaced under our key stays so")
	}
}

func TestATagOnOneOfTwoRoutesIsNotYetTheVNs(t *testing.T) {
	a := &applier{}
	w := newWorld(t)
	w.cfg.Tags = a
	w.boot()
	w.up(edgeID)
	w.must(Operation{Op: evpn.Associate, VM: vmid(1), NICs: []NIC{nic("blue", 1, "10.0.0.1", "10.0.0.2")}})
	e := w.edges[edgeID]
	for change := range uint8(3) {
		e.vms[vmid(1)].tag = &evpn.LocalTag{Type: 1, VID: 100 + uint16(change), Change: change}
		w.quiesce()
	}
	if len(a.tags) != 3 {
		t.Errorf("applied %d times, want 3: %+v", len(a.tags), a.tags)
	}
}

func TestASessionThatComesBackEndsLongPauses(t *testing.T) {
	w := newWorld(t)
	w.up(edgeID)
	w.edges[edgeID].script(vmid(1), verdict{silent: true})
	w.do(associateBlue)
	w.wait(10 * time.Minute)
	w.down(edgeID)
	w.up(edgeID)
	before := w.request(vmid(1)).Sequence
	w.wait(7 * time.Second)
	if got := w.request(vmid(1)).Sequence; got != before+1 {
		t.Errorf("asked %d times within 7 s of the new session, want once", got-before)
	}
}

func TestTheNewestOfTwoReflectorsCounts(t *testing.T) {
	w := newWorld(t)
	w.cfg.NVEs = append(w.cfg.NVEs, NVE{ID: edgeID, Address: farPeer})
	w.boot()
	w.up(edgeID)
	w.core.handle(w.now, heard{speaker.Event{Kind: speaker.SessionUp, Peer: farPeer, Epoch: 1}})
	w.must(associateBlue)
	old := w.edges[edgeID].said
	w.must(Operation{Op: evpn.Suspend, VM: vmid(1)})
	for _, r := range old { // the copy through the slow one, of the request before
		w.core.handle(w.now, heard{speaker.Event{Kind: speaker.Announced, Peer: farPeer, Epoch: 1, Route: r}})
	}
	w.wait(5 * time.Minute)
	if q := w.request(vmid(1)); q.Op != evpn.Suspend || q.Sequence != uint32(epoch.Unix())+1 {
		t.Errorf("a late copy of an older answer had the request repeated: %v %d", q.Op, q.Sequence)
	}
}
