package tes

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker"
)

// A request route as SPEC §1 and §2 have it, to the last community.
func TestRequestRoute(t *testing.T) {
	w := newWorld(t)
	policy := &evpn.Policy{Type: 7, Version: 2, Format: 5}
	expiry := uint32(1_800_000_000)
	card := nic("blue", 1, "10.0.0.1")
	card.Policy = policy
	w.do(Operation{
		Op: evpn.Associate, VM: vmid(1), NICs: []NIC{card}, Immigration: true,
		Credentials: []Credential{{VN: "10100", MAC: mac(1), IP: netip.MustParseAddr("10.0.0.1"), KeyID: 9, Tag: [16]byte{1, 2}, Expiry: expiry}},
	})
	request := evpn.Request{
		Op: evpn.Associate, Base: evpn.StateNull, Flags: evpn.FlagImmigration, Sequence: uint32(epoch.Unix()), VM: vmid(1), Index: 2, Count: 2,
		Policy: policy, Credential: &evpn.Credential{KeyID: 9, Tag: [16]byte{1, 2}}, Expiry: &expiry,
	}
	want := evpn.Route{
		RouteKey: evpn.RouteKey{
			Type: evpn.MACIPAdvertisement, RD: evpn.NewRD(tesID, 1), Tag: 0, MAC: mac(1), IP: netip.MustParseAddr("10.0.0.1"),
		},
		ESI:              evpn.ESI{},
		Label:            10100,
		NextHop:          tesID.Addr(),
		Communities:      append([]evpn.ExtendedCommunity{evpn.ExtendedCommunity(evpn.RequestTarget(edgeID))}, request.Communities()...),
		LargeCommunities: []evpn.LargeCommunity{{Global: 65000, Data1: 100000 + 0*1000 + 2*10 + 1, Data2: uint32(epoch.Unix())}},
	}
	got := w.routeOf("blue", mac(1), "10.0.0.1")
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	bare, err := evpn.DecodeRequest(w.routeOf("blue", mac(1), "").Communities)
	if err != nil || bare.Credential != nil || bare.Policy == nil || bare.Index != 1 {
		t.Errorf("the route without IP: %+v, %v", bare, err)
	}
}

func TestAVNWithoutNumberIsNamed(t *testing.T) {
	w := newWorld(t)
	w.up(edgeID)
	w.must(Operation{Op: evpn.Associate, VM: vmid(1), NICs: []NIC{nic("named", 1)}})
	r := w.routeOf("named", mac(1), "")
	request := w.request(vmid(1))
	if r.Label != 0 || request.VNName == nil || *request.VNName != evpn.HashVNName("named") {
		t.Errorf("label %d, VN-NAME %v", r.Label, request.VNName)
	}
	w.must(Operation{Op: evpn.Associate, VM: vmid(2), NICs: []NIC{nic("blue", 2)}})
	if w.request(vmid(2)).VNName != nil {
		t.Error("a request with a VNI names the VN too")
	}
}

func TestARouteDistinguisherIsTheVNs(t *testing.T) {
	w := newWorld(t)
	w.up(edgeID)
	w.must(Operation{Op: evpn.Associate, VM: vmid(1), NICs: []NIC{nic("blue", 1), nic("red", 1)}})
	w.must(Operation{Op: evpn.Terminate, VM: vmid(1)})
	w.boot()
	w.up(edgeID)
	w.must(Operation{Op: evpn.Associate, VM: vmid(2), NICs: []NIC{nic("red", 2), nic("blue", 2)}})
	for vn, want := range map[string]uint16{"blue": 1, "red": 2} {
		if _, n, _ := w.routeOf(vn, mac(2), "").RD.Split(); n != want {
			t.Errorf("VN %s has RD number %d, want %d", vn, n, want)
		}
	}
}

func TestWhatTheSpeakerRefusesIsAnnouncedLater(t *testing.T) {
	w := newWorld(t)
	w.up(edgeID)
	w.table.failed = errors.New("busy")
	n := w.do(Operation{Op: evpn.Associate, VM: vmid(1), NICs: []NIC{nic("blue", 1)}})
	w.table.failed = nil
	w.wait(time.Second)
	if out, _ := w.outcome(n); out.err != nil || out.result.Status != evpn.Success || out.result.Sequence != uint32(epoch.Unix()) {
		t.Errorf("got %s", sayOutcome(out.result, out.err))
	}
}

// Own-table changes: all that is ours comes back as it was, what is not ours stays (SPEC §3 "Withdraw").
func TestRestore(t *testing.T) {
	w := newWorld(t)
	w.up(edgeID)
	w.must(Operation{Op: evpn.Associate, VM: vmid(1), NICs: []NIC{nic("blue", 1, "10.0.0.1")}})
	before := w.routeOf("blue", mac(1), "10.0.0.1")

	foreign := evpn.Route{RouteKey: evpn.RouteKey{Type: evpn.MACIPAdvertisement, RD: evpn.NewRD(tesID, 77), MAC: mac(9)}}
	w.table.routes[foreign.RouteKey] = foreign
	changed := before
	changed.Label = 5
	w.table.routes[before.RouteKey] = changed // replaced under our key
	delete(w.table.routes, w.routeOf("blue", mac(1), "").RouteKey)
	delete(w.table.routes, w.core.beaconKey(edgeID))
	keys, _ := w.table.Own()
	w.in(found{keys, true})

	if !sameRoute(before, w.routeOf("blue", mac(1), "10.0.0.1")) {
		t.Error("a replaced route was not put right")
	}
	w.routeOf("blue", mac(1), "")
	if _, ok := w.table.routes[w.core.beaconKey(edgeID)]; !ok {
		t.Error("the beacon was not restored")
	}
	if _, ok := w.table.routes[foreign.RouteKey]; !ok {
		t.Error("a route that is not ours was touched")
	}
	if got := w.core.stats.Restores; got != 2 {
		t.Errorf("%d restores counted, want 2", got)
	}
	if w.request(vmid(1)).Sequence != uint32(epoch.Unix()) {
		t.Error("restored with another sequence")
	}
}

func TestResyncSendsAllAgain(t *testing.T) {
	w := newWorld(t)
	w.up(edgeID)
	w.in(resync{})
	if !slices.Equal(w.table.resent, []netip.Addr{{}}) {
		t.Errorf("resent to %v", w.table.resent)
	}
}

func TestRefusedRoutesCountAsWithdrawn(t *testing.T) {
	w := newWorld(t)
	w.up(edgeID)
	w.must(Operation{Op: evpn.Associate, VM: vmid(1), NICs: []NIC{nic("blue", 1)}})
	for key := range w.edges[edgeID].said {
		w.core.handle(w.now, heard{speaker.Event{Kind: speaker.Refused, Peer: edgePeer, Epoch: 1, Key: key}})
	}
	w.core.handle(w.now.Add(5*time.Second), tick{})
	if v := w.vm(vmid(1)); !v.Silent || v.State != evpn.StateAssociated {
		t.Errorf("silent %v, state %v: want a missing answer, and the acknowledged state kept", v.Silent, v.State)
	}
}
