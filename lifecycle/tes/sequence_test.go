package tes

import (
	"math"
	"testing"
	"time"

	"github.com/tns-project/tns/evpn"
)

func TestSequence(t *testing.T) {
	associate := Operation{Op: evpn.Associate, VM: vmid(1), NICs: []NIC{nic("blue", 1)}}
	first := uint32(epoch.Unix())

	t.Run("a first one is the Unix time, each further one is one more", func(t *testing.T) {
		w := newWorld(t)
		w.up(edgeID)
		for i := range uint32(3) {
			if got := w.must(associate).Sequence; got != first+i {
				t.Errorf("request %d has sequence %d, want %d", i, got, first+i)
			}
		}
	})
	t.Run("after 0xFFFFFFFF comes 0, and it is newer", func(t *testing.T) {
		w := newWorld(t)
		w.disk.image.Sequences[vmid(1)] = math.MaxUint32 - 1
		w.boot()
		w.up(edgeID)
		for _, want := range []uint32{math.MaxUint32, 0, 1} {
			if got := w.must(associate).Sequence; got != want {
				t.Errorf("sequence %#x, want %#x", got, want)
			}
		}
	})
	t.Run("a clock that steps back does not matter to a VMID that was there", func(t *testing.T) {
		w := newWorld(t)
		w.up(edgeID)
		w.must(associate)
		w.must(Operation{Op: evpn.Terminate, VM: vmid(1)})
		w.now = w.now.Add(-24 * time.Hour)
		w.boot()
		w.up(edgeID)
		if got := w.must(associate).Sequence; got != first+2 {
			t.Errorf("sequence %d, want %d", got, first+2)
		}
	})
	t.Run("FAIL 12 at a distance of exactly 2^31 is followed too", func(t *testing.T) {
		w := newWorld(t)
		w.up(edgeID)
		acked := first + 1<<31
		stale := refusal(evpn.StaleSequence)
		stale.acked = &acked
		w.edges[edgeID].script(vmid(1), stale, verdict{})
		w.edges[edgeID].vms[vmid(1)] = &record{sequence: 0, lifetime: 300}
		if got := w.must(associate).Sequence; got != acked+1 {
			t.Errorf("sequence %#x, want %#x", got, acked+1)
		}
	})
	t.Run("FAIL 12 again and again is not followed without end", func(t *testing.T) {
		w := newWorld(t)
		w.up(edgeID)
		w.edges[edgeID].script(vmid(1), refusal(evpn.StaleSequence))
		n := w.do(associate)
		if out, ok := w.outcome(n); !ok || out.result.Reason != evpn.StaleSequence {
			t.Errorf("the caller was told %+v", out)
		}
		if got := w.request(vmid(1)).Sequence; got != first+1 {
			t.Errorf("sequence %d, want %d: followed once, then after a pause", got, first+1)
		}
		w.wait(2 * time.Second)
		if got := w.request(vmid(1)).Sequence; got == first+1 {
			t.Error("not asked again after the pause")
		}
	})
	t.Run("a response to an older request is no answer", func(t *testing.T) {
		w := newWorld(t)
		w.up(edgeID)
		w.must(associate)
		w.edges[edgeID].script(vmid(1), verdict{silent: true})
		silent := w.edges[edgeID]
		w.number++
		w.core.handle(w.now, asked{w.number, Operation{Op: evpn.Suspend, VM: vmid(1)}}) // the old response still stands
		silent.vms[vmid(1)].now = verdict{}
		if _, ok := w.outcome(w.number); ok || w.vm(vmid(1)).State != evpn.StateAssociated {
			t.Error("the response to ASSOCIATE was taken for one to SUSPEND")
		}
	})
}
