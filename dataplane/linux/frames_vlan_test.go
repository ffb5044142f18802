//go:build vlan

// What needs VLAN devices, which the kernel of this machine may lack; labs/debian has them.
package linux

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/dataplane/dataplanetest"
)

func init() { modes = append(modes, dataplane.Dot1Q, dataplane.VLANAware) }

// tagged gives a VM a VLAN device instead of its own, and its addresses to that.
func (v vm) tagged(t *testing.T, vid uint16) {
	t.Helper()
	v.try("ip link del tagged")
	v.run(t, "ip addr flush dev eth0")
	v.run(t, "ip link add link eth0 name tagged address %v type vlan id %d", v.mac, vid)
	v.run(t, "ip link set tagged addrgenmode none")
	v.run(t, "ip link set tagged mtu 1400 up")
	v.run(t, "ip addr add %v/24 dev tagged", v.ip4)
}

// a is behind a trunk of the first edge, in two VNs with the same addresses in both; b behind an access port of the second.
func TestTaggedFramesGoFromEdgeToEdge(t *testing.T) {
	for _, m := range modes {
		t.Run(m.String(), func(t *testing.T) {
			l := newLab(t)
			trunk := []dataplane.MemberPort{{Name: "blue1", Mode: m}}
			networks := []dataplane.Network{
				{VNI: vni, Name: "blue", Bridge: "br", VXLAN: "vx", VTEP: l.edge1.vtep, MTU: 1450, Ports: trunk},
				{VNI: 10200, Name: "red", Bridge: "br2", VXLAN: "vx2", VTEP: l.edge1.vtep, MTU: 1450, Ports: trunk},
			}
			l.edge1.run(t, "ip link set blue1 nomaster")
			redVXLAN := "vx2"
			if m == dataplane.VLANAware {
				l.edge1.run(t, "ip link del dev vx")
				l.edge1.run(t, "ip link del dev br")
				redVXLAN = "vx"
				networks[1].Bridge, networks[1].VXLAN = "br", "vx"
			}
			if err := l.edge1.k.Ensure(t.Context(), networks); err != nil {
				t.Fatal(err)
			}
			set := func(entries ...dataplane.Entry) { dataplanetest.Apply(t, l.edge1.k, entries, nil) }
			set(append(l.behind(l.b, l.edge2), append(l.of(l.a, "blue1"), dataplanetest.Tagged(vni, "blue1", 100, 0))...)...)
			set(dataplanetest.Tagged(10200, "blue1", 200, 0), dataplanetest.Opened(10200, "blue1"), dataplanetest.Local(10200, l.a.mac, "blue1"))
			dataplanetest.Apply(t, l.edge2.k, append(l.of(l.b, "blue1"), l.behind(l.a, l.edge1)...), nil)

			l.a.tagged(t, 100)
			if !l.a.reaches(l.b.ip4) {
				t.Error("a does not reach b by VID 100")
			}
			red := l.edge1.count(t, redVXLAN, "egress", fmt.Sprintf("ether saddr %v", l.a.mac))
			l.a.tagged(t, 200)
			if l.a.reaches(l.b.ip4) {
				t.Error("a reaches b by another VN's VID")
			}
			set(dataplanetest.Flooded(10200, l.edge2.vtep))
			l.a.run(t, "ip neigh replace 10.0.0.9 lladdr 02:00:00:00:00:09 dev tagged nud permanent")
			l.a.reaches(netip.MustParseAddr("10.0.0.9"))
			if red() == 0 {
				t.Error("a's frames with VID 200 did not go into the other VN: this tests nothing")
			}

			l.a.tagged(t, 100)
			l.pingThroughRetags(t, set)

			set(dataplanetest.Tagged(vni, "blue1", 101, 100))
			l.a.tagged(t, 101)
			if !l.a.reaches(l.b.ip4) {
				t.Error("a does not reach b by its new VID")
			}
			set(dataplanetest.Tagged(vni, "blue1", 101, 0))
			if !l.a.reaches(l.b.ip4) {
				t.Error("a does not reach b once the old VID is gone")
			}
			l.a.tagged(t, 100)
			if l.a.reaches(l.b.ip4) {
				t.Error("a reaches b by its old VID")
			}
		})
	}
}

// pingThroughRetags has b ping a, a hundred times a second, while a's VID goes to and fro between 100 and 101. a takes both, and answers by 100.
func (l *lab) pingThroughRetags(t *testing.T, set func(...dataplane.Entry)) {
	t.Helper()
	l.a.run(t, "ip link add link eth0 name other address %v type vlan id 101", l.a.mac)
	l.a.run(t, "ip link set other addrgenmode none")
	l.a.run(t, "ip link set other up")
	l.a.run(t, "ip neigh replace %v lladdr %v dev tagged nud permanent", l.b.ip4, l.b.mac)
	l.b.run(t, "ip neigh replace %v lladdr %v dev eth0 nud permanent", l.a.ip4, l.a.mac)
	by101 := l.a.count(t, "eth0", "ingress", "vlan id 101")
	type result struct {
		out string
		err error
	}
	ended := make(chan result, 1)
	go func() {
		out, err := l.b.try(fmt.Sprintf("ping -n -q -i 0.01 -c 300 -W 5 %v", l.a.ip4))
		ended <- result{out, err}
	}()
	for changes := 0; ; changes++ {
		select {
		case r := <-ended:
			if r.err != nil || !strings.Contains(r.out, " 300 received") {
				t.Errorf("while the VID changed %d times: %v %s", changes, r.err, r.out)
			}
			if changes < 10 || by101() == 0 {
				t.Errorf("%d changes, %d frames by VID 101: this tests nothing", changes, by101())
			}
			l.a.run(t, "ip link del other")
			set(dataplanetest.Tagged(vni, "blue1", 100, 0))
			return
		default:
		}
		set(dataplanetest.Tagged(vni, "blue1", 100, 101))
		set(dataplanetest.Tagged(vni, "blue1", 101, 100))
	}
}

// Two thousand VNs on one trunk are made in one go, and found again by the next run.
func TestThousandsOfNetworksOnATrunk(t *testing.T) {
	const count = 2000
	s := newSpace(t)
	s.port(t, "trunk")
	networks := make([]dataplane.Network, count)
	tags := make([]dataplane.Entry, count)
	for i := range networks {
		vni := dataplane.VNI(20000 + i)
		networks[i] = dataplane.Network{
			VNI: vni, Name: fmt.Sprint(vni), Bridge: "brtns", VXLAN: "vxtns", VTEP: netip.MustParseAddr("192.0.2.1"),
			Ports: []dataplane.MemberPort{{Name: "trunk", Mode: dataplane.VLANAware}},
		}
		tags[i] = dataplane.Entry{Key: dataplane.Key{Kind: dataplane.Tag, VNI: vni, Port: "trunk"}, VIDs: dataplane.VIDs{Send: uint16(1 + i)}}
	}
	begin := time.Now()
	k := s.kernel(t)
	if err := k.Ensure(t.Context(), networks); err != nil {
		t.Fatal(err)
	}
	made := time.Now()
	dataplanetest.Apply(t, k, tags, nil)
	t.Logf("%d VNs were made in %.1f s, their VIDs set in %.1f s", count, made.Sub(begin).Seconds(), time.Since(made).Seconds())
	before := s.run(t, "bridge vlan show")
	next := s.kernel(t)
	begin = time.Now()
	if err := next.Ensure(t.Context(), networks); err != nil {
		t.Fatal(err)
	}
	dataplanetest.Listed(t, next, tags...)
	t.Logf("the next run adopted and listed them in %.1f s", time.Since(begin).Seconds())
	if after := s.run(t, "bridge vlan show"); after != before {
		t.Error("the next run changed VLANs")
	}
}
