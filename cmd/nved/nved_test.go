package main

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/sirupsen/logrus"
	"google.golang.org/protobuf/testing/protocmp"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	"github.com/tns-project/tns/config"
	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/nve"
)

const example = `
nve_id: 192.0.2.1
as: 65000
vtep: 192.0.2.1
fabric:
  - {address: 192.0.2.254, as: 65000}
tes:
  - {prefix: 198.51.100.0/24, as: 65000, tes_ids: [198.51.100.11, 198.51.100.12]}
  - {address: 192.0.2.253, as: 65000, reflector: true, tes_ids: [203.0.113.1]}
vns:
  - {name: blue, vni: 10100}
  - {name: red, vni: 10200, export: ["65000:7"], bridge: br-red}
ports:
  - {port: eth1, vn: blue, tes: [198.51.100.11]}
  - {port: eth2, vn: blue, tes: [198.51.100.12]}
state: /var/lib/tns/nved.db
`

func load(t *testing.T, text string) *config.NVE {
	t.Helper()
	c, err := config.ParseNVE("nved.yaml", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The planes are two speakers: TESs come to the one, the other does not listen and offers no route target of requests.
func TestPlanesAreApart(t *testing.T) {
	c := load(t, example)
	log := logrus.NewEntry(logrus.New())
	tes, fabric := tesSpeaker(c, log), fabricSpeaker(c, log)
	everywhere := []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:179"), netip.MustParseAddrPort("[::]:179")}
	if !slices.Equal(tes.Listen, everywhere) || fabric.Listen != nil {
		t.Errorf("listen on %v and %v, want on port 179 for TESs and not for the fabric", tes.Listen, fabric.Listen)
	}
	if tes.Inner.Overlaps(fabric.Inner) {
		t.Errorf("inner addresses %v and %v overlap", tes.Inner, fabric.Inner)
	}
	if len(tes.RouteTargets) != 1 || tes.RouteTargets[0] != evpn.RequestTarget(c.ID) || len(fabric.RouteTargets) != 0 {
		t.Errorf("route targets %v and %v, want that of requests to us, and none", tes.RouteTargets, fabric.RouteTargets)
	}
	if len(tes.Peers) != 2 || !tes.Peers[0].Dynamic || tes.Peers[1].Dynamic {
		t.Errorf("peers %+v, want TESs that come to us and a reflector that we go to", tes.Peers)
	}
	if len(fabric.Peers) != 1 || fabric.Peers[0].Dynamic || fabric.Peers[0].Prefix != netip.MustParsePrefix("192.0.2.254/32") {
		t.Errorf("peers %+v, want the fabric's reflector", fabric.Peers)
	}
}

func TestEdgeConfig(t *testing.T) {
	e := edgeConfig(load(t, example))
	if len(e.VNs) != 2 || len(e.VNs[0].Ports) != 2 || e.VNs[0].Ports[1].Name != "eth2" || len(e.VNs[1].Ports) != 0 {
		t.Errorf("VNs %+v, want blue with two ports and red with none", e.VNs)
	}
	if got := targets(e.VNs[0].Export); !cmp.Equal(got, []string{"65000:10100"}) {
		t.Errorf("blue exports %v, want AS:VNI", got)
	}
	if got := targets(e.VNs[1].Export); !cmp.Equal(got, []string{"65000:7"}) {
		t.Errorf("red exports %v, want its own list", got)
	}
	if len(e.Neighbors) != 2 || !e.Neighbors[1].Reflector {
		t.Errorf("neighbors %+v", e.Neighbors)
	}
	derived := edgeConfig(load(t, example+"route_target: rfc8365\n"))
	if got := derived.VNs[0].Export[0]; got != evpn.RFC8365RouteTarget(65000, 10100) {
		t.Errorf("blue exports %v, want the form of RFC 8365", got)
	}
}

func TestNetworks(t *testing.T) {
	want := []dataplane.Network{
		{VNI: 10100, Name: "blue", Bridge: "tnsbr10100", VXLAN: "tnsvx10100", VTEP: netip.MustParseAddr("192.0.2.1"), UDPPort: 4789, Ports: dataplane.AccessPorts("eth1", "eth2")},
		{VNI: 10200, Name: "red", Bridge: "br-red", VXLAN: "tnsvx10200", VTEP: netip.MustParseAddr("192.0.2.1"), UDPPort: 4789},
	}
	if diff := cmp.Diff(want, networks(load(t, example)), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("networks (-want +got):\n%s", diff)
	}
}

func TestViewEntry(t *testing.T) {
	b := &backend{config: load(t, example)}
	mac := dataplane.MAC{2, 0, 0, 0, 0, 1}
	vtep, ip := netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("10.1.0.1")
	for name, c := range map[string]struct {
		entry dataplane.Status
		want  *tnsv1.FDBEntry
	}{
		"local": {
			dataplane.Status{Entry: dataplane.Entry{Key: dataplane.Key{Kind: dataplane.Unicast, VNI: 10100, MAC: mac}, LocalPort: "eth1"}, InKernel: true},
			&tnsv1.FDBEntry{Kind: tnsv1.FDBEntry_KIND_LOCAL, Mac: "02:00:00:00:00:01", Port: "eth1", State: tnsv1.FDBEntry_STATE_INSTALLED},
		},
		"remote, not written yet": {
			dataplane.Status{Entry: dataplane.Entry{Key: dataplane.Key{Kind: dataplane.Unicast, VNI: 10100, MAC: mac}, VTEP: vtep}},
			&tnsv1.FDBEntry{Kind: tnsv1.FDBEntry_KIND_REMOTE, Mac: "02:00:00:00:00:01", Vtep: "192.0.2.2", State: tnsv1.FDBEntry_STATE_PENDING},
		},
		"flood list": {
			dataplane.Status{Entry: dataplane.Entry{Key: dataplane.Key{Kind: dataplane.Flood, VNI: 10100, IP: vtep}}, Err: "no space left on device"},
			&tnsv1.FDBEntry{Kind: tnsv1.FDBEntry_KIND_FLOOD, Vtep: "192.0.2.2", State: tnsv1.FDBEntry_STATE_FAILED, Error: "no space left on device"},
		},
		"neighbor": {
			dataplane.Status{Entry: dataplane.Entry{Key: dataplane.Key{Kind: dataplane.Neighbor, VNI: 10100, IP: ip}, LinkAddr: mac}, InKernel: true},
			&tnsv1.FDBEntry{Kind: tnsv1.FDBEntry_KIND_NEIGHBOR, Ip: "10.1.0.1", Mac: "02:00:00:00:00:01", State: tnsv1.FDBEntry_STATE_INSTALLED},
		},
		"port": {
			dataplane.Status{Entry: dataplane.Entry{Key: dataplane.Key{Kind: dataplane.Port, VNI: 10100, Port: "eth1"}, Open: true}, InKernel: true, Drops: 3},
			&tnsv1.FDBEntry{Kind: tnsv1.FDBEntry_KIND_PORT, Port: "eth1", Open: true, Drops: 3, State: tnsv1.FDBEntry_STATE_INSTALLED},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.want.Vn, c.want.Vni = "blue", 10100
			if diff := cmp.Diff(c.want, b.viewEntry(c.entry), protocmp.Transform()); diff != "" {
				t.Errorf("entry (-want +got):\n%s", diff)
			}
		})
	}
}

func TestViewVM(t *testing.T) {
	c := load(t, example)
	for _, v := range []struct {
		view nve.VMView
		mark tnsv1.Mark
		tag  bool
	}{
		{nve.VMView{State: evpn.StateAssociated}, tnsv1.Mark_MARK_NONE, true},
		{nve.VMView{State: evpn.StateAssociated, Orphaned: true}, tnsv1.Mark_MARK_ORPHANED, true},
		{nve.VMView{State: evpn.StateEmigrating, Reason: evpn.Duplicate}, tnsv1.Mark_MARK_OUTRANKED, true},
		{nve.VMView{State: evpn.StateEmigrating, Reason: evpn.Duplicate, Orphaned: true}, tnsv1.Mark_MARK_ORPHANED, true},
		{nve.VMView{State: evpn.StateTerminated}, tnsv1.Mark_MARK_NONE, false},
	} {
		got := viewVM(c.ID, v.view)
		if got.Mark != v.mark || (got.Tag != nil) != v.tag || got.Nve != "192.0.2.1" {
			t.Errorf("view of %+v: %v, want mark %v, a tag: %v", v.view, got, v.mark, v.tag)
		}
	}
}

// The edge that serves a VN is this one, also where people ask the edge itself.
func TestViewNetwork(t *testing.T) {
	b := &backend{config: load(t, example)}
	got := b.viewNetwork(nve.VNView{Name: "red", VNI: 10200, Members: 2, Active: 1, Flood: []netip.Addr{netip.MustParseAddr("192.0.2.2")}}, nil)
	want := &tnsv1.Network{
		Name: "red", Vni: 10200, Nve: "192.0.2.1", Bridge: "br-red", Vxlan: "tnsvx10200", Imports: []string{"*:10200"}, Exports: []string{"65000:7"},
		FloodList: []string{"192.0.2.2"}, Vms: 2, Active: 1,
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("network (-want +got):\n%s", diff)
	}
}

func TestFindVN(t *testing.T) {
	b := &backend{config: load(t, example)}
	for _, c := range []struct {
		q    *tnsv1.VN
		want string
	}{
		{&tnsv1.VN{Id: &tnsv1.VN_Name{Name: "red"}}, "red"},
		{&tnsv1.VN{Id: &tnsv1.VN_Vni{Vni: 10100}}, "blue"},
	} {
		if v, err := b.find(c.q); err != nil || v.Name != c.want {
			t.Errorf("find %v: %s, %v; want %s", c.q, v.Name, err, c.want)
		}
	}
	for _, q := range []*tnsv1.VN{nil, {}, {Id: &tnsv1.VN_Name{Name: "green"}}, {Id: &tnsv1.VN_Vni{Vni: 1}}} {
		if v, err := b.find(q); err == nil {
			t.Errorf("find %v: %s, want an error", q, v.Name)
		}
	}
}

// The guard leaves processors to the engine where there are some.
func TestGuardLeavesProcessors(t *testing.T) {
	for all, want := range map[int]int{1: 1, 2: 1, 3: 1, 4: 2, 64: 32} {
		if got := guardProcessors(all); got != want {
			t.Errorf("of %d processors it takes %d, want %d", all, got, want)
		}
	}
}
