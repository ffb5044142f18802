package tes

import (
	"testing"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker"
)

var twoNICs = Operation{Op: evpn.Associate, VM: vmid(1), NICs: []NIC{nic("blue", 1), nic("red", 2)}}

func TestAnswerNeedsAllRoutes(t *testing.T) {
	w := newWorld(t)
	w.up(edgeID)
	e := w.edges[edgeID]
	e.hides[mac(2)] = verdict{silent: true}
	n := w.do(twoNICs)
	if _, ok := w.outcome(n); ok {
		t.Fatal("answered although one route has no response")
	}
	delete(e.hides, mac(2))
	w.quiesce()
	if out, ok := w.outcome(n); !ok || out.result.Status != evpn.Success || len(out.result.Routes) != 2 {
		t.Errorf("got %+v", out)
	}
}

// Where one route fails it has its own reason and the others 18: the VM's reason is the one that says more, whatever the order.
func TestTheReasonThatSaysMost(t *testing.T) {
	for _, tt := range []struct{ first, second, want evpn.Reason }{
		{evpn.IncompleteSet, evpn.ConflictPolicies, evpn.ConflictPolicies},
		{evpn.ConflictPolicies, evpn.IncompleteSet, evpn.ConflictPolicies},
		{evpn.IncompleteSet, evpn.IncompleteSet, evpn.IncompleteSet},
		{evpn.UnknownVN, evpn.Duplicate, evpn.UnknownVN},
	} {
		w := newWorld(t)
		w.up(edgeID)
		w.edges[edgeID].script(vmid(1), refusal(evpn.OtherReason))
		w.edges[edgeID].hides[mac(1)] = refusal(tt.first)
		w.edges[edgeID].hides[mac(2)] = refusal(tt.second)
		out, ok := w.outcome(w.do(twoNICs))
		if !ok || out.result.Status != evpn.Fail || out.result.Reason != tt.want {
			t.Errorf("%v and %v: got %s", tt.first, tt.second, sayOutcome(out.result, out.err))
			continue
		}
		if r := out.result.Routes; len(r) != 2 || r[0].Reason != tt.first || r[1].Reason != tt.second {
			t.Errorf("%v and %v: routes were told %+v", tt.first, tt.second, r)
		}
		if r := w.vm(vmid(1)).Routes; r[0].Reason != tt.first || r[1].Reason != tt.second {
			t.Errorf("%v and %v: the snapshot says %+v", tt.first, tt.second, r)
		}
	}
}

func TestOneFailureFailsTheVM(t *testing.T) {
	w := newWorld(t)
	w.up(edgeID)
	w.edges[edgeID].hides[mac(2)] = refusal(evpn.Quota)
	if out, ok := w.outcome(w.do(twoNICs)); !ok || out.result.Status != evpn.Fail || out.result.Reason != evpn.Quota {
		t.Errorf("got %s", sayOutcome(out.result, out.err))
	}
}

func TestTheSameMACAndIPInTwoVNsAreToldApart(t *testing.T) {
	w := newWorld(t)
	w.up(edgeID)
	w.must(Operation{Op: evpn.Associate, VM: vmid(1), NICs: []NIC{nic("blue", 1, "10.0.0.1")}})
	w.edges[edgeID].script(vmid(2), refusal(evpn.Quota))
	out, _ := w.outcome(w.do(Operation{Op: evpn.Associate, VM: vmid(2), NICs: []NIC{nic("red", 1, "10.0.0.1")}}))
	if out.result.Reason != evpn.Quota || w.vm(vmid(1)).State != evpn.StateAssociated || w.vm(vmid(1)).Routes[0].Reason != evpn.ReasonNone {
		t.Errorf("vm2 got %s, vm1 is %v", sayOutcome(out.result, out.err), w.vm(vmid(1)).State)
	}
}

func TestAVNThatTheNVEDoesNotKnow(t *testing.T) {
	w := newWorld(t)
	w.up(edgeID)
	delete(w.edges[edgeID].names, 10200)
	w.edges[edgeID].script(vmid(1), refusal(evpn.UnknownVN))
	for name, card := range map[string]NIC{"by number": nic("red", 1), "by name": nic("named", 1)} {
		delete(w.edges[edgeID].names, 10999)
		out, ok := w.outcome(w.do(Operation{Op: evpn.Associate, VM: vmid(1), NICs: []NIC{card}}))
		if !ok || out.result.Reason != evpn.UnknownVN {
			t.Errorf("%s: got %s", name, sayOutcome(out.result, out.err))
		}
	}
}

// The VN Name of the NVE for a VNI may be another than ours: the number counts.
func TestAnNVEThatNamesTheVNOtherwise(t *testing.T) {
	w := newWorld(t)
	w.up(edgeID)
	w.edges[edgeID].names[10100] = "azure"
	w.must(Operation{Op: evpn.Associate, VM: vmid(1), NICs: []NIC{nic("blue", 1)}})
}

// Who is not configured to speak for the NVE, and what is not to us, is not heard.
func TestResponsesThatAreNotForUs(t *testing.T) {
	w := newWorld(t)
	w.up(edgeID)
	w.up(farID)
	e := w.edges[edgeID]
	e.script(vmid(1), verdict{silent: true})
	n := w.do(Operation{Op: evpn.Associate, VM: vmid(1), NICs: []NIC{nic("blue", 1)}, Timeout: time.Hour})
	probe := newEdge(edgeID, edgePeer)
	probe.up, probe.epoch = true, e.epoch
	events := probe.react(w.table.routes)
	if len(events) != 1 {
		t.Fatalf("%d events, want 1", len(events))
	}
	good := events[0]
	bad := map[string]func(*speaker.Event){
		"another peer":         func(e *speaker.Event) { e.Peer = farPeer },
		"another NVE":          func(e *speaker.Event) { e.Route.RD = evpn.NewRD(farID, 1) },
		"another TES's tag":    func(e *speaker.Event) { e.Route.Tag++ },
		"another TES's target": func(e *speaker.Event) { e.Route.Communities = e.Route.Communities[1:] },
		"no RESULT":            func(e *speaker.Event) { e.Route.Communities = e.Route.Communities[:1] },
		"a dry run's RD":       func(e *speaker.Event) { e.Route.RD = evpn.NewRD(edgeID, evpn.DryRunRD) },
	}
	for name, spoil := range bad {
		spoilt := good
		spoil(&spoilt)
		w.core.handle(w.now, heard{spoilt})
		if _, ok := w.outcome(n); ok {
			t.Fatalf("%s: taken for an answer", name)
		}
	}
	if got := w.core.stats.Ignored; got != uint64(len(bad)-1) { // a dry run's is to us, though nobody asked
		t.Errorf("%d ignored, want %d", got, len(bad)-1)
	}
	w.core.handle(w.now, heard{good})
	if _, ok := w.outcome(n); !ok {
		t.Error("the good one was not heard")
	}
}

// Through two reflectors the NVE is heard twice: either will do, and the newer counts.
func TestTwoReflectors(t *testing.T) {
	w := newWorld(t)
	w.cfg.NVEs = append(w.cfg.NVEs, NVE{ID: edgeID, Address: farPeer})
	w.boot()
	w.up(edgeID)
	w.core.handle(w.now, heard{speaker.Event{Kind: speaker.SessionUp, Peer: farPeer, Epoch: 1}})
	w.must(Operation{Op: evpn.Associate, VM: vmid(1), NICs: []NIC{nic("blue", 1)}})
	for _, r := range w.edges[edgeID].said { // the late copy
		w.core.handle(w.now, heard{speaker.Event{Kind: speaker.Announced, Peer: farPeer, Epoch: 1, Route: r}})
	}
	w.must(Operation{Op: evpn.Suspend, VM: vmid(1)})
	w.down(edgeID)
	if up, _ := w.core.up(edgeID); !up {
		t.Error("the NVE counts as lost with one of two sessions")
	}
	if v := w.vm(vmid(1)); v.State != evpn.StateSuspended {
		t.Errorf("state %v after the newer answer's session went, want suspended", v.State)
	}
}

func TestEndOfRIBSweeps(t *testing.T) {
	w := newWorld(t)
	w.up(edgeID)
	w.must(Operation{Op: evpn.Associate, VM: vmid(1), NICs: []NIC{nic("blue", 1)}})
	w.down(edgeID)
	if len(w.core.responses) != 1 {
		t.Fatal("a lost session already took the responses")
	}
	w.edges[edgeID].script(vmid(1), verdict{silent: true})
	w.edges[edgeID].vms = map[evpn.VMID]*record{}
	w.up(edgeID)
	if len(w.core.responses) != 0 {
		t.Error("a response of the session before outlived End-of-RIB")
	}
	late := speaker.Event{Kind: speaker.EndOfRIB, Peer: edgePeer, Epoch: 1}
	w.core.peers[edgePeer].synced = false
	w.hear(late)
	if w.core.peers[edgePeer].synced {
		t.Error("an End-of-RIB of an older session counts")
	}
}
