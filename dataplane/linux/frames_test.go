package linux

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/dataplane/dataplanetest"
)

// vm is a namespace behind a port of an edge.
type vm struct {
	space
	mac dataplane.MAC
	ip4 netip.Addr
	ip6 netip.Addr
}

// edge is a namespace with a Kernel, and its tunnel address.
type edge struct {
	space
	k    *Kernel
	vtep netip.Addr
}

const vni = 10100

// lab is two edges and three VMs: a and c behind the first, b behind the second.
//
//	a ── blue1 ┐                                  ┌ blue1 ── b
//	           ├ edge1 192.0.2.1 ── 192.0.2.2 edge2
//	c ── blue2 ┘
type lab struct {
	edge1, edge2 edge
	a, b, c      vm
}

func newLab(t *testing.T) *lab {
	l := &lab{
		edge1: edge{space: newSpace(t), vtep: netip.MustParseAddr("192.0.2.1")},
		edge2: edge{space: newSpace(t), vtep: netip.MustParseAddr("192.0.2.2")},
	}
	l.edge1.run(t, "ip link add under type veth peer name under netns %s", l.edge2.name)
	l.a = newVM(t, l.edge1, "blue1", 1)
	l.b = newVM(t, l.edge2, "blue1", 2)
	l.c = newVM(t, l.edge1, "blue2", 3)
	for _, e := range []*edge{&l.edge1, &l.edge2} {
		e.run(t, "ip addr add %v/24 dev under", e.vtep)
		e.run(t, "ip link set under up")
		e.k = e.kernel(t)
		ports := []string{"blue1"}
		if e == &l.edge1 {
			ports = append(ports, "blue2")
		}
		n := dataplane.Network{VNI: vni, Name: "blue", Bridge: "br", VXLAN: "vx", VTEP: e.vtep, MTU: 1450, Ports: dataplane.AccessPorts(ports...)}
		if err := e.k.Ensure(t.Context(), []dataplane.Network{n}); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

// newVM makes a VM that sends nothing by itself, but for the multicast report of its IPv6 address in the first second.
func newVM(t testing.TB, e edge, port string, n byte) vm {
	v := newSilentVM(t, e, port, n)
	v.takeIPv6(t)
	return v
}

// takeIPv6 gives the VM's kernel the VM's IPv6 address.
func (v vm) takeIPv6(t testing.TB) { v.run(t, "ip addr add %v/64 dev eth0 nodad", v.ip6) }

// newSilentVM makes a VM that sends nothing by itself. Its kernel does not know that it has an IPv6 address.
func newSilentVM(t testing.TB, e edge, port string, n byte) vm {
	v := vm{
		space: newSpace(t), mac: dataplane.MAC{2, 0, 0, 0, 0, n},
		ip4: netip.AddrFrom4([4]byte{10, 0, 0, n}), ip6: netip.MustParseAddr(fmt.Sprintf("fd00::%d", n)),
	}
	e.run(t, "ip link add %s type veth peer name eth0 netns %s address %v", port, v.name, v.mac)
	v.run(t, "ip link set eth0 addrgenmode none mtu 1450")
	v.run(t, "ip link set eth0 up")
	v.run(t, "ip addr add %v/24 dev eth0", v.ip4)
	return v
}

// associate makes a and b reach each other: entries on both edges, and c's port open.
func (l *lab) associate(t *testing.T) {
	Apply := dataplanetest.Apply
	Apply(t, l.edge1.k, append(l.of(l.a, "blue1"), l.behind(l.b, l.edge2)...), nil)
	Apply(t, l.edge1.k, l.of(l.c, "blue2"), nil)
	Apply(t, l.edge2.k, append(l.of(l.b, "blue1"), append(l.behind(l.a, l.edge1), l.behind(l.c, l.edge1)...)...), nil)
}

// of is the entries of a VM on its edge.
func (l *lab) of(v vm, port string) []dataplane.Entry {
	return []dataplane.Entry{dataplanetest.Local(vni, v.mac, port), dataplanetest.Opened(vni, port)}
}

// behind is the entries of a VM on the other edge.
func (l *lab) behind(v vm, e edge) []dataplane.Entry {
	return []dataplane.Entry{
		dataplanetest.Remote(vni, v.mac, e.vtep), dataplanetest.Flooded(vni, e.vtep),
		dataplanetest.At(vni, v.ip4, v.mac), dataplanetest.At(vni, v.ip6, v.mac),
	}
}

// reaches reports whether pings of v to an address are answered.
func (v vm) reaches(ip netip.Addr) bool {
	_, err := v.try(fmt.Sprintf("ping -n -c 2 -i 0.05 -W 0.3 %v", ip))
	return err == nil
}

// knows gives v a neighbour, so that it need not ask.
func (v vm) knows(t *testing.T, o vm) {
	t.Helper()
	v.run(t, "ip neigh replace %v lladdr %v dev eth0 nud permanent", o.ip4, o.mac)
	v.run(t, "ip neigh replace %v lladdr %v dev eth0 nud permanent", o.ip6, o.mac)
}

var counters int

// count counts the frames that match, on a device's ingress or egress, from now on.
func (s space) count(t testing.TB, device, hook, match string) func() int {
	t.Helper()
	counters++
	chain := fmt.Sprintf("watch%d", counters)
	s.run(t, "nft add table netdev watch")
	s.run(t, "nft add chain netdev watch %s { type filter hook %s device %s priority -500 ; policy accept ; }", chain, hook, device)
	s.run(t, "nft add rule netdev watch %s %s counter", chain, match)
	packets := regexp.MustCompile(`packets (\d+)`)
	return func() int {
		m := packets.FindStringSubmatch(s.run(t, "nft list chain netdev watch %s", chain))
		n, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
}

func TestFramesGoThroughUnicastEntries(t *testing.T) {
	l := newLab(t)
	if l.a.reaches(l.b.ip4) {
		t.Fatal("a reaches b before there is an entry")
	}
	copies := l.c.count(t, "eth0", "ingress", "ether daddr { 02:00:00:00:00:01, 02:00:00:00:00:02 }")
	l.a.run(t, "ip neigh flush dev eth0") // it waits for an answer still
	l.associate(t)
	for _, ip := range []netip.Addr{l.b.ip4, l.b.ip6} {
		if !l.a.reaches(ip) {
			t.Errorf("a does not reach %v", ip)
		}
	}
	if !l.b.reaches(l.c.ip4) {
		t.Error("b does not reach c")
	}
	l.a.knows(t, l.c)
	l.c.knows(t, l.a)
	if !l.a.reaches(l.c.ip4) {
		t.Error("a does not reach c on the same edge")
	}
	if n := copies(); n != 0 {
		t.Errorf("c got %d frames for a or b", n)
	}
}

func TestUnknownSourceIsDroppedAndCounted(t *testing.T) {
	l := newLab(t)
	l.associate(t)
	l.a.knows(t, l.c)
	l.c.knows(t, l.a)
	atC := l.c.count(t, "eth0", "ingress", "ether saddr 02:00:00:00:00:99")
	atB := l.edge1.count(t, "vx", "egress", "ether saddr 02:00:00:00:00:99")
	before, beforeC := drops(t, l.edge1.k, "blue1"), drops(t, l.edge1.k, "blue2")

	spoof := func() {
		l.a.run(t, "ip link set eth0 address 02:00:00:00:00:99")
		l.a.knows(t, l.b)
		l.a.knows(t, l.c)
		if l.a.reaches(l.c.ip4) || l.a.reaches(l.b.ip4) {
			t.Error("a foreign source was let through")
		}
		if atC()+atB() != 0 {
			t.Errorf("%d frames with a foreign source reached c, %d the tunnel", atC(), atB())
		}
	}
	spoof()
	if n := drops(t, l.edge1.k, "blue1") - before; n < 4 {
		t.Errorf("%d drops were counted, want at least the 4 pings", n)
	}
	if n := drops(t, l.edge1.k, "blue2") - beforeC; n != 0 {
		t.Errorf("%d drops were counted on c's port, which sent nothing wrong", n)
	}

	l.edge1.run(t, "nft delete table netdev tns")
	spoof() // the locked port alone

	if _, err := l.edge1.k.List(t.Context()); err != nil { // which makes the table again
		t.Fatal(err)
	}
	l.a.run(t, "ip link set eth0 address %v", l.a.mac)
	l.a.knows(t, l.c)
	if !l.a.reaches(l.c.ip4) {
		t.Error("a does not reach c with its own address, after the table was made again")
	}
	spoof()
}

func drops(t testing.TB, k *Kernel, port string) uint64 {
	t.Helper()
	d, err := k.Drops(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for key, n := range d {
		if key.Port == port {
			return n
		}
	}
	return 0
}

func TestSuspendedVMNeitherSendsNorReceives(t *testing.T) {
	l := newLab(t)
	l.associate(t)
	l.b.knows(t, l.a)
	l.a.knows(t, l.b)
	if !l.b.reaches(l.a.ip4) {
		t.Fatal("b does not reach a")
	}
	atA := l.a.count(t, "eth0", "ingress", "ether daddr 02:00:00:00:00:01")
	copies := l.c.count(t, "eth0", "ingress", "ether daddr 02:00:00:00:00:01")
	out := l.edge1.count(t, "vx", "egress", "ether saddr 02:00:00:00:00:01")
	before := drops(t, l.edge1.k, "blue1")

	dataplanetest.Apply(t, l.edge1.k, nil, []dataplane.Key{dataplanetest.Local(vni, l.a.mac, "").Key, dataplanetest.Opened(vni, "blue1").Key})
	if l.b.reaches(l.a.ip4) || l.a.reaches(l.b.ip4) {
		t.Error("a suspended VM is reached")
	}
	if atA() != 0 || copies() != 0 || out() != 0 {
		t.Errorf("%d frames got to the suspended VM, %d copies to c, %d out of it", atA(), copies(), out())
	}
	if drops(t, l.edge1.k, "blue1") == before {
		t.Error("no drops were counted")
	}

	dataplanetest.Apply(t, l.edge1.k, l.of(l.a, "blue1"), nil)
	if !l.b.reaches(l.a.ip4) {
		t.Error("b does not reach a after it was resumed")
	}
}

func TestBroadcastArrivesOnOpenPortsOnly(t *testing.T) {
	l := newLab(t)
	l.associate(t)
	atA := l.a.count(t, "eth0", "ingress", "ether daddr ff:ff:ff:ff:ff:ff")
	atC := l.c.count(t, "eth0", "ingress", "ether daddr ff:ff:ff:ff:ff:ff")
	multicastAtA := l.a.count(t, "eth0", "ingress", "ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00")
	dataplanetest.Apply(t, l.edge1.k, nil, []dataplane.Key{dataplanetest.Opened(vni, "blue1").Key})
	l.b.reaches(netip.MustParseAddr("10.0.0.200")) // nobody: ARP requests
	l.b.reaches(netip.MustParseAddr("fd00::200"))
	if atA() != 0 || multicastAtA() != 0 || atC() == 0 {
		t.Errorf("the closed port got %d broadcasts, %d of all multicasts; the open one %d", atA(), multicastAtA(), atC())
	}
	dataplanetest.Apply(t, l.edge1.k, []dataplane.Entry{dataplanetest.Opened(vni, "blue1")}, nil)
	l.b.reaches(netip.MustParseAddr("10.0.0.201"))
	if atA() == 0 {
		t.Error("the port that was opened got no broadcast")
	}
}

func TestNeighborsAreAnsweredByTheEdge(t *testing.T) {
	for _, c := range []struct {
		name, asked string
		ip          func(v vm) netip.Addr
	}{
		{"ARP", "arp operation request", func(v vm) netip.Addr { return v.ip4 }},
		{"neighbour discovery", "icmpv6 type nd-neighbor-solicit", func(v vm) netip.Addr { return v.ip6 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			l.associate(t)
			in := l.edge1.count(t, "blue1", "ingress", c.asked)
			out := l.edge1.count(t, "vx", "egress", c.asked)
			data := l.edge1.count(t, "vx", "egress", "ether saddr 02:00:00:00:00:01")
			if !l.a.reaches(c.ip(l.b)) {
				t.Fatal("a does not reach b")
			}
			if in() == 0 || data() == 0 {
				t.Fatalf("a asked %d times and sent %d frames: this tests nothing", in(), data())
			}
			if out() != 0 {
				t.Errorf("%d requests went into the tunnel", out())
			}

			dataplanetest.Apply(t, l.edge1.k, nil, []dataplane.Key{dataplanetest.At(vni, c.ip(l.b), l.b.mac).Key})
			l.a.run(t, "ip neigh flush dev eth0")
			l.a.reaches(c.ip(l.b))
			if out() == 0 {
				t.Error("without the entry the request did not go into the tunnel: the count proves nothing")
			}
		})
	}
}

func TestEdgeIsNoMemberOfTheNetwork(t *testing.T) {
	l := newLab(t)
	strange := l.c.count(t, "eth0", "ingress", "ether saddr != { 02:00:00:00:00:01, 02:00:00:00:00:02, 02:00:00:00:00:03 }")
	l.associate(t)
	if !l.a.reaches(l.b.ip6) {
		t.Fatal("a does not reach b")
	}
	l.a.run(t, "ip addr add 192.0.2.77/24 dev eth0")
	if l.a.reaches(l.edge1.vtep) {
		t.Error("the VM reaches the edge's tunnel address by ARP")
	}
	fields := strings.Fields(l.edge1.run(t, "cat /sys/class/net/br/address"))
	l.a.run(t, "ip neigh replace %v lladdr %s dev eth0 nud permanent", l.edge1.vtep, fields[0])
	got := l.edge1.count(t, "blue1", "ingress", "ip daddr 192.0.2.1")
	if l.a.reaches(l.edge1.vtep) {
		t.Error("the VM reaches the edge's tunnel address through the bridge's MAC")
	}
	if got() == 0 {
		t.Error("nothing was sent: this tests nothing")
	}
	if n := strange(); n != 0 {
		t.Errorf("c got %d frames that no VM sent", n)
	}
	for _, device := range []string{"br", "vx", "blue1", "blue2"} {
		if out := l.edge1.run(t, "ip -6 addr show dev %s", device); strings.Contains(out, "inet6") {
			t.Errorf("%s has an IPv6 address: %s", device, out)
		}
	}
}
