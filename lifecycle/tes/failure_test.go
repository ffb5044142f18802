package tes

import (
	"errors"
	"testing"
	"time"

	"github.com/tns-project/tns/evpn"
)

// A disk that cannot be written: the operation fails, the state before stays, and nothing is announced that is not stored (world.checkStored
// watches over that in all tests).
func TestFullDisk(t *testing.T) {
	associate := Operation{Op: evpn.Associate, VM: vmid(1), NICs: []NIC{nic("blue", 1)}}

	t.Run("a new VM", func(t *testing.T) {
		w := newWorld(t)
		w.up(edgeID)
		w.disk.full = true
		out, ok := w.outcome(w.do(associate))
		if !ok || !errors.Is(out.err, ErrStore) || !errors.Is(out.err, errFull) {
			t.Errorf("got %v, want ErrStore and its cause", out.err)
		}
		if len(w.requests(vmid(1))) != 0 || len(w.core.vms) != 0 {
			t.Error("something was announced or kept")
		}
		w.disk.full = false
		w.must(associate)
	})
	t.Run("a known VM", func(t *testing.T) {
		w := newWorld(t)
		w.up(edgeID)
		w.must(associate)
		w.disk.full = true
		out, ok := w.outcome(w.do(Operation{Op: evpn.Suspend, VM: vmid(1)}))
		if !ok || !errors.Is(out.err, ErrStore) {
			t.Errorf("got %v, want ErrStore", out.err)
		}
		if v := w.vm(vmid(1)); v.State != evpn.StateAssociated || v.Wanted != evpn.Associate || w.request(vmid(1)).Op != evpn.Associate {
			t.Errorf("state %v, wanted %v: not as before", v.State, v.Wanted)
		}
	})
	t.Run("while the answer comes", func(t *testing.T) {
		w := newWorld(t)
		n := w.do(associate)
		w.disk.full = true
		w.up(edgeID)
		if _, ok := w.outcome(n); ok || w.vm(vmid(1)).State != evpn.StateNull {
			t.Error("an answer was taken over that could not be stored")
		}
		w.disk.full = false
		w.wait(time.Second)
		if out, ok := w.outcome(n); !ok || out.result.Status != evpn.Success || w.vm(vmid(1)).State != evpn.StateAssociated {
			t.Errorf("after the disk is free again: %+v", out)
		}
	})
	t.Run("while the VM is terminated", func(t *testing.T) {
		w := newWorld(t)
		w.up(edgeID)
		w.must(associate)
		w.edges[edgeID].script(vmid(1), verdict{silent: true}, verdict{})
		n := w.do(Operation{Op: evpn.Terminate, VM: vmid(1)})
		w.disk.full = true
		w.edges[edgeID].change(vmid(1), verdict{}, evpn.StateTerminated)
		w.quiesce()
		if len(w.requests(vmid(1))) == 0 {
			t.Error("withdrawn although the file still has the VM")
		}
		w.disk.full = false
		w.wait(time.Second)
		if out, ok := w.outcome(n); !ok || out.err != nil || len(w.requests(vmid(1))) != 0 || len(w.disk.image.VMs) != 0 {
			t.Errorf("after the disk is free again: %+v", out)
		}
	})
	t.Run("while a refused wish is to be asked again", func(t *testing.T) {
		w := newWorld(t)
		w.up(edgeID)
		w.edges[edgeID].script(vmid(1), refusal(evpn.TooBusy), verdict{})
		w.do(associate)
		w.disk.full = true
		w.wait(time.Minute)
		w.disk.full = false
		w.wait(2 * time.Second)
		if got := w.vm(vmid(1)).State; got != evpn.StateAssociated {
			t.Errorf("state %v, want associated", got)
		}
	})
}
