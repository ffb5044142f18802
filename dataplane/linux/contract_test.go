package linux

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/dataplane/dataplanetest"
	"github.com/tns-project/tns/dataplane/linux/tag"
)

// world is a namespace as a dataplanetest.World; everything but our kernel is done by iproute2.
type world struct {
	space
	k    *Kernel
	mode dataplane.Mode // of its trunk
}

func newWorld(t *testing.T) dataplanetest.World { return newWorldBy(t, dataplane.EBPF) }

func newWorldBy(t *testing.T, m dataplane.Mode) dataplanetest.World {
	s := newSpace(t)
	s.ports(t)
	return world{s, s.kernel(t), m}
}

// modes are the ways to tag that every kernel has that the tests run on; with the build tag vlan, those of Debian's too.
var modes = []dataplane.Mode{dataplane.EBPF}

func TestContract(t *testing.T) {
	for _, m := range modes {
		t.Run(m.String(), func(t *testing.T) {
			dataplanetest.Contract(t, func(t *testing.T) dataplanetest.World { return newWorldBy(t, m) })
		})
	}
}

func (w world) Networks() []dataplane.Network { return dataplanetest.NetworksBy(w.mode) }

func TestPolicyContract(t *testing.T) { dataplanetest.PolicyContract(t, newWorld) }

func (w world) Kernel() dataplane.Kernel { return w.k }

func (w world) Restart(t *testing.T) dataplane.Kernel { return w.kernel(t) }

func (w world) network(vni dataplane.VNI) dataplane.Network {
	all := w.Networks()
	return all[slices.IndexFunc(all, func(n dataplane.Network) bool { return n.VNI == vni })]
}

func (w world) Foreign(t *testing.T, e dataplane.Entry) {
	n := w.network(e.VNI)
	switch {
	case e.Kind == dataplane.Unicast && e.LocalPort != "":
		w.run(t, "bridge fdb replace %v dev %s master static%s", e.MAC, e.LocalPort, w.vlan(e.VNI))
	case e.Kind == dataplane.Unicast:
		w.run(t, "bridge fdb replace %v dev %s dst %v self permanent%s", e.MAC, n.VXLAN, e.VTEP, w.sourceVNI(e.VNI))
		w.run(t, "bridge fdb replace %v dev %s master static%s", e.MAC, n.VXLAN, w.vlan(e.VNI))
	case e.Kind == dataplane.Neighbor:
		w.run(t, "ip neigh replace %v lladdr %v dev %s nud permanent", e.IP, e.LinkAddr, w.neighbors(n))
	default:
		t.Fatalf("no foreign %v", e)
	}
}

func (w world) Holds(t *testing.T, e dataplane.Entry) bool {
	n := w.network(e.VNI)
	fdb := func(dev string, words ...any) bool {
		return hasLine(w.run(t, "bridge fdb show dev %s", dev), words...)
	}
	switch {
	case e.Kind == dataplane.Unicast && e.LocalPort != "":
		return fdb(e.LocalPort, w.words(e.MAC, w.vlan(e.VNI), "master", n.Bridge)...) && !fdb(n.VXLAN, w.words(e.MAC, w.vlan(e.VNI))...)
	case e.Kind == dataplane.Unicast:
		return fdb(n.VXLAN, w.words(e.MAC, w.vlan(e.VNI), "master", n.Bridge)...) && fdb(n.VXLAN, w.words(e.MAC, "", "dst", e.VTEP, w.sourceVNI(e.VNI), "self")...)
	case e.Kind == dataplane.Flood:
		return fdb(n.VXLAN, w.words(dataplane.MAC{}, "", "dst", e.IP, w.sourceVNI(e.VNI), "self")...)
	case e.Kind == dataplane.Policy:
		out, _ := w.try("nft list table netdev tns")
		mac := fmt.Sprintf("%x", e.MAC[:])
		from := fmt.Sprintf("%s/%s/%v/from", e.LocalPort, mac, e.Listed().Digest)
		return strings.Contains(out, "chain "+from) && strings.Contains(out, "goto "+from) == e.InForce
	case e.Kind == dataplane.Neighbor:
		return hasLine(w.run(t, "ip neigh show dev %s", w.neighbors(n)), e.IP, "lladdr", e.LinkAddr)
	}
	if e.Kind == dataplane.Tag {
		return w.tagged(t, e.VNI, e.Key.Port) == e.VIDs
	}
	flags := w.run(t, "bridge -d link show dev %s", e.Key.Port)
	return strings.Contains(flags, "bcast_flood on") == e.Open && strings.Contains(flags, "mcast_flood on") == e.Open
}

// vlan, sourceVNI and neighbors are what names a network in a shared bridge, for iproute2.
func (w world) vlan(vni dataplane.VNI) string {
	if w.mode != dataplane.VLANAware {
		return ""
	}
	return fmt.Sprintf(" vlan %d", w.k.networks[vni].vlan)
}

func (w world) sourceVNI(vni dataplane.VNI) string {
	if w.mode != dataplane.VLANAware {
		return ""
	}
	return fmt.Sprintf(" src_vni %d", vni)
}

func (w world) neighbors(n dataplane.Network) string {
	if w.mode != dataplane.VLANAware {
		return n.Bridge
	}
	return sharedDevice(n.VNI)
}

// words is all words of its arguments.
func (w world) words(all ...any) (words []any) {
	for _, a := range all {
		for _, f := range strings.Fields(fmt.Sprint(a)) {
			words = append(words, f)
		}
	}
	return words
}

// tagged reads the VIDs of a VN on a port as the next run would.
func (w world) tagged(t *testing.T, vni dataplane.VNI, port string) dataplane.VIDs {
	t.Helper()
	links, err := netlink.NewHandleAt(w.ns, unix.NETLINK_ROUTE)
	if err != nil {
		t.Fatal(err)
	}
	defer links.Close()
	other := tag.Taggers(links)[w.mode]
	defer other.Close()
	if aware, ok := other.(*tag.VLANAware); ok {
		aware.Know(map[dataplane.VNI]uint16{vni: w.k.networks[vni].vlan})
		if _, err := aware.Attach(port, vni); err != nil {
			t.Fatal(err)
		}
	}
	all, err := other.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if a.VNI == vni && a.Port == port {
			return a.VIDs
		}
	}
	return dataplane.VIDs{}
}

// hasLine reports whether a line of out begins with the first word and has all of them, in order.
func hasLine(out string, words ...any) bool {
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] != fmt.Sprint(words[0]) {
			continue
		}
		found := 0
		for _, f := range fields {
			if found < len(words) && f == fmt.Sprint(words[found]) {
				found++
			}
		}
		if found == len(words) {
			return true
		}
	}
	return false
}

func (w world) Tamper(t *testing.T, k dataplane.Key) {
	n := w.network(k.VNI)
	switch k.Kind {
	case dataplane.Unicast:
		out := w.run(t, "bridge fdb get %v br %s%s", k.MAC, n.Bridge, w.vlan(k.VNI))
		fields := strings.Fields(out)
		w.run(t, "bridge fdb del %v dev %s master%s", k.MAC, fields[slices.Index(fields, "dev")+1], w.vlan(k.VNI))
	case dataplane.Flood:
		w.run(t, "bridge fdb del %v dev %s dst %v self%s", dataplane.MAC{}, n.VXLAN, k.IP, w.sourceVNI(k.VNI))
	case dataplane.Neighbor:
		w.run(t, "ip neigh del %v dev %s", k.IP, w.neighbors(n))
	default:
		t.Fatalf("no tampering with %v", k)
	}
}

func (w world) DeleteVXLAN(t *testing.T, n dataplane.Network) { w.run(t, "ip link del %s", n.VXLAN) }
