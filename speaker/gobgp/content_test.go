package gobgp_test

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker"
)

// contents are routes with all that a route can have. Each community of SPEC §2 is on one of them, with random octets.
func contents() []evpn.Route {
	random := rand.New(rand.NewPCG(1, 2))
	var routes []evpn.Route
	add := func(change func(*evpn.Route)) {
		r := macRoute(byte(len(routes)))
		r.RD = evpn.NewRD(0xc6336401, 2)
		change(&r)
		routes = append(routes, r)
	}
	add(func(r *evpn.Route) {})
	add(func(r *evpn.Route) { r.IP = netip.MustParseAddr("10.0.0.1") })
	add(func(r *evpn.Route) { r.IP = netip.MustParseAddr("2001:db8::1") })
	add(func(r *evpn.Route) { r.NextHop = netip.MustParseAddr("2001:db8::2") })
	add(func(r *evpn.Route) { r.Label, r.Tag = 0, 0xfffffffe })
	add(func(r *evpn.Route) { r.Label = evpn.MaxVNI })
	add(func(r *evpn.Route) { r.Label = 1 }) // would be the bottom of a stack of MPLS labels
	add(func(r *evpn.Route) { r.ESI = evpn.ESI{0, 1, 2, 3, 4, 5, 6, 7, 8, 9} })
	add(func(r *evpn.Route) { r.ESI = evpn.ESI{3, 2, 0, 0, 0, 0, 1, 0, 0, 7} })
	add(func(r *evpn.Route) { r.RD = evpn.RouteDistinguisher{0, 0, 0xfd, 0xe8, 0, 0, 0, 9} })
	add(func(r *evpn.Route) { r.RD = evpn.RouteDistinguisher{0, 2, 0, 1, 0, 0, 0, 9} })
	add(func(r *evpn.Route) { r.Communities = nil })
	add(func(r *evpn.Route) {
		r.LargeCommunities = []evpn.LargeCommunity{{Global: 65000, Data1: 102021, Data2: 1 << 31}, {Global: 1, Data1: 2, Data2: 3}}
	})
	add(func(r *evpn.Route) { // what the fabric has, not in ascending order
		r.Communities = []evpn.ExtendedCommunity{
			evpn.EncapsulationVXLAN,
			evpn.MACMobility{Sequence: 0xffffffff}.Community(),
			evpn.ExtendedCommunity(evpn.AutoRouteTarget(65000, 10100)),
			{0x06, 0x00, 1, 0, 0, 0, 0, 1},             // sticky
			{0x06, 0x03, 2, 0, 0, 0, 0, 1},             // router MAC
			{0x03, 0x0d, 0, 0, 0, 0, 0, 0},             // default gateway
			{0x02, 0x02, 0, 1, 0, 0, 0x27, 0x74},       // route target of a 4-octet AS
			{0x01, 0x02, 192, 0, 2, 1, 0, 7},           // route target of an address
			{0x00, 0x02, 0xfd, 0xe8, 0xff, 0, 0, 1},    // route target with a big number
			{0x00, 0x03, 0xfd, 0xe8, 0, 0, 0, 1},       // route origin
			{0x03, 0x80, 1, 2, 3, 4, 5, 6},             // opaque, unknown
			{0x80, 0xa5, 1, 2, 3, 4, 5, 6},             // experimental
			{0x43, 0x99, 0xff, 0, 0xff, 0, 0xff, 0x11}, // opaque, not transitive
		}
	})
	for from := 0; from < 256; from += 30 { // 0x88 with every sub-type
		add(func(r *evpn.Route) {
			for sub := from; sub < min(from+30, 256); sub++ {
				c := evpn.ExtendedCommunity{0x88, byte(sub)}
				for i := 2; i < 8; i++ {
					c[i] = byte(random.Uint32())
				}
				r.Communities = append(r.Communities, c)
			}
		})
	}
	imet := func(pmsi *evpn.PMSITunnel, ip string) {
		add(func(r *evpn.Route) {
			r.RouteKey = evpn.RouteKey{Type: evpn.InclusiveMulticast, RD: evpn.NewRD(0xc6336401, uint16(len(routes))), Tag: 7, IP: netip.MustParseAddr(ip)}
			r.Label, r.PMSI = 0, pmsi
		})
	}
	imet(&evpn.PMSITunnel{Type: evpn.IngressReplication, Label: 10100, ID: netip.MustParseAddr("192.0.2.1")}, "192.0.2.1")
	imet(&evpn.PMSITunnel{Type: evpn.IngressReplication, Label: evpn.MaxVNI, ID: netip.MustParseAddr("2001:db8::1")}, "2001:db8::1")
	imet(&evpn.PMSITunnel{Type: 0}, "198.51.100.1")
	imet(nil, "198.51.100.1")
	return routes
}

// Every octet of a route arrives as it was announced, with the communities in their order.
func TestContentGoesThroughASession(t *testing.T) {
	t.Parallel()
	passive, active := pair(t)
	for _, route := range contents() {
		active.announce(t, route)
		got, next := passive.WaitRoute(t, 0, route.RouteKey)
		if diff := cmp.Diff(route, got.Route, cmp.Comparer(addrs)); diff != "" {
			t.Errorf("%v:\n%s", route.RouteKey, diff)
		}
		active.withdraw(t, route.RouteKey)
		passive.WaitWithdrawal(t, next, route.RouteKey)
	}
	if stats := passive.Stats(); stats.Received != 2*uint64(len(contents())) || stats.Refused+stats.Skipped+stats.TreatedAsWithdraw+stats.Ignored != 0 {
		t.Errorf("%+v", stats)
	}
}

// A change of anything is sent, also of the communities' order; nothing is sent twice.
func TestEachChangeIsSent(t *testing.T) {
	t.Parallel()
	passive, active := pair(t)
	route := macRoute(1)
	route.Communities = append(route.Communities, evpn.ExtendedCommunity{0x88, 1, 0, 0, 0, 0, 0, 1})
	active.announce(t, route)
	_, next := passive.WaitRoute(t, 0, route.RouteKey)
	for _, change := range []func(*evpn.Route){
		func(r *evpn.Route) { r.Communities[1][7] = 2 },
		func(r *evpn.Route) { r.Communities[0], r.Communities[1] = r.Communities[1], r.Communities[0] },
		func(r *evpn.Route) { r.Label++ },
		func(r *evpn.Route) { r.ESI[9] = 1 },
		func(r *evpn.Route) { r.NextHop = r.NextHop.Next() },
		func(r *evpn.Route) { r.LargeCommunities = []evpn.LargeCommunity{{Global: 1}} },
	} {
		route.Communities = append([]evpn.ExtendedCommunity(nil), route.Communities...)
		change(&route)
		active.announce(t, route)
		active.announce(t, route)
		var got speaker.Event
		got, next = passive.WaitRoute(t, next, route.RouteKey)
		if diff := cmp.Diff(route, got.Route, cmp.Comparer(addrs)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestAnnounceRefusesWhatCannotBeSent(t *testing.T) {
	t.Parallel()
	s := run(t, activeFrom(address()))
	for _, test := range []struct {
		name   string
		change func(*evpn.Route)
		want   string
	}{
		{"33 communities", func(r *evpn.Route) { r.Communities = make([]evpn.ExtendedCommunity, 33) }, "at most 32"},
		{"an UPDATE over 4096 octets", func(r *evpn.Route) { r.LargeCommunities = make([]evpn.LargeCommunity, 320) }, "at most 4096"},
		{"no next hop", func(r *evpn.Route) { r.NextHop = netip.Addr{} }, "next hop"},
		{"a next hop with zone", func(r *evpn.Route) { r.NextHop = netip.MustParseAddr("fe80::1%lo") }, "next hop"},
		{"an IPv4-mapped address", func(r *evpn.Route) { r.IP = netip.MustParseAddr("::ffff:10.0.0.1") }, "address"},
		{"a label of 25 bits", func(r *evpn.Route) { r.Label = evpn.MaxVNI + 1 }, "24 bits"},
		{"an RD of type 3", func(r *evpn.Route) { r.RD[1] = 3 }, "type 3"},
		{"a route of type 5", func(r *evpn.Route) { r.Type = 5 }, "route type 5"},
		{"type 3 without originator", func(r *evpn.Route) { r.Type, r.MAC = evpn.InclusiveMulticast, evpn.MAC{} }, "originating"},
		{"ingress replication without VTEP", func(r *evpn.Route) { r.PMSI = &evpn.PMSITunnel{Type: evpn.IngressReplication} }, "VTEP"},
		{"a tunnel label of 25 bits", func(r *evpn.Route) { r.PMSI = &evpn.PMSITunnel{Label: 1 << 24} }, "24 bits"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := macRoute(1)
			test.change(&r)
			if err := s.Announce(r); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q in it", err, test.want)
			}
		})
	}
	if own, err := s.Own(); err != nil || len(own) != 0 {
		t.Errorf("own %v, %v", own, err)
	}
}
