package gobgp_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker/internal/live"
)

// FRR has no route target constraint. Offering it is harmless: the session comes up, and everything goes both ways, octet for octet, but for the order
// of communities, which FRR sorts.
func TestRouteTargetConstraintOfferedToFRR(t *testing.T) {
	t.Parallel()
	if !live.InNamespace(t) {
		return
	}
	a, b := address(), address()
	frr := live.StartFRR(t, map[netip.Addr]string{a: "passive", b: "passive"}).Address
	c, d := activeFrom(a, to(a, frr)), activeFrom(b, to(b, frr))
	c.RouteTargets = []evpn.RouteTarget{evpn.ResponseTarget(0xc6336401)}
	c.EndOfRIBTimeout, d.EndOfRIBTimeout = 3*time.Second, 3*time.Second
	one, two := start(t, c), start(t, d)
	route := macRoute(1)
	route.IP = netip.MustParseAddr("10.0.0.1")
	route.Communities = append(route.Communities, evpn.ExtendedCommunity{0x88, 1, 1, 2, 3, 4, 5, 6}, evpn.ExtendedCommunity{0x88, 3, 7, 8, 9, 1, 2, 3})
	route.LargeCommunities = []evpn.LargeCommunity{{Global: 65000, Data1: 102021, Data2: 7}}
	one.announce(t, route)
	two.announce(t, macRoute(2))
	got, next := two.WaitRoute(t, 0, route.RouteKey)
	route.OriginatorID = mustID(t, a)
	if diff := cmp.Diff(route, got.Route, cmp.Comparer(addrs)); diff != "" {
		t.Error(diff)
	}
	one.WaitRoute(t, 0, macRoute(2).RouteKey)
	if end, _ := one.WaitEnd(t, 0, frr); end.Implied {
		t.Error("End-of-RIB was implied") // FRR sends it to a peer that has graceful restart
	}
	one.withdraw(t, route.RouteKey)
	two.WaitWithdrawal(t, next, route.RouteKey)
	sessions, err := one.Sessions()
	if err != nil || len(sessions) != 1 || sessions[0].State != "established" {
		t.Errorf("sessions %+v, %v", sessions, err)
	}
}
