package linux

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/dataplane/dataplanetest"
)

// pairLab is one edge with two VMs: a behind blue1, c behind blue2, both known to it.
type pairLab struct {
	edge edge
	a, c vm
	at   *wire // of a
	ct   *wire // of c
	n    byte  // fences so far
}

func newPair(t testing.TB) *pairLab {
	l := &pairLab{edge: edge{space: newSpace(t), vtep: netip.MustParseAddr("192.0.2.1")}}
	l.a = newSilentVM(t, l.edge, "blue1", 1)
	l.c = newSilentVM(t, l.edge, "blue2", 3)
	l.edge.k = l.edge.kernel(t)
	n := dataplane.Network{
		VNI: vni, Name: "blue", Bridge: "br", VXLAN: "vx", VTEP: l.edge.vtep, MTU: 1450,
		Ports: []dataplane.MemberPort{{Name: "blue1", Bandwidth: 20e6}, {Name: "blue2", Bandwidth: 20e6}},
	}
	if err := l.edge.k.Ensure(t.Context(), []dataplane.Network{n}); err != nil {
		t.Fatal(err)
	}
	l.set(t, l.entries()...)
	l.at, l.ct = l.a.wire(t), l.c.wire(t)
	l.at.reaches(t, l.ct, fenceOf(l.c.mac, l.a.mac, 0))
	l.ct.reaches(t, l.at, fenceOf(l.a.mac, l.c.mac, 0))
	return l
}

func (l *pairLab) set(t testing.TB, entries ...dataplane.Entry) {
	t.Helper()
	if err := errorIn(l.edge.k.Apply(t.Context(), entries, nil)); err != nil {
		t.Fatal(err)
	}
}

// policy is an entry of a VM of the lab.
func (l *pairLab) policy(v vm, p dataplane.VMPolicy) dataplane.Entry {
	return dataplanetest.Policed(vni, v.mac, map[dataplane.MAC]string{l.a.mac: "blue1", l.c.mac: "blue2"}[v.mac], p)
}

// arrives sends frames from a, and returns for each whether c got it.
func (l *pairLab) arrives(t testing.TB, frames ...frame) []bool {
	t.Helper()
	arrived := make([]bool, len(frames))
	for i, f := range frames {
		l.n++
		fence := fenceOf(l.c.mac, l.a.mac, l.n)
		l.at.send(t, f, fence)
		arrived[i] = slices.ContainsFunc(l.ct.until(t, fence), func(g []byte) bool { return bytes.HasPrefix(g[12:], f[12:14]) })
	}
	return arrived
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func TestRulesMatchWhatTheySay(t *testing.T) {
	l := newPair(t)
	a, c := l.a.mac, l.c.mac
	four := func(protocol uint8, payload []byte) frame { return ip(c, a, l.a.ip4, l.c.ip4, protocol, payload) }
	six := func(protocol uint8, payload []byte) frame { return ip(c, a, l.a.ip6, l.c.ip6, protocol, payload) }
	group := dataplane.MAC{1, 0, 0x5e, 1, 2, 3}
	const tcp, udp = 6, 17
	for _, test := range []struct {
		name    string
		match   dataplane.Match
		matched []frame
		others  []frame
	}{
		{"source MAC", dataplane.Match{SrcMAC: a}, []frame{four(udp, ported(1, 2)), six(tcp, ported(1, 2))}, nil},
		{"another source MAC", dataplane.Match{SrcMAC: c}, nil, []frame{four(udp, ported(1, 2))}},
		{"destination MAC", dataplane.Match{DstMAC: group}, []frame{ip(group, a, l.a.ip4, addr("239.1.2.3"), udp, ported(1, 2))}, []frame{four(udp, ported(1, 2))}},
		{"EtherType", dataplane.Match{EtherType: 0x88b5}, []frame{ether(c, a, 0x88b5, marked(make([]byte, 46)))}, []frame{ether(c, a, 0x88b7, marked(make([]byte, 46))), four(udp, ported(1, 2))}},
		{"EtherType ARP", dataplane.Match{EtherType: 0x0806}, []frame{arp(a, 1, a, l.a.ip4, l.c.ip4)}, []frame{four(udp, ported(1, 2))}},
		{"EtherType IPv6", dataplane.Match{EtherType: 0x86dd}, []frame{six(udp, ported(1, 2))}, []frame{four(udp, ported(1, 2))}},
		{
			"IPv4 source", dataplane.Match{Src: netip.MustParsePrefix("10.0.0.0/29")},
			[]frame{four(udp, ported(1, 2)), ip(c, a, addr("10.0.0.7"), l.c.ip4, tcp, ported(1, 2))},
			[]frame{ip(c, a, addr("10.0.0.8"), l.c.ip4, udp, ported(1, 2)), six(udp, ported(1, 2))},
		},
		{
			"IPv4 destination", dataplane.Match{Dst: netip.MustParsePrefix("10.0.0.3/32")},
			[]frame{four(udp, ported(1, 2))}, []frame{ip(c, a, l.a.ip4, addr("10.0.0.2"), udp, ported(1, 2)), six(udp, ported(1, 2))},
		},
		{
			"IPv6 source", dataplane.Match{Src: netip.MustParsePrefix("fd00::/121")},
			[]frame{six(udp, ported(1, 2)), ip(c, a, addr("fd00::7f"), l.c.ip6, udp, ported(1, 2))},
			[]frame{ip(c, a, addr("fd00::80"), l.c.ip6, udp, ported(1, 2)), four(udp, ported(1, 2))},
		},
		{
			"IPv6 destination", dataplane.Match{Dst: netip.MustParsePrefix("fd00::3/128")},
			[]frame{six(udp, ported(1, 2))}, []frame{ip(c, a, l.a.ip6, addr("fd00::4"), udp, ported(1, 2)), four(udp, ported(1, 2))},
		},
		{"all of IPv6", dataplane.Match{Dst: netip.MustParsePrefix("::/0")}, []frame{six(udp, ported(1, 2))}, []frame{four(udp, ported(1, 2))}},
		{"a protocol of both", dataplane.Match{Protocol: tcp}, []frame{four(tcp, ported(1, 2)), six(tcp, ported(1, 2))}, []frame{four(udp, ported(1, 2)), six(udp, ported(1, 2))}},
		{"a protocol of one", dataplane.Match{EtherType: 0x0800, Protocol: 47}, []frame{four(47, ported(1, 2))}, []frame{six(47, ported(1, 2))}},
		{
			"destination port", dataplane.Match{Protocol: tcp, DstPorts: dataplane.OnePort(22)},
			[]frame{four(tcp, ported(9, 22)), six(tcp, ported(9, 22))}, []frame{four(tcp, ported(22, 9)), four(udp, ported(9, 22)), six(tcp, ported(9, 23))},
		},
		{
			"source ports", dataplane.Match{Protocol: udp, SrcPorts: dataplane.Ports{First: 1024, Last: 65535}},
			[]frame{four(udp, ported(1024, 1)), six(udp, ported(65535, 1))}, []frame{four(udp, ported(1023, 1024)), six(tcp, ported(2000, 1))},
		},
		{
			"a range of destination ports", dataplane.Match{Dst: netip.MustParsePrefix("fd00::/16"), Protocol: udp, DstPorts: dataplane.Ports{First: 5000, Last: 5002}},
			[]frame{six(udp, ported(1, 5000)), six(udp, ported(1, 5002))}, []frame{six(udp, ported(1, 4999)), six(udp, ported(1, 5003)), four(udp, ported(1, 5001))},
		},
		{
			"ICMP type", dataplane.Match{Protocol: 1, ICMPType: dataplane.Some(8)},
			[]frame{four(1, icmp(8, 0)), four(1, icmp(8, 3))}, []frame{four(1, icmp(0, 0)), six(58, icmp(8, 0))},
		},
		{
			"ICMP code", dataplane.Match{Protocol: 1, ICMPType: dataplane.Some(3), ICMPCode: dataplane.Some(4)},
			[]frame{four(1, icmp(3, 4))}, []frame{four(1, icmp(3, 1)), four(1, icmp(4, 4))},
		},
		{"ICMPv6 type", dataplane.Match{Protocol: 58, ICMPType: dataplane.Some(128)}, []frame{six(58, icmp(128, 0))}, []frame{six(58, icmp(129, 0)), four(1, icmp(128, 0))}},
		{
			"ICMPv6 code", dataplane.Match{Protocol: 58, ICMPType: dataplane.Some(1), ICMPCode: dataplane.Some(4)},
			[]frame{six(58, icmp(1, 4))}, []frame{six(58, icmp(1, 3))},
		},
		{"everything", dataplane.Match{}, []frame{four(udp, ported(1, 2)), six(tcp, ported(1, 2)), arp(a, 1, a, l.a.ip4, l.c.ip4)}, nil},
	} {
		for _, direction := range []string{"from", "to"} {
			for _, action := range []dataplane.Action{dataplane.Deny, dataplane.Allow, dataplane.Count} {
				t.Run(fmt.Sprintf("%s/%s/%v", test.name, direction, action), func(t *testing.T) {
					fence := dataplane.Rule{Action: dataplane.Allow, Match: dataplane.Match{EtherType: 0x88b6}}
					rules := []dataplane.Rule{fence, {Name: test.name, Action: action, Match: test.match}}
					if action == dataplane.Allow {
						rules = append(rules, dataplane.Rule{Action: dataplane.Deny})
					}
					e := l.policy(l.a, dataplane.VMPolicy{From: dataplane.Direction{Rules: rules}})
					if direction == "to" {
						e = l.policy(l.c, dataplane.VMPolicy{To: dataplane.Direction{Rules: rules}})
					}
					l.set(t, e)
					defer dataplanetest.Apply(t, l.edge.k, nil, []dataplane.Key{e.Key})
					for i, arrived := range l.arrives(t, test.matched...) {
						if arrived == (action == dataplane.Deny) {
							t.Errorf("matched frame %d arrived: %v", i, arrived)
						}
					}
					for i, arrived := range l.arrives(t, test.others...) {
						if arrived == (action == dataplane.Allow) {
							t.Errorf("other frame %d arrived: %v", i, arrived)
						}
					}
					counters, err := l.edge.k.Counters(t.Context(), e.Key)
					if err != nil {
						t.Fatal(err)
					}
					counted := counters[e.Key].From
					if direction == "to" {
						counted = counters[e.Key].To
					}
					want := uint64(len(test.matched))
					if direction == "to" && action == dataplane.Count { // what is for all is not asked of a list that denies nothing
						want -= uint64(groups(test.matched))
					}
					if len(counted) != len(rules) || counted[1].Frames != want || want > 0 && counted[1].Octets < want*20 {
						t.Errorf("counted %+v, want %d frames of the second of %d rules", counted, want, len(rules))
					}
				})
			}
		}
	}
}

// groups is the number of frames for many.
func groups(frames []frame) (n int) {
	for _, f := range frames {
		n += int(f[0] & 1)
	}
	return n
}

func TestMarksAreSet(t *testing.T) {
	l := newPair(t)
	a, c := l.a.mac, l.c.mac
	priorities := func(hook string, vm string) func() int {
		return l.edge.count(t, vm, hook, "meta priority 0:5 ether type != 0x88b6")
	}
	atC := priorities("egress", "blue2")
	for _, v := range []vm{l.a, l.c} {
		p := dataplane.VMPolicy{DSCP: dataplane.Some(46)}
		if v.mac == c {
			p = dataplane.VMPolicy{PCP: dataplane.Some(5)}
		}
		l.set(t, l.policy(v, p))
	}
	_ = atC
	for _, f := range []frame{ip(c, a, l.a.ip4, l.c.ip4, 17, ported(1, 2)), ip(c, a, l.a.ip6, l.c.ip6, 17, ported(1, 2))} {
		f[15] |= 1 // ECN, or a bit of the flow label, which stays
		if f[12] == 8 {
			f[24], f[25] = 0, 0
			binary.BigEndian.PutUint16(f[24:], ^sum(f[14:34]))
		}
		l.n++
		fence := fenceOf(c, a, l.n)
		l.at.send(t, f, fence)
		got := l.ct.until(t, fence)
		if len(got) != 1 {
			t.Fatalf("%d frames arrived", len(got))
		}
		g := got[0]
		if f[12] == 8 && (g[15] != 46<<2|1 || sum(g[14:34]) != 0xffff) {
			t.Errorf("type of service %#x, want DSCP 46 and ECN 1; checksum of the header %#x", g[15], sum(g[14:34]))
		}
		if f[12] != 8 && (g[14] != 0x60|46>>2 || g[15] != 46&3<<6|1) {
			t.Errorf("IPv6 header begins %x, want traffic class %#x", g[14:18], 46<<2)
		}
	}
}

func TestSpoofedAddressesAreDroppedAndCounted(t *testing.T) {
	l := newPair(t)
	a, c := l.a.mac, l.c.mac
	other := dataplane.MAC{2, 0, 0, 0, 0, 9}
	ip4, ip6, foreign4, foreign6 := l.a.ip4, l.a.ip6, addr("10.0.0.66"), addr("fd00::66")
	ll, allNodes := addr("fe80::1"), addr("ff02::1")
	group := dataplane.MAC{0x33, 0x33, 0, 0, 0, 1}
	nd := func(from netip.Addr, kind uint8, target netip.Addr, options ...byte) frame {
		b := append([]byte{kind, 0, 0, 0, 0, 0, 0, 0}, target.AsSlice()...)
		return ip(group, a, from, allNodes, 58, append(b, options...))
	}
	solicitRouter := func(from netip.Addr, options ...byte) frame {
		return ip(group, a, from, allNodes, 58, append([]byte{133, 0, 0, 0, 0, 0, 0, 0}, options...))
	}
	opt := func(kind byte, mac dataplane.MAC) []byte { return append([]byte{kind, 1}, mac[:]...) }
	nonce := []byte{14, 1, 1, 2, 3, 4, 5, 6}
	unspecified := netip.IPv6Unspecified()
	behindHopByHop := func(f frame) frame {
		f = slices.Insert(f, 54, 58, 0, 5, 2, 0, 0, 1, 0)
		f[20] = 0
		binary.BigEndian.PutUint16(f[18:], binary.BigEndian.Uint16(f[18:])+8)
		return f
	}
	any4 := netip.IPv4Unspecified()
	for _, test := range []struct {
		name        string
		frame       frame
		bound, free bool // whether it goes: with addresses bound, without
	}{
		{"its own ARP", arp(a, 1, a, ip4, l.c.ip4), true, true},
		{"an ARP reply of its own", arp(a, 2, a, ip4, l.c.ip4), true, true},
		{"an ARP probe", arp(a, 1, a, any4, foreign4), true, true},
		{"ARP with a foreign IP", arp(a, 2, a, foreign4, l.c.ip4), false, true},
		{"ARP with a foreign MAC", arp(a, 2, other, ip4, l.c.ip4), false, false},
		{"an ARP probe with a foreign MAC", arp(a, 1, other, any4, ip4), false, false},
		{"ARP of another kind", func() frame { f := arp(a, 1, a, ip4, l.c.ip4); f[15] = 6; return f }(), false, false},
		{"its own IPv4", ip(c, a, ip4, l.c.ip4, 17, ported(1, 2)), true, true},
		{"a foreign IPv4", ip(c, a, foreign4, l.c.ip4, 17, ported(1, 2)), false, true},
		{"DHCP", ip(c, a, any4, addr("255.255.255.255"), 17, ported(68, 67)), true, true},
		{"something else from 0.0.0.0", ip(c, a, any4, l.c.ip4, 17, ported(67, 68)), false, true},
		{"its own IPv6", ip(c, a, ip6, l.c.ip6, 17, ported(1, 2)), true, true},
		{"a link-local IPv6", ip(c, a, ll, l.c.ip6, 17, ported(1, 2)), true, true},
		{"a foreign IPv6", ip(c, a, foreign6, l.c.ip6, 17, ported(1, 2)), false, true},
		{"UDP from ::", ip(c, a, unspecified, l.c.ip6, 17, ported(1, 2)), false, true},
		{"a solicitation", nd(ip6, 135, l.c.ip6, opt(1, a)...), true, true},
		{"a solicitation without an option", nd(ip6, 135, l.c.ip6), true, true},
		{"a solicitation with a nonce", nd(ll, 135, l.c.ip6, append(opt(1, a), nonce...)...), true, true},
		{"a solicitation with a foreign link address", nd(ip6, 135, l.c.ip6, opt(1, other)...), false, false},
		{"a solicitation that hides it", nd(ip6, 135, l.c.ip6, append(slices.Clone(nonce), opt(1, other)...)...), false, false},
		{"a solicitation from a foreign address", nd(foreign6, 135, l.c.ip6, opt(1, a)...), false, true},
		{"duplicate address detection", nd(unspecified, 135, ip6, nonce...), true, true},
		{"the same of a link-local address", nd(unspecified, 135, ll), true, true},
		{"the same of a foreign address", nd(unspecified, 135, foreign6, nonce...), false, true},
		{"the same with a link address", nd(unspecified, 135, ip6, opt(1, a)...), false, false},
		{"an advertisement", nd(ip6, 136, ip6, opt(2, a)...), true, true},
		{"an advertisement without an option", nd(ip6, 136, ip6), true, true},
		{"an advertisement of a link-local address", nd(ll, 136, ll, opt(2, a)...), true, true},
		{"an advertisement with a foreign link address", nd(ip6, 136, ip6, opt(2, other)...), false, false},
		{"an advertisement that hides it", nd(ip6, 136, ip6, append(slices.Clone(nonce), opt(2, other)...)...), false, false},
		{"an advertisement of a foreign target", nd(ip6, 136, foreign6, opt(2, a)...), false, true},
		{"an advertisement behind an extension header", behindHopByHop(nd(ip6, 136, ip6, opt(2, a)...)), false, false},
		{"a router solicitation", solicitRouter(ll, opt(1, a)...), true, true},
		{"a router solicitation from ::", solicitRouter(unspecified), true, true},
		{"a router solicitation with a foreign link address", solicitRouter(ll, opt(1, other)...), false, false},
		{"a multicast report from ::", behindHopByHop(ip(group, a, unspecified, allNodes, 58, []byte{143, 0, 0, 0, 0, 0, 0, 0})), true, true},
		{"what is no IP", ether(c, a, 0x88b5, make([]byte, 46)), true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, bound := range []bool{false, true} {
				want := test.free
				e := l.policy(l.a, dataplane.VMPolicy{Sources: []netip.Addr{ip4, ip6}})
				if bound {
					want = test.bound
					l.set(t, e)
				}
				before := drops(t, l.edge.k, "blue1")
				l.n++
				fence := fenceOf(c, a, l.n)
				l.at.send(t, test.frame, fence)
				if got := l.ct.got(t, fence, test.frame); got != want {
					t.Errorf("arrived with bound addresses %v: %v", bound, got)
				}
				dropped := uint64(1)
				if want {
					dropped = 0
				}
				if n := drops(t, l.edge.k, "blue1") - before; n != dropped {
					t.Errorf("with bound addresses %v %d drops were counted on the port, want %d", bound, n, dropped)
				}
				if bound {
					dataplanetest.Apply(t, l.edge.k, nil, []dataplane.Key{e.Key})
				}
			}
		})
	}

	e := l.policy(l.a, dataplane.VMPolicy{Sources: []netip.Addr{ip4}})
	l.set(t, e)
	before, err := l.edge.k.Counters(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l.arrives(t, ip(c, a, foreign4, l.c.ip4, 17, ported(1, 2)), ip(c, a, foreign6, l.c.ip6, 17, ported(1, 2)), arp(a, 1, a, foreign4, ip4))
	after, err := l.edge.k.Counters(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := after[e.Key].Spoofed.Frames - before[e.Key].Spoofed.Frames; n != 2 {
		t.Errorf("%d frames counted as spoofed by the VM, want 2: it has bound addresses of IPv4 alone", n)
	}
	if out := l.edge.run(t, "nft list table netdev tns"); !strings.Contains(out, "chain tns/spoof") {
		t.Errorf("rules are %s", out)
	}
}
