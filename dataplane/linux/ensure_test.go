package linux

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/dataplane/dataplanetest"
)

func TestAdoptsWhatIsThere(t *testing.T) {
	w := newWorld(t).(world)
	w.run(t, "ip link add br10100 type bridge")
	w.run(t, "ip link add vx10100 type vxlan id 10100 local 192.0.2.1 dstport 4789 nolearning")
	w.run(t, "ip link set vx10100 master br10100")
	w.run(t, "ip link set blue1 master br10100")
	before := w.run(t, "cat /sys/class/net/br10100/ifindex /sys/class/net/vx10100/ifindex")
	if err := w.k.Ensure(t.Context(), dataplanetest.Networks()); err != nil {
		t.Fatal(err)
	}
	if after := w.run(t, "cat /sys/class/net/br10100/ifindex /sys/class/net/vx10100/ifindex"); after != before {
		t.Errorf("devices %q became %q", before, after)
	}
	link := w.run(t, "bridge -d link show dev blue1")
	for _, want := range []string{"learning off", " flood off", "locked on", "bcast_flood off", "mcast_flood off"} {
		if !strings.Contains(link, want) {
			t.Errorf("blue1 has not %s: %s", want, link)
		}
	}
	link = w.run(t, "bridge -d link show dev vx10100")
	for _, want := range []string{"learning off", "neigh_suppress on"} {
		if !strings.Contains(link, want) {
			t.Errorf("vx10100 has not %s: %s", want, link)
		}
	}
	if out := w.run(t, "ip link show br10100"); !strings.Contains(out, "mtu 1450") || !strings.Contains(out, ",UP") {
		t.Errorf("br10100: %s", out)
	}
}

func TestWhatCannotServeIsNamed(t *testing.T) {
	for _, c := range []struct {
		name string
		make []string
		want string
	}{
		{"VNI", []string{"ip link add vx10100 type vxlan id 7 local 192.0.2.1 dstport 4789 nolearning"}, "use vx10100 for VN blue: id is 7, 10100 is needed"},
		{"local", []string{"ip link add vx10100 type vxlan id 10100 local 192.0.2.9 dstport 4789 nolearning"}, "use vx10100 for VN blue: local is 192.0.2.9, 192.0.2.1 is needed"},
		{"port", []string{"ip link add vx10100 type vxlan id 10100 local 192.0.2.1 dstport 8472 nolearning"}, "use vx10100 for VN blue: dstport is 8472, 4789 is needed"},
		{"learning", []string{"ip link add vx10100 type vxlan id 10100 local 192.0.2.1 dstport 4789"}, "use vx10100 for VN blue: learning is on, nolearning is needed"},
		{"remote", []string{"ip link add vx10100 type vxlan id 10100 local 192.0.2.1 remote 192.0.2.5 dstport 4789 nolearning"}, "use vx10100 for VN blue: remote or group is 192.0.2.5, none is needed"},
		{"VXLAN's type", []string{"ip link add vx10100 type bridge"}, "use vx10100 for VN blue: it is a bridge, a vxlan device is needed"},
		{"bridge's type", []string{"ip link add br10100 type veth"}, "use br10100 for VN blue: it is a veth, a bridge is needed"},
		{"VNI taken", []string{"ip link add other type vxlan id 10100 local 192.0.2.1 dstport 4789"}, "another VXLAN device has VNI 10100 and port 4789 already (other)"},
		{"port's bridge", []string{"ip link add br0 type bridge", "ip link set blue1 master br0"}, "enslave blue1 to br10100: its master is br0, none is needed"},
		{"no port", []string{"ip link del blue1"}, "enslave blue1 to br10100: there is no such device"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t).(world)
			for _, m := range c.make {
				w.run(t, "%s", m)
			}
			err := w.k.Ensure(t.Context(), dataplanetest.Networks())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
			red := dataplanetest.Local(10200, dataplane.MAC{2, 0, 0, 0, 0, 1}, "red1")
			dataplanetest.Apply(t, w.k, []dataplane.Entry{red}, nil)
			dataplanetest.Listed(t, w.k, red)
		})
	}
}

func TestTunnelOverIPv6(t *testing.T) {
	w := newWorld(t).(world)
	n := dataplanetest.Networks()
	n[0].VTEP = netip.MustParseAddr("2001:db8::1")
	for range 2 { // made, then adopted
		if err := w.k.Ensure(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	peer := netip.MustParseAddr("2001:db8::2")
	all := []dataplane.Entry{dataplanetest.Remote(10100, dataplane.MAC{2, 0, 0, 0, 0, 1}, peer), dataplanetest.Flooded(10100, peer)}
	dataplanetest.Apply(t, w.k, all, nil)
	dataplanetest.Listed(t, w.k, all...)
	dataplanetest.Apply(t, w.k, nil, []dataplane.Key{all[0].Key, all[1].Key})
	dataplanetest.Listed(t, w.k)
}
