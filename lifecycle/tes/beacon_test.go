package tes

import (
	"slices"
	"testing"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker"
)

func (w *world) beacon(nve evpn.RouterID) (evpn.Route, evpn.Beacon) {
	w.t.Helper()
	r, ok := w.table.routes[w.core.beaconKey(nve)]
	if !ok {
		w.t.Fatalf("no beacon for %v", nve)
	}
	b, err := evpn.DecodeBeacon(r.Communities)
	if err != nil {
		w.t.Fatal(err)
	}
	return r, b
}

func TestBeacon(t *testing.T) {
	w := newWorld(t)
	r, first := w.beacon(edgeID)
	rd, number, _ := r.RD.Split()
	if r.Type != evpn.InclusiveMulticast || rd != tesID || number != 0 || r.Tag != evpn.EthernetTag(edgeID) || r.IP != tesID.Addr() ||
		r.PMSI == nil || r.PMSI.Type != 0 || !slices.Contains(r.RouteTargets(), evpn.RequestTarget(edgeID)) {
		t.Errorf("beacon is %+v", r)
	}
	if first.Lease.Lifetime != 90 || first.Digest != evpn.DigestOf(nil) {
		t.Errorf("beacon says %+v", first)
	}
	if other, _ := w.beacon(farID); other.Tag != evpn.EthernetTag(farID) || !slices.Contains(other.RouteTargets(), evpn.RequestTarget(farID)) {
		t.Errorf("the other NVE's beacon is %+v", other)
	}

	w.up(edgeID)
	w.up(farID)
	w.must(Operation{Op: evpn.Associate, VM: vmid(1), NICs: []NIC{nic("blue", 1, "10.0.0.1"), nic("named", 2)}})
	w.must(Operation{Op: evpn.Associate, VM: vmid(2), NICs: []NIC{nic("slow", 3)}}) // kept alive one by one
	w.must(Operation{Op: evpn.Associate, VM: vmid(3), NICs: []NIC{nic("far", 4)}})  // another NVE's
	w.wait(29 * time.Second)
	if _, b := w.beacon(edgeID); b.Lease.Counter != first.Lease.Counter {
		t.Error("the beacon beats before its interval")
	}
	w.wait(time.Second)
	_, second := w.beacon(edgeID)
	if second.Lease.Counter != first.Lease.Counter+1 {
		t.Errorf("counter %d after %d", second.Lease.Counter, first.Lease.Counter)
	}
	sequence := uint32(epoch.Unix())
	want := evpn.DigestOf([]evpn.DigestItem{
		{VNI: 10100, Key: w.routeOf("blue", mac(1), "").RouteKey, Sequence: sequence},
		{VNI: 10100, Key: w.routeOf("blue", mac(1), "10.0.0.1").RouteKey, Sequence: sequence},
		{VNI: 0, Key: w.routeOf("named", mac(2), "").RouteKey, Sequence: sequence},
	})
	if second.Digest != want {
		t.Errorf("digest %+v, want %+v", second.Digest, want)
	}

	w.now = w.now.Add(time.Minute)
	w.boot()
	if _, b := w.beacon(edgeID); b.Lease.Counter <= second.Lease.Counter {
		t.Error("a TES that starts again does not count on above")
	}
}

func TestReplyBeacon(t *testing.T) {
	reply := func(w *world, d evpn.Digest) speaker.Event {
		b := evpn.Beacon{Lease: evpn.Lease{Lifetime: 90}, Digest: d}
		return speaker.Event{Kind: speaker.Announced, Peer: edgePeer, Epoch: 1, Route: evpn.Route{
			RouteKey:    evpn.RouteKey{Type: evpn.InclusiveMulticast, RD: evpn.NewRD(edgeID, 0), Tag: evpn.EthernetTag(tesID), IP: edgeID.Addr()},
			Communities: append([]evpn.ExtendedCommunity{evpn.ExtendedCommunity(evpn.ResponseTarget(tesID))}, b.Communities()...),
		}}
	}
	w := newWorld(t)
	w.up(edgeID)
	w.must(Operation{Op: evpn.Associate, VM: vmid(1), NICs: []NIC{nic("blue", 1)}})
	wrong := evpn.Digest{Live: 7, CRC: 7}

	w.hear(reply(w, w.core.digest(edgeID)))
	if len(w.table.resent) != 0 {
		t.Error("sent again although the digests agree")
	}
	w.hear(reply(w, wrong))
	if len(w.table.resent) != 1 || w.table.resent[0] != edgePeer {
		t.Errorf("resent to %v, want %v", w.table.resent, edgePeer)
	}
	w.hear(reply(w, wrong))
	if len(w.table.resent) != 1 {
		t.Error("sent again twice within an interval")
	}
	w.wait(30 * time.Second)
	w.hear(reply(w, wrong))
	if len(w.table.resent) != 2 {
		t.Error("not sent again in the next interval")
	}
	for name, spoil := range map[string]func(*speaker.Event){
		"not to us":            func(e *speaker.Event) { e.Route.Tag++ },
		"from somebody else":   func(e *speaker.Event) { e.Peer = farPeer },
		"without digest":       func(e *speaker.Event) { e.Route.Communities = e.Route.Communities[:1] },
		"of another RD number": func(e *speaker.Event) { e.Route.RD = evpn.NewRD(edgeID, 5) },
	} {
		w.wait(30 * time.Second)
		e := reply(w, wrong)
		spoil(&e)
		w.hear(e)
		if len(w.table.resent) != 2 {
			t.Fatalf("a reply beacon %s was followed", name)
		}
	}
}

func TestPerVMKeepAliveNeedsASession(t *testing.T) {
	w := newWorld(t)
	w.up(edgeID)
	w.must(Operation{Op: evpn.Associate, VM: vmid(1), NICs: []NIC{nic("slow", 1)}})
	w.down(edgeID)
	w.wait(time.Hour)
	if got := w.request(vmid(1)); got.Flags != 0 || got.Sequence != uint32(epoch.Unix()) {
		t.Errorf("kept alive without a session: %+v", got)
	}
	w.up(edgeID)
	if got := w.request(vmid(1)); got.Flags != evpn.FlagKeepAlive || got.Base != evpn.StateAssociated {
		t.Errorf("after the session is back: %+v, want a keep-alive", got)
	}
}
