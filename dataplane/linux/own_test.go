package linux

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/dataplane/dataplanetest"
)

// The address of a port itself has a permanent entry of the kernel's, which is not ours to take over, whatever another edge announces.
func TestOwnAddressIsNotTakenOver(t *testing.T) {
	s, k := ready(t)
	var own dataplane.MAC
	links, err := k.links.LinkList()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		if l.Attrs().Name == "blue1" {
			own = dataplane.MAC(l.Attrs().HardwareAddr)
		}
	}
	before := s.run(t, "bridge fdb show dev blue1")
	mac := net.HardwareAddr(own[:]).String()
	if !strings.Contains(before, mac) {
		t.Fatalf("no entry for %s in %q", mac, before)
	}
	for _, e := range []dataplane.Entry{
		dataplanetest.Remote(10100, own, netip.MustParseAddr("192.0.2.2")), dataplanetest.Local(10100, own, "blue1"),
	} {
		errs := k.Apply(context.Background(), []dataplane.Entry{e}, nil)
		if errs[0] == nil || !strings.Contains(errs[0].Error(), "it is the address of blue1 itself") {
			t.Errorf("set %v: %v", e, errs[0])
		}
	}
	if after := s.run(t, "bridge fdb show dev blue1"); after != before {
		t.Errorf("entries of blue1 are\n%s\nwere\n%s", after, before)
	}
}

// A kernel with VLAN filtering tells of each entry twice: without a VLAN, and in the bridge's default VLAN.
func TestTwinInTheDefaultVLANIsNoChange(t *testing.T) {
	_, k := ready(t)
	mac := dataplane.MAC{2, 0, 0, 0, 0, 1}
	dataplanetest.Apply(t, k, []dataplane.Entry{dataplanetest.Local(10100, mac, "blue1")}, nil)
	n := k.networks[10100]
	twin := n.inBridge(mac, n.ports["blue1"])
	twin.vlan = 1
	k.watch.mu.Lock()
	defer k.watch.mu.Unlock()
	if k.watch.foreignEntry(twin, false) {
		t.Error("the twin is taken for somebody else's doing")
	}
	twin.link = n.ports["blue2"]
	if !k.watch.foreignEntry(twin, false) {
		t.Error("a twin on another port is not")
	}
}
