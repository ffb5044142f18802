package tes

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/tes/store"
	"github.com/tns-project/tns/speaker"
)

// BGP carries state: whatever the VM manager asks, however the NVE answers, whichever updates are merged, repeated or late, and whenever
// sessions, the NVE or the TES itself go away and come back: once the NVE answers, both sides hold the same, the table tells what is true,
// and nobody is left waiting.
func TestBothSidesEndAlike(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := newWorld(rapidTB{t, r})
		vms := []evpn.VMID{vmid(1), vmid(2)}
		for range rapid.IntRange(1, 25).Draw(r, "steps") {
			w.mayhem(r, rapid.SampledFrom(vms).Draw(r, "vm"))
		}
		for _, e := range w.edges {
			e.rules = map[evpn.VMID][]verdict{}
			if !e.up {
				w.up(e.id)
			}
		}
		w.quiesce()
		w.wait(5 * time.Minute)
		for number := uint64(1); number <= w.number; number++ {
			if _, ok := w.outcome(number); !ok {
				r.Fatalf("caller %d was never told anything\n%s", number, w.trace.String())
			}
		}
		for _, id := range vms {
			w.checkAlike(r, id)
		}
	})
}

// rapidTB lets a world fail the drawn case instead of the whole test.
type rapidTB struct {
	testing.TB
	r *rapid.T
}

func (tb rapidTB) Helper()                   {}
func (tb rapidTB) Errorf(f string, a ...any) { tb.r.Errorf(f, a...) }
func (tb rapidTB) Fatalf(f string, a ...any) { tb.r.Fatalf(f, a...) }
func (tb rapidTB) Fatal(a ...any)            { tb.r.Fatal(a...) }

// mayhem is one step of anything.
func (w *world) mayhem(r *rapid.T, id evpn.VMID) {
	e := w.edges[edgeID]
	switch rapid.IntRange(0, 9).Draw(r, "what") {
	case 0, 1, 2, 3:
		o := Operation{VM: id, Op: rapid.SampledFrom([]evpn.Op{
			evpn.PreAssociate, evpn.Associate, evpn.Associate, evpn.Suspend, evpn.Resume, evpn.Emigrate, evpn.Terminate,
		}).Draw(r, "op")}
		if o.Op <= evpn.Associate {
			ips := rapid.SampledFrom([][]string{nil, {"10.0.0.1"}, {"10.0.0.1", "2001:db8::1"}}).Draw(r, "ips")
			o.NICs = []NIC{nic("blue", id[15], ips...)}
		}
		w.do(o)
	case 4:
		var vs []verdict
		for range rapid.IntRange(1, 3).Draw(r, "verdicts") {
			vs = append(vs, rapid.SampledFrom([]verdict{
				{}, {silent: true}, {status: evpn.Pending}, refusal(evpn.TooBusy), refusalKept(evpn.Quota), refusal(evpn.FailedAuthorization),
				refusalKept(evpn.ConflictPolicies), refusal(evpn.StaleSequence),
			}).Draw(r, "verdict"))
		}
		e.script(id, append(vs, verdict{})...)
	case 5:
		if e.up {
			w.down(edgeID)
		} else {
			w.up(edgeID)
		}
	case 6:
		e.vms = map[evpn.VMID]*record{}
		w.quiesce()
	case 7:
		w.boot()
		for number := uint64(1); number <= w.number; number++ { // who waited is gone with the process
			if _, ok := w.outcome(number); !ok {
				w.replies[number] = outcome{err: ErrStopped}
			}
		}
	case 8:
		if rec := e.vms[id]; rec != nil && e.up {
			what := rapid.SampledFrom([]evpn.State{evpn.StateNull, evpn.StateEmigrating, evpn.StateTerminated}).Draw(r, "state")
			e.change(id, refusal(rapid.SampledFrom([]evpn.Reason{evpn.AgedOut, evpn.Duplicate, evpn.Draining}).Draw(r, "reason")), what)
			w.quiesce()
		}
	case 9:
		w.wait(time.Duration(rapid.IntRange(0, 90).Draw(r, "seconds")) * time.Second)
	}
}

// checkAlike compares what the TES, its disk, its table and the NVE hold of a VM.
func (w *world) checkAlike(r *rapid.T, id evpn.VMID) {
	e := w.edges[edgeID]
	v := w.core.vms[id]
	if v == nil {
		if len(w.requests(id)) != 0 || e.vms[id] != nil {
			r.Fatalf("VM %v is forgotten, but not all of it\n%s", id, w.trace.String())
		}
		return
	}
	rec := e.vms[id]
	if rec == nil {
		r.Fatalf("the NVE has no record of %s\n%s", sayVM(w.vm(id)), w.trace.String())
	}
	if v.outstanding() || v.silent || len(v.waiters) != 0 || v.Wish.Phase != store.Done && v.Wish.Phase != store.Refused {
		r.Fatalf("not at rest: %s\n%s", sayVM(w.vm(id)), w.trace.String())
	}
	if v.Acked.State != rec.state || v.Acked.Sequence != rec.sequence || v.Request.Sequence != rec.sequence {
		r.Fatalf("the NVE is %v %s, the TES %s\n%s", rec.state, saySequence(rec.sequence), sayVM(w.vm(id)), w.trace.String())
	}
	if said := w.request(id); said.Sequence != rec.sequence || int(said.Count) != len(w.requests(id)) {
		r.Fatalf("the table has %d routes, of a set of %d\n%s", len(w.requests(id)), said.Count, w.trace.String())
	}
	if stored := w.disk.image.VMs[id]; !slices.EqualFunc(stored.Standing, v.Standing, func(a, b store.Route) bool { return a == b }) {
		r.Fatalf("the disk has other routes")
	}
}

// Each response may come twice, and those that a newer one overtook may not come at all: what is said is what stands.
func TestRepeatedAndMergedResponses(t *testing.T) {
	w := newWorld(t)
	w.up(edgeID)
	w.must(Operation{Op: evpn.Associate, VM: vmid(1), NICs: []NIC{nic("blue", 1), nic("red", 2)}})
	stories := len(w.events(vmid(1)))
	for _, r := range w.edges[edgeID].said {
		w.hear(speaker.Event{Kind: speaker.Announced, Peer: edgePeer, Epoch: 1, Route: r})
	}
	if got := len(w.events(vmid(1))); got != stories {
		t.Errorf("repeated responses told %d new events", got-stories)
	}

	// outranked and re-activated in between, of which only the end is seen
	e := w.edges[edgeID]
	e.change(vmid(1), refusal(evpn.Duplicate), evpn.StateEmigrating)
	e.change(vmid(1), verdict{}, evpn.StateAssociated)
	w.quiesce()
	if v := w.vm(vmid(1)); v.State != evpn.StateAssociated || v.Phase != "done" {
		t.Errorf("%s", sayVM(v))
	}
}
