package labs_test

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/tns-project/tns/labs/internal/bgp"
	"github.com/tns-project/tns/labs/internal/fdb"
	"github.com/tns-project/tns/labs/internal/frr"
	"github.com/tns-project/tns/labs/internal/netns"
	"github.com/tns-project/tns/labs/internal/tshark"
)

const (
	vtep      = "192.0.2.3" // the plain VTEP
	byHand    = "192.0.2.4" // the speaker by hand
	reflector = "192.0.2.254"
)

// The address in an EVPN NLRI, as tshark names it.
const (
	ipv4Field = "bgp.evpn.nlri.ip.addr"
	ipv6Field = "bgp.evpn.nlri.ipv6.addr"
)

// TestCommunities has routes with extended communities that GoBGP v3 does not know, or refuses routes for, installed as
// any other: FRR's MAC/IP of a router, and what a speaker by hand announces, through FRR's reflector and directly.
func TestCommunities(t *testing.T) {
	l := deploy(t, "communities/topology.clab.yml")
	l.established("edge1", 2)
	rr := frr.Router{Lab: l.Lab, Node: "rr"}
	if err := rr.WaitSessions(l.ctx, patience, edge1, vtep); err != nil {
		t.Fatal(err)
	}
	// An edge has the entries of a VN that it has a VM in.
	member := newVM(1)
	l.does("tes1", "associate", member.id, "--nic", member.nic)
	l.knows("vtep", member.mac, fdb.To(edge1))

	t.Run("a router of FRR's", func(t *testing.T) { l.in(t).announcesRouter(rr) })
	for turn, via := range []struct {
		name, source string // of what edge1 hears
		open         func(n *netns.Namespace, self netip.Addr) (*bgp.Session, error)
	}{
		{"through the reflector", reflector, func(n *netns.Namespace, self netip.Addr) (*bgp.Session, error) {
			return bgp.Dial(l.ctx, n, 65000, self, netip.MustParseAddr(reflector), nil)
		}},
		{"directly", byHand, func(n *netns.Namespace, self netip.Addr) (*bgp.Session, error) {
			return bgp.Accept(n, 65000, self, patience)
		}},
	} {
		t.Run(via.name, func(t *testing.T) {
			l := l.in(t)
			wire := l.capture("edge1")
			s, err := via.open(l.Namespace("byhand"), netip.MustParseAddr(byHand))
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			for i, c := range foreign {
				t.Run(c.name, func(t *testing.T) {
					l.in(t).installs(s, wire, via.source, byte(i), c.communities, c.subtypes)
				})
			}
			t.Run("MAC mobility beside others still ranks", func(t *testing.T) { l.in(t).outranks(s, rr, newVM(2+turn), foreign[len(foreign)-1].communities) })
			if err := s.Failed(); err != nil {
				t.Errorf("the session has ended: %v", err)
			}
		})
	}
	l.stands("edge1", member.id, tes1, "associated", "")
	l.knows("vtep", member.mac, fdb.To(edge1))
}

// announcesRouter has FRR announce an IPv6 router: an address with the ND community (RFC 9047), because the neighbour
// has the router flag.
func (l lab) announcesRouter(rr frr.Router) {
	l.t.Helper()
	const address = "2001:db8:1::100"
	wire := l.capture("edge1")
	l.run("vtep", "bridge", "fdb", "add", farMAC.String(), "dev", "blue", "master", "static")
	l.run("vtep", "ip", "neighbour", "add", address, "lladdr", farMAC.String(), "dev", "br-blue", "router", "nud", "reachable")

	l.knows("edge1", farMAC, fdb.To(vtep))
	l.suppresses("edge1", address, farMAC)
	l.carried(wire, reflector, ipv6Field, address, "0x08")
	routes, err := rr.Routes(l.ctx)
	if err != nil {
		l.t.Fatal(err)
	}
	if !slices.ContainsFunc(routes, func(r frr.Route) bool {
		return strings.Contains(r.Prefix, address) && strings.Contains(strings.Join(r.Communities, " "), "ND:Router Flag")
	}) {
		l.t.Errorf("FRR's reflector has no router %s: %+v", address, routes)
	}

	l.run("vtep", "ip", "neighbour", "del", address, "dev", "br-blue")
	l.suppresses("edge1", address, nil)
	l.knows("edge1", farMAC, fdb.To(vtep))
	l.run("vtep", "bridge", "fdb", "del", farMAC.String(), "dev", "blue", "master")
	l.knows("edge1", farMAC, fdb.None)
}

// foreign are communities of EVPN (type 0x06) from outside of what GoBGP v3 reads.
var foreign = []struct {
	name        string
	communities []bgp.Community
	subtypes    []string // as tshark writes them
}{
	{"MAC mobility with reserved bits", []bgp.Community{{0x06, 0x00, 0xfe, 0xff, 0, 0, 0, 5}}, []string{"0x00"}},
	{"layer 2 attributes", []bgp.Community{{0x06, 0x04, 0, 1, 0x23, 0x28}}, []string{"0x04"}},
	{"DF election", []bgp.Community{{0x06, 0x06, 2, 0, 0, 0, 0, 100}}, []string{"0x06"}},
	{"ARP/ND", []bgp.Community{{0x06, 0x08, 1}}, []string{"0x08"}},
	{"an unknown sub-type", []bgp.Community{{0x06, 0x42, 1, 2, 3, 4, 5, 6}}, []string{"0x42"}},
	{"all of them", []bgp.Community{
		{0x06, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, {0x06, 0x42, 1, 2, 3, 4, 5, 6}, {0x06, 0x08, 1}, {0x06, 0x06, 2, 0, 0, 0, 0, 100},
		{0x06, 0x04, 0, 1, 0x23, 0x28}, {0x06, 0x00, 0, 0, 0, 0, 0, 5},
	}, []string{"0x00", "0x04", "0x06", "0x08", "0x42", "0xff"}},
}

// installs announces a MAC, its address, and that flooded frames are wanted, each with communities, and takes them back.
func (l lab) installs(s *bgp.Session, wire *tshark.Capture, source string, n byte, communities []bgp.Community, subtypes []string) {
	l.t.Helper()
	const vni = 10100
	mac := net.HardwareAddr{2, 0, 0, 0, 4, n}
	addresses := []netip.Addr{netip.AddrFrom4([4]byte{10, 1, 4, n}), netip.MustParseAddr(fmt.Sprintf("2001:db8:1::4:%x", n))}
	routes := []bgp.Route{s.InclusiveMulticast(vni), s.MACIP(vni, mac, netip.Addr{})}
	for _, a := range addresses {
		routes = append(routes, s.MACIP(vni, mac, a))
	}
	for _, r := range routes {
		if err := s.Announce(r, slices.Concat([]bgp.Community{bgp.RouteTarget(65000, vni), bgp.VXLAN}, communities)...); err != nil {
			l.t.Fatal(err)
		}
	}
	l.knows("edge1", mac, fdb.To(byHand))
	for _, a := range addresses {
		l.suppresses("edge1", a.String(), mac)
	}
	l.floods("edge1", vtep, byHand)
	l.carried(wire, source, ipv4Field, addresses[0].String(), subtypes...)
	l.carried(wire, source, ipv6Field, addresses[1].String(), subtypes...)
	l.carried(wire, source, ipv4Field, byHand, subtypes...) // the originator of the type 3 route

	for _, r := range routes {
		if err := s.Withdraw(r); err != nil {
			l.t.Fatal(err)
		}
	}
	l.knows("edge1", mac, fdb.None)
	for _, a := range addresses {
		l.suppresses("edge1", a.String(), nil)
	}
	l.floods("edge1", vtep)
}

// outranks lets a VM come to the edge whose MAC is announced with communities of which one is MAC mobility, of sequence
// 5: its route gets 6.
func (l lab) outranks(s *bgp.Session, rr frr.Router, v vm, communities []bgp.Community) {
	l.t.Helper()
	const vni = 10100
	route := s.MACIP(vni, v.mac, netip.Addr{})
	if err := s.Announce(route, slices.Concat([]bgp.Community{bgp.RouteTarget(65000, vni), bgp.VXLAN}, communities)...); err != nil {
		l.t.Fatal(err)
	}
	l.knows("edge1", v.mac, fdb.To(byHand))
	l.does("tes1", "associate", v.id, immigration, "--nic", v.nic)
	l.soon("the edge's route at the reflector", func() error {
		routes, err := rr.Routes(l.ctx)
		if err != nil {
			return err
		}
		for _, r := range routes {
			if strings.Contains(r.Prefix, v.mac.String()) && r.NextHop == edge1 && slices.Contains(r.Communities, "MM:6") {
				return nil
			}
		}
		return fmt.Errorf("no route to %s behind %s with MM:6 in %+v", v.mac, edge1, routes)
	})
	l.knows("edge1", v.mac, fdb.None)
	l.does("tes1", "terminate", v.id)
	l.knows("edge1", v.mac, fdb.To(byHand))
	if err := s.Withdraw(route); err != nil {
		l.t.Fatal(err)
	}
	l.knows("edge1", v.mac, fdb.None)
}

// suppresses waits until an edge answers requests for an address with a MAC, nil: with none.
func (l lab) suppresses(node, address string, want net.HardwareAddr) {
	l.t.Helper()
	l.soon("the neighbours of "+node, func() error {
		got, err := fdb.Neighbour(l.Namespace(node), "br-blue", netip.MustParseAddr(address))
		if err == nil && got.String() != want.String() {
			err = fmt.Errorf("%s on %s: %q, want %q", address, node, got, want)
		}
		return err
	})
}

// floods waits until a node floods to VTEPs, and to no other.
func (l lab) floods(node string, want ...string) {
	l.t.Helper()
	l.soon("the flood list of "+node, func() error {
		table, err := fdb.Read(l.Namespace(node), device)
		if err == nil && fmt.Sprint(table.Flood) != fmt.Sprint(want) {
			err = fmt.Errorf("%s floods to %v, want %v", node, table.Flood, want)
		}
		return err
	})
}

// capture reads the BGP messages on a node's link to the fabric until the test ends.
func (l lab) capture(node string) *tshark.Capture {
	l.t.Helper()
	c, err := tshark.Start(l.ctx, l.Lab, node, "fabric", patience)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(c.Stop)
	return c
}

// carried checks that a route came from an address with extended communities of type 0x06 of each of the sub-types: the
// octets were on the wire.
func (l lab) carried(wire *tshark.Capture, source, field, address string, subtypes ...string) {
	l.t.Helper()
	l.soon("tshark", func() error {
		var seen []tshark.Message
		for _, m := range wire.Messages() {
			if m.Source != source || !m.Has(field, address) {
				continue
			}
			if m.Has("bgp.ext_com.stype_tr_evpn", subtypes...) {
				return nil
			}
			seen = append(seen, m)
		}
		return fmt.Errorf("no UPDATE from %s has %s and communities of sub-types %v, but %+v", source, address, subtypes, seen)
	})
}
