package main

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/sirupsen/logrus"

	"github.com/tns-project/tns/cmd/internal/bgp"
	"github.com/tns-project/tns/speaker/guard"
)

// What the file says of a session, the guard is told.
func TestSessionsAreAsConfigured(t *testing.T) {
	c := load(t, `
nve_id: 192.0.2.1
as: 65000
vtep: 192.0.2.1
fabric:
  - {address: 192.0.2.254, as: 65001, port: 1179, local_address: 192.0.2.1, hold_time: 30s, connect_retry: 5s, password: one, ttl_security_hops: 2,
     message_rate: 10, max_routes: 20}
  - {address: 192.0.2.252, as: 65001, multihop_ttl: 3}
tes:
  - {prefix: 198.51.100.0/24, local_address: 192.0.2.2, hold_time: 31s, password: two, ttl_security_hops: 3, message_rate: 11, max_routes: 21}
  - {address: 192.0.2.253, as: 65002, reflector: true, tes_ids: [203.0.113.1], port: 1180, connect_retry: 6s, multihop_ttl: 4}
vns: []
state: /var/lib/tns/nved.db
record: /var/lib/tns/record
`)
	log := logrus.NewEntry(logrus.New())
	tes, fabric := tesSpeaker(c, log), fabricSpeaker(c, log)
	addr, prefix := netip.MustParseAddr, netip.MustParsePrefix
	for _, v := range []struct{ got, want []guard.Peer }{
		{fabric.Peers, []guard.Peer{
			{Prefix: prefix("192.0.2.254/32"), AS: 65001, Port: 1179, LocalAddress: addr("192.0.2.1"), HoldTime: 30 * time.Second, ConnectRetry: 5 * time.Second,
				Password: "one", SecurityHops: 2, MessageRate: 10, MaxRoutes: 20, Description: "fabric"},
			{Prefix: prefix("192.0.2.252/32"), AS: 65001, Port: 179, HoldTime: 9 * time.Second, ConnectRetry: time.Second, MultihopTTL: 3, MaxRoutes: 1_000_000,
				Description: "fabric"},
		}},
		{tes.Peers, []guard.Peer{
			{Prefix: prefix("198.51.100.0/24"), Dynamic: true, LocalAddress: addr("192.0.2.2"), HoldTime: 31 * time.Second, Password: "two", SecurityHops: 3,
				MessageRate: 11, MaxRoutes: 21, Description: "TES"},
			{Prefix: prefix("192.0.2.253/32"), AS: 65002, Port: 1180, HoldTime: 9 * time.Second, ConnectRetry: 6 * time.Second, MultihopTTL: 4, MaxRoutes: 1_000_000,
				Description: "reflector of TESs"},
		}},
	} {
		if diff := cmp.Diff(v.want, v.got, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); diff != "" {
			t.Errorf("peers (-want +got):\n%s", diff)
		}
	}
	if tes.Record != "/var/lib/tns/record/tes" || fabric.Record != "/var/lib/tns/record/fabric" {
		t.Errorf("recorded in %s and %s, want a directory a plane", tes.Record, fabric.Record)
	}
	c.Record = ""
	if s := tesSpeaker(c, log); s.Record != "" {
		t.Errorf("recorded in %s although nothing is to be", s.Record)
	}
}

// An engine that has heard its peers only in part must not have what it does not know yet withdrawn, in neither plane.
func TestGuardsWaitForTheStart(t *testing.T) {
	c := load(t, `
nve_id: 192.0.2.1
as: 65000
vtep: 192.0.2.1
state: /var/lib/tns/nved.db
startup_hold: 40s
`)
	log := logrus.NewEntry(logrus.New())
	tes, fabric := tesSpeaker(c, log), fabricSpeaker(c, log)
	for name, s := range map[string]bgp.Config{"TES plane": tes, "fabric": fabric} {
		if !s.Learns || s.RenewTime <= c.StartupHold {
			t.Errorf("%s: learns %t, renewal after %v with a start of at most %v", name, s.Learns, s.RenewTime, c.StartupHold)
		}
	}
	if tes.Inner.Overlaps(fabric.Inner) {
		t.Errorf("both planes meet in %v and %v", tes.Inner, fabric.Inner)
	}
}

// guards answers as a guard does.
type guards struct {
	peers []guard.Status
	err   error
}

func (g guards) Peers(context.Context) ([]guard.Status, guard.Totals, error) {
	return g.peers, guard.Totals{}, g.err
}

// Other edges have what an engine before announced as long as the guard has it and a session to tell them.
func TestStanding(t *testing.T) {
	for _, c := range []struct {
		name string
		guards
		want bool
	}{
		{"a guard that kept routes", guards{peers: []guard.Status{{State: guard.Active}, {State: guard.Established, RoutesOut: 1}}}, true},
		{"a guard that is new", guards{peers: []guard.Status{{State: guard.Established}}}, false},
		{"a session that went", guards{peers: []guard.Status{{State: guard.Active, RoutesOut: 1}}}, false},
		{"no answer", guards{peers: []guard.Status{{State: guard.Established, RoutesOut: 1}}, err: errors.New("gone")}, false},
	} {
		if got := standing(c.guards); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
