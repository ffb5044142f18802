package evpn_test

import (
	"testing"

	"github.com/tns-project/tns/evpn"
)

func TestCommunityInWords(t *testing.T) {
	for _, test := range []struct{ octets, want string }{
		{"88 01 12 08 6553f100", "OP associate base null M seq 1700000000"},
		{"88 01 16 20 00000007", "OP terminate base associated seq 7"},
		{"88 01 12 26 00000007", "OP associate base associated KD seq 7"},
		{"88 01 29 f1 00000007", "OP op 9 base state 15 seq 7 version 2"},
		{"88 02 7b0c2f6e5a4d", "VMID-a 7b0c2f6e5a4d"},
		{"88 03 4c1e9f3a2d8e", "VMID-b 4c1e9f3a2d8e"},
		{"88 04 6b1a0c55 01 02", "VMID-c 6b1a0c55 route 1 of 2"},
		{"88 05 012345 03 05 00", "POLICY 74565:3 UUID"},
		{"88 05 000001 00 00 00", "POLICY 1:0 format 0"},
		{"88 07 0 2 00 6553f100", "RESULT success state associated seq 1700000000"},
		{"88 07 1 0 02 00000007", "RESULT fail state null reason 2 (non-sufficient resources) seq 7"},
		{"88 07 2 3 c8 00000007", "RESULT fail-kept state suspended reason 200 (reason 200) seq 7"},
		{"88 08 01 d064 07 0000", "LOCAL-TAG 802.1Q vid 100 pcp 5 ps change 7"},
		{"88 08 00 0000 00 0000", "LOCAL-TAG untagged change 0"},
		{"88 08 09 1fff 01 0000", "LOCAL-TAG type 9 vid 4095 pcp 1 change 1"},
		{"88 09 012c 00000000", "LEASE 300 s counter 0"},
		{"88 0c 07 00 00000000", "ECHO change 7 applied"},
		{"88 0c 07 01 00000000", "ECHO change 7 failed"},
		{"88 0e 16477688c0e0", "VN-NAME-a 16477688c0e0"},
		{"88 0f 0699c6cfa449", "VN-NAME-b 0699c6cfa449"},
		{"88 10 0004 7c1d1fde", "DIGEST 4 live crc 7c1d1fde"},
		{"88 11 01 00 c0000201", "EDGE 192.0.2.1 express"},
		{"88 11 fe ff c0000201", "EDGE 192.0.2.1"},
		{"88 14 0102 00010203", "CREDENTIAL-a key 258 00010203"},
		{"88 15 040506070809", "CREDENTIAL-b 040506070809"},
		{"88 16 0a0b0c0d0e0f", "CREDENTIAL-c 0a0b0c0d0e0f"},
		{"88 17 6b49d200 0000", "EXPIRY 2027-01-15T08:00:00Z"},
		{"88 06 000000000001", "sub-type 0x06 000000000001"},
		{"88 ff 000000000001", "sub-type 0xff 000000000001"},
		{"00 02 fde8 00002774", "RT 65000:10100"},
		{"01 02 c0000201 0064", "RT 192.0.2.1:100"},
		{"06 00 00 00 00000001", "mobility 1"},
		{"06 00 01 00 ffffffff", "mobility 4294967295 sticky"},
		{"03 0c 0000 00000008", "encapsulation VXLAN"},
		{"06 03 020000000001", "0x0603020000000001"},
	} {
		c := evpn.ExtendedCommunity(octets(t, test.octets))
		if got := c.String(); got != test.want {
			t.Errorf("%s: got %q, want %q", test.octets, got, test.want)
		}
		if text, ok := evpn.Describe(c); ok != (c[0] == 0x88) || ok && text != test.want {
			t.Errorf("describe %s: %q, %v", test.octets, text, ok)
		}
	}
}

func TestMACMobilityOctets(t *testing.T) {
	for _, test := range []struct {
		m      evpn.MACMobility
		octets string
	}{
		{evpn.MACMobility{Sequence: 1}, "0600 00 00 00000001"},
		{evpn.MACMobility{Sticky: true, Sequence: 0xfffffffe}, "0600 01 00 fffffffe"},
	} {
		c := evpn.ExtendedCommunity(octets(t, test.octets))
		if got, ok := c.MACMobility(); test.m.Community() != c || got != test.m || !ok {
			t.Errorf("%s: wrote %x, read %+v %v", test.octets, test.m.Community(), got, ok)
		}
	}
	if m, ok := (evpn.ExtendedCommunity{0x06, 0x00, 0xfe, 0xff, 0, 0, 0, 3}).MACMobility(); !ok || m != (evpn.MACMobility{Sequence: 3}) {
		t.Errorf("reserved bits are not ignored: %+v", m)
	}
}

func TestRouteLooksAtItsCommunities(t *testing.T) {
	vn, request := evpn.AutoRouteTarget(65000, 10100), evpn.RequestTarget(1<<24)
	r := evpn.Route{Communities: []evpn.ExtendedCommunity{
		{0x06, 0x77}, // an EVPN community that is not known costs nothing
		evpn.ExtendedCommunity(vn),
		evpn.EncapsulationVXLAN,
		evpn.MACMobility{Sequence: 5}.Community(),
		evpn.MACMobility{Sequence: 4, Sticky: true}.Community(),
		evpn.MACMobility{Sequence: 6}.Community(),
		evpn.ExtendedCommunity(request),
	}}
	if got := r.RouteTargets(); len(got) != 2 || got[0] != vn || got[1] != request {
		t.Errorf("route targets %v", got)
	}
	if !r.HasRouteTarget(vn) || r.HasRouteTarget(evpn.AutoRouteTarget(65000, 10101)) {
		t.Error("a route target that is there is not found, or one that is not is")
	}
	if r.Signalling() {
		t.Error("signalling without a community of type 0x88")
	}
	for seed := range uint64(20) {
		other := evpn.Route{Communities: shuffled(r.Communities, seed)}
		if m, ok := other.Mobility(); !ok || m != (evpn.MACMobility{Sticky: true, Sequence: 4}) {
			t.Errorf("mobility %+v, %v, from %v", m, ok, other.Communities)
		}
	}
	if m, ok := (&evpn.Route{}).Mobility(); ok || m != (evpn.MACMobility{}) {
		t.Errorf("mobility of a route without: %+v", m)
	}
	r.Communities = append(r.Communities, evpn.ExtendedCommunity{0x88})
	if !r.Signalling() {
		t.Error("a community of type 0x88 is not seen")
	}
}

func TestEdgeOctets(t *testing.T) {
	for _, test := range []struct {
		edge   evpn.Edge
		octets string
	}{
		{evpn.Edge{Express: true, Session: routerID(t, "192.0.2.1")}, "11 01 00 c0000201"},
		{evpn.Edge{Session: routerID(t, "192.0.2.1")}, "11 00 00 c0000201"},
	} {
		c := community(t, test.octets)
		if test.edge.Community() != c {
			t.Errorf("%+v: wrote %x, want %x", test.edge, test.edge.Community(), c)
		}
		cs := []evpn.ExtendedCommunity{evpn.EncapsulationVXLAN, c}
		if got, ok := evpn.DecodeEdge(cs); !ok || got != test.edge || got.Addr() != ip4 {
			t.Errorf("%s: read %+v, %v", test.octets, got, ok)
		}
	}
	if _, ok := evpn.DecodeEdge([]evpn.ExtendedCommunity{evpn.EncapsulationVXLAN}); ok {
		t.Error("EDGE found where there is none")
	}
	both := communities(t, "11 01 00 c0000201", "11 00 00 c0000202")
	for seed := range uint64(8) {
		if e, ok := evpn.DecodeEdge(shuffled(both, seed)); !ok || e.Express {
			t.Errorf("of two, %+v is taken", e)
		}
	}
}

func TestContent(t *testing.T) {
	request := evpn.Request{Op: evpn.Associate, Sequence: 7, VM: vm, Index: 1, Count: 1, Echo: &evpn.Echo{Change: 1}, Policy: &evpn.Policy{Type: 1}}
	base := request.Communities()
	same := func(a, b []evpn.ExtendedCommunity) bool {
		x, y := evpn.Content(a), evpn.Content(b)
		if len(x) != len(y) {
			return false
		}
		for i := range x {
			if x[i] != y[i] {
				return false
			}
		}
		return true
	}
	for _, test := range []struct {
		name  string
		other []evpn.ExtendedCommunity
		equal bool
	}{
		{"another order", shuffled(base, 3), true},
		{"one twice", append(shuffled(base, 3), base[0]), true},
		{"communities of other types", append(shuffled(base, 3), evpn.EncapsulationVXLAN), true},
		{"reserved bits", append(base[1:len(base):len(base)], evpn.ExtendedCommunity{0x88, 0x01, 0x12, 0x01, 0, 0, 0, 7}), true},
		{"another ECHO", func() []evpn.ExtendedCommunity { r := request; r.Echo = &evpn.Echo{Change: 2}; return r.Communities() }(), true},
		{"no ECHO", func() []evpn.ExtendedCommunity { r := request; r.Echo = nil; return r.Communities() }(), true},
		{"another policy", func() []evpn.ExtendedCommunity {
			r := request
			r.Policy = &evpn.Policy{Type: 2}
			return r.Communities()
		}(), false},
		{"a sub-type that is not known", append(shuffled(base, 3), evpn.ExtendedCommunity{0x88, 0x7f}), false},
	} {
		if same(base, test.other) != test.equal {
			t.Errorf("%s: equal is not %v", test.name, test.equal)
		}
	}
}
