package tes

import (
	"slices"
	"strings"
	"testing"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/history"
)

// What cannot be read whole from the responses is left to its lifetime at the NVE, and an alarm says so: half a VM would remove the rest.
func TestRebuildIsWholeOrNotAtAll(t *testing.T) {
	w := newWorld(t)
	w.up(edgeID)
	w.must(Operation{Op: evpn.Associate, VM: vmid(1), NICs: []NIC{nic("blue", 1), nic("red", 1)}})
	w.must(Operation{Op: evpn.Associate, VM: vmid(2), NICs: []NIC{nic("blue", 2)}})
	w.edges[edgeID].script(vmid(3), refusal(evpn.Quota))
	w.do(Operation{Op: evpn.Associate, VM: vmid(3), NICs: []NIC{nic("blue", 3)}})

	w.disk = newDisk()
	w.cfg.VNs = slices.DeleteFunc(w.cfg.VNs, func(vn VN) bool { return vn.Name == "red" })
	w.boot()
	w.up(edgeID)
	s := w.core.snapshot()
	if s.VM(vmid(1)) != nil || s.VM(vmid(2)) == nil || s.VM(vmid(3)) != nil {
		t.Errorf("rebuilt:\n%s", w.sayVMs())
	}
	if !slices.ContainsFunc(w.log.OfVM(vmid(1).String()), func(e history.Event) bool {
		return e.Kind == history.KindAlarm && strings.Contains(e.Detail, "VNI 10200 is not configured")
	}) {
		t.Errorf("no alarm: %+v", w.log.OfVM(vmid(1).String()))
	}
	if !w.disk.image.Rebuilt[edgeID] {
		t.Error("it would be rebuilt once more")
	}
}

func TestRebuildWaitsForADiskThatIsFull(t *testing.T) {
	w := newWorld(t)
	w.up(edgeID)
	w.must(Operation{Op: evpn.Associate, VM: vmid(1), NICs: []NIC{nic("blue", 1)}})
	w.disk = newDisk()
	w.boot()
	w.disk.full = true
	w.up(edgeID)
	if len(w.core.vms) != 0 || len(w.requests(vmid(1))) != 0 {
		t.Error("announced what is not stored")
	}
	w.disk.full = false
	w.down(edgeID)
	w.up(edgeID)
	if v := w.vm(vmid(1)); v.State != evpn.StateAssociated {
		t.Errorf("state %v", v.State)
	}
}

// What `vm explain` tells of an association that is refused once and then passes.
func TestAVMsStory(t *testing.T) {
	w := newWorld(t)
	w.up(edgeID)
	w.edges[edgeID].script(vmid(1), refusal(evpn.TooBusy), verdict{})
	w.do(Operation{Op: evpn.Associate, VM: vmid(1), NICs: []NIC{nic("blue", 1, "10.0.0.1")}, Immigration: true})
	w.wait(w.core.vms[vmid(1)].againAt.Sub(w.now))
	first := uint32(epoch.Unix())
	want := []history.Event{
		{Kind: history.KindRequest, Op: "associate", State: "null", Sequence: first, Detail: "2 routes, immigration"},
		{Kind: history.KindResponse, Op: "associate", State: "null", Status: "fail", Reason: "too busy", Sequence: first},
		{Kind: history.KindRequest, Op: "associate", State: "null", Sequence: first + 1, Detail: "2 routes, immigration, asked again"},
		{Kind: history.KindResponse, Op: "associate", State: "associated", Status: "success", Sequence: first + 1},
		{Kind: history.KindState, State: "associated", Sequence: first + 1, Detail: "was null"},
	}
	got := w.log.OfVM(vmid(1).String())
	if len(got) != len(want) {
		t.Fatalf("%d events, want %d: %+v", len(got), len(want), got)
	}
	for i, e := range got {
		if e.VM != vmid(1).String() || e.TES != tesID.String() || e.Peer != edgeID.String() || e.At.Before(epoch) {
			t.Errorf("event %d is not told of the VM, its TES and NVE, with a time: %+v", i, e)
		}
		e.Number, e.At, e.VM, e.TES, e.Peer = 0, want[i].At, "", "", ""
		if e != want[i] {
			t.Errorf("event %d: %+v, want %+v", i, e, want[i])
		}
	}
	if recent := w.log.Recent(100); recent[0].Kind != history.KindSession || recent[0].Peer != edgePeer.String() || recent[0].State != "up" {
		t.Errorf("the first event is %+v, want the session", recent[0])
	}
}
