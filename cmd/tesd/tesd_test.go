package main

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/sirupsen/logrus"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	"github.com/tns-project/tns/config"
	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/tes"
	"github.com/tns-project/tns/speaker/guard"
)

const vmid = "6f1c2b3a-4d5e-4f60-8192-0a1b2c3d4e5f"

func load(t *testing.T, text string) *config.TES {
	t.Helper()
	c, err := config.ParseTES("tesd.yaml", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Two NVEs behind one reflector are one session, told apart by the requests' route targets.
func TestSpeakerHasOneSessionPerAddress(t *testing.T) {
	c := load(t, `
tes_id: 198.51.100.11
as: 65000
nves:
  - {address: 192.0.2.254, as: 65000, nve_id: 192.0.2.1}
  - {address: 192.0.2.254, as: 65000, nve_id: 192.0.2.2}
  - {address: 192.0.2.3, as: 65001, nve_id: 192.0.2.3, port: 1790}
vns:
  - {name: blue, vni: 10100}
state: /var/lib/tns/tesd.db
`)
	s := speakerConfig(c, logrus.NewEntry(logrus.New()))
	var peers []string
	for _, p := range s.Peers {
		if p.Dynamic {
			t.Errorf("peer %v is dynamic, want that a TES connects", p.Prefix)
		}
		peers = append(peers, p.Prefix.String())
	}
	if diff := cmp.Diff([]string{"192.0.2.254/32", "192.0.2.3/32"}, peers); diff != "" {
		t.Errorf("peers (-want +got):\n%s", diff)
	}
	if s.Listen != nil {
		t.Errorf("listens on %v, want nothing: a TES does not listen", s.Listen)
	}
	if len(s.RouteTargets) != 1 || s.RouteTargets[0] != evpn.ResponseTarget(c.ID) {
		t.Errorf("route targets %v, want that of responses to us", s.RouteTargets)
	}
	if a := agentConfig(c); len(a.NVEs) != 3 {
		t.Errorf("the agent is told of %d NVEs, want 3", len(a.NVEs))
	}
}

// What the file says of a session, the guard is told.
func TestSessionIsAsConfigured(t *testing.T) {
	s := speakerConfig(load(t, `
tes_id: 198.51.100.11
as: 65000
nves:
  - {address: 192.0.2.1, as: 65001, nve_id: 192.0.2.1, port: 1790, local_address: 198.51.100.12, hold_time: 30s, connect_retry: 5s, password: secret,
     ttl_security_hops: 2, message_rate: 10, max_routes: 20}
  - {address: 192.0.2.2, as: 65001, nve_id: 192.0.2.2, multihop_ttl: 3}
state: /var/lib/tns/tesd.db
record: /var/lib/tns/record
`), logrus.NewEntry(logrus.New()))
	addr, prefix := netip.MustParseAddr, netip.MustParsePrefix
	want := []guard.Peer{
		{Prefix: prefix("192.0.2.1/32"), AS: 65001, Port: 1790, LocalAddress: addr("198.51.100.12"), HoldTime: 30 * time.Second, ConnectRetry: 5 * time.Second,
			Password: "secret", SecurityHops: 2, MessageRate: 10, MaxRoutes: 20, Description: "NVE 192.0.2.1"},
		{Prefix: prefix("192.0.2.2/32"), AS: 65001, Port: 179, HoldTime: 9 * time.Second, ConnectRetry: time.Second, MultihopTTL: 3, MaxRoutes: 1_000_000,
			Description: "NVE 192.0.2.2"},
	}
	if diff := cmp.Diff(want, s.Peers, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); diff != "" {
		t.Errorf("peers (-want +got):\n%s", diff)
	}
	if s.Record != "/var/lib/tns/record" {
		t.Errorf("recorded in %q", s.Record)
	}
}

func TestOperation(t *testing.T) {
	vm, _ := evpn.ParseVMID(vmid)
	mac, _ := evpn.ParseMAC("02:00:00:00:00:01")
	byName, byNumber := &tnsv1.VN{Id: &tnsv1.VN_Name{Name: "blue"}}, &tnsv1.VN{Id: &tnsv1.VN_Vni{Vni: 10100}}
	got, err := operation(&tnsv1.OperateRequest{
		Vmid: vmid, Op: tnsv1.Op_OP_ASSOCIATE, Immigration: true, DryRun: true, NoWait: true, Timeout: durationpb.New(3 * time.Second),
		Nics: []*tnsv1.NIC{
			{Vn: byName, Mac: "02:00:00:00:00:01", Policy: &tnsv1.Policy{Id: 17, Version: 3}},
			{Vn: byNumber, Mac: "02:00:00:00:00:01"},
		},
		Credentials: []*tnsv1.Credential{{Vn: byNumber, Mac: "02:00:00:00:00:01", KeyId: 7, Tag: make([]byte, 16), Expiry: 9}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := tes.Operation{
		Op: evpn.Associate, VM: vm, Immigration: true, DryRun: true, NoWait: true, Timeout: 3 * time.Second,
		NICs: []tes.NIC{
			{VN: "blue", MAC: mac, Policy: &evpn.Policy{Type: 17, Version: 3, Format: evpn.FormatUUID}},
			{VN: "10100", MAC: mac},
		},
		Credentials: []tes.Credential{{VN: "10100", MAC: mac, KeyID: 7, Expiry: 9}},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("operation (-want +got):\n%s", diff)
	}

	got, err = operation(&tnsv1.OperateRequest{Vmid: vmid, Op: tnsv1.Op_OP_KEEP_ALIVE})
	if err != nil || !got.KeepAlive || got.Op != 0 {
		t.Errorf("keep-alive: %+v, %v", got, err)
	}
}

func TestOperationRefusesWhatCannotBeMeant(t *testing.T) {
	for name, c := range map[string]struct {
		q    *tnsv1.OperateRequest
		want string
	}{
		"a VMID that is no UUID": {&tnsv1.OperateRequest{Vmid: "17"}, "UUID"},
		"a MAC of a group":       {&tnsv1.OperateRequest{Vmid: vmid, Nics: []*tnsv1.NIC{{Mac: "01:00:5e:00:00:01"}}}, "multicast"},
		"an address that is none": {&tnsv1.OperateRequest{Vmid: vmid, Nics: []*tnsv1.NIC{{Mac: "02:00:00:00:00:01", Ips: []string{"10.1"}}}},
			"want an IPv4 or IPv6 address"},
		"a policy too large": {&tnsv1.OperateRequest{Vmid: vmid, Nics: []*tnsv1.NIC{{Mac: "02:00:00:00:00:01", Policy: &tnsv1.Policy{Id: 1 << 24}}}},
			"24 bits"},
		"a tag too short": {&tnsv1.OperateRequest{Vmid: vmid, Credentials: []*tnsv1.Credential{{Mac: "02:00:00:00:00:01", Tag: []byte{1}}}},
			"16 octets"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := operation(c.q); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("operation: %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestViewVM(t *testing.T) {
	vm, _ := evpn.ParseVMID(vmid)
	mac, _ := evpn.ParseMAC("02:00:00:00:00:01")
	id, _ := evpn.ParseRouterID("198.51.100.11")
	nve, _ := evpn.ParseRouterID("192.0.2.1")
	got := viewVM(id, &tes.VM{
		ID: vm, NVE: nve, State: evpn.StateAssociated, Sequence: 7, Lifetime: 5 * time.Minute, Tag: &evpn.LocalTag{Type: 1, VID: 100, PCP: 3},
		Routes: []tes.Route{{VN: "blue", VNI: 10100, MAC: mac, Active: true}},
	})
	want := &tnsv1.VM{
		Vmid: vmid, Tes: "198.51.100.11", Nve: "192.0.2.1", State: tnsv1.State_STATE_ASSOCIATED, Sequence: 7,
		Lifetime: durationpb.New(5 * time.Minute), Tag: &tnsv1.Tag{Type: 1, Vid: 100, Pcp: 3},
		Routes: []*tnsv1.Route{{Vn: "blue", Vni: 10100, Mac: "02:00:00:00:00:01", Active: true}},
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("view (-want +got):\n%s", diff)
	}
	for _, c := range []struct {
		vm   tes.VM
		want tnsv1.Mark
	}{
		{tes.VM{State: evpn.StateAssociated}, tnsv1.Mark_MARK_NONE},
		{tes.VM{State: evpn.StateAssociated, Waiting: true}, tnsv1.Mark_MARK_WAITING},
		{tes.VM{State: evpn.StateAssociated, Waiting: true, Silent: true}, tnsv1.Mark_MARK_NO_ANSWER},
		{tes.VM{State: evpn.StateEmigrating, Reason: evpn.Duplicate}, tnsv1.Mark_MARK_OUTRANKED},
		{tes.VM{State: evpn.StateEmigrating}, tnsv1.Mark_MARK_NONE},
	} {
		if got := mark(&c.vm); got != c.want {
			t.Errorf("mark of %+v: %v, want %v", c.vm, got, c.want)
		}
	}
}
