package dataplanetest

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tns-project/tns/dataplane"
)

// World is a kernel under test and what surrounds it: other programs that change it.
type World interface {
	Kernel() dataplane.Kernel
	// Networks are Networks, or the same with another trunk.
	Networks() []dataplane.Network
	// Foreign puts an entry into the kernel as another program would: without our mark.
	Foreign(t *testing.T, e dataplane.Entry)
	// Holds reports whether the kernel has exactly this entry, marked or not.
	Holds(t *testing.T, e dataplane.Entry) bool
	// Tamper removes an entry behind our back.
	Tamper(t *testing.T, k dataplane.Key)
	// DeleteVXLAN removes a network's VXLAN device.
	DeleteVXLAN(t *testing.T, n dataplane.Network)
	// Restart is a Kernel as the next run of the daemon has it.
	Restart(t *testing.T) dataplane.Kernel
}

// patience bounds the wait for something that should happen at once.
const patience = 10 * time.Second

// Networks are what the contract works on, where a world has no others. It has the ports, and nothing else, when it begins.
func Networks() []dataplane.Network { return NetworksBy(dataplane.EBPF) }

// NetworksBy are the networks with a trunk of some mode.
func NetworksBy(m dataplane.Mode) []dataplane.Network {
	vtep, trunk := netip.MustParseAddr("192.0.2.1"), dataplane.MemberPort{Name: "trunk", Mode: m}
	networks := []dataplane.Network{
		{VNI: 10100, Name: "blue", Bridge: "br10100", VXLAN: "vx10100", VTEP: vtep, MTU: 1450, Ports: append(dataplane.AccessPorts("blue1", "blue2"), trunk)},
		{VNI: 10200, Name: "red", Bridge: "br10200", VXLAN: "vx10200", VTEP: vtep, Ports: append(dataplane.AccessPorts("red1"), trunk)},
	}
	if m == dataplane.VLANAware {
		for i := range networks {
			networks[i].Bridge, networks[i].VXLAN = "brtns", "vxtns"
		}
	}
	return networks
}

// Contract is what every dataplane.Kernel does. Each case begins with a world of its own.
func Contract(t *testing.T, newWorld func(t *testing.T) World) {
	for _, c := range []struct {
		name string
		run  func(t *testing.T, w World)
	}{
		{"each kind of entry is set, listed and deleted", eachKind},
		{"an entry that is set twice is there once", setTwice},
		{"deleting what is gone is success", deleteGone},
		{"a MAC changes sides and ports in place", changePlaces},
		{"sets come before deletes and each has its own error", ownErrors},
		{"two networks hold the same MAC and IP apart", twoNetworks},
		{"entries without the mark are neither listed nor deleted", foreignStays},
		{"what somebody put in the place of an entry is not deleted", takenOver},
		{"a closed port is as none", closedPort},
		{"an entry that somebody removed is not listed, and signalled", tampered},
		{"a device that was deleted is made again", deviceDeleted},
		{"the next run finds what this one left", restarted},
		{"VNs share a trunk by their VIDs", sharedTrunk},
		{"networks that do not fit together are refused", refused},
		{"a context that ended ends Apply", contextEnded},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			if err := w.Kernel().Ensure(t.Context(), w.Networks()); err != nil {
				t.Fatalf("ensure: %v", err)
			}
			c.run(t, w)
		})
	}
}

// The addresses of the contract.
var (
	mac1  = dataplane.MAC{2, 0, 0, 0, 0, 1}
	mac2  = dataplane.MAC{2, 0, 0, 0, 0, 2}
	vtep2 = netip.MustParseAddr("192.0.2.2")
	vtep3 = netip.MustParseAddr("192.0.2.3")
	ip4   = netip.MustParseAddr("10.0.0.1")
	ip6   = netip.MustParseAddr("fd00::1")
)

// Local, Remote, Flooded, At, Opened and Tagged make entries.
func Local(vni dataplane.VNI, mac dataplane.MAC, port string) dataplane.Entry {
	return dataplane.Entry{Key: dataplane.Key{Kind: dataplane.Unicast, VNI: vni, MAC: mac}, LocalPort: port}
}

// Remote is a MAC behind a VTEP.
func Remote(vni dataplane.VNI, mac dataplane.MAC, vtep netip.Addr) dataplane.Entry {
	return dataplane.Entry{Key: dataplane.Key{Kind: dataplane.Unicast, VNI: vni, MAC: mac}, VTEP: vtep}
}

// Flooded is a VTEP of the flood list.
func Flooded(vni dataplane.VNI, vtep netip.Addr) dataplane.Entry {
	return dataplane.Entry{Key: dataplane.Key{Kind: dataplane.Flood, VNI: vni, IP: vtep}}
}

// At is an IP at a MAC.
func At(vni dataplane.VNI, ip netip.Addr, mac dataplane.MAC) dataplane.Entry {
	return dataplane.Entry{Key: dataplane.Key{Kind: dataplane.Neighbor, VNI: vni, IP: ip}, LinkAddr: mac}
}

// Opened is an open port.
func Opened(vni dataplane.VNI, port string) dataplane.Entry {
	return dataplane.Entry{Key: dataplane.Key{Kind: dataplane.Port, VNI: vni, Port: port}, Open: true}
}

// Tagged is the VIDs of a VN on a port: what is sent, and what is taken as well (0: nothing).
func Tagged(vni dataplane.VNI, port string, send, also uint16) dataplane.Entry {
	return dataplane.Entry{Key: dataplane.Key{Kind: dataplane.Tag, VNI: vni, Port: port}, VIDs: dataplane.VIDs{Send: send, Also: also}}
}

// Policed is a policy of a VM, in force.
func Policed(vni dataplane.VNI, mac dataplane.MAC, port string, p dataplane.VMPolicy) dataplane.Entry {
	return dataplane.Entry{Key: dataplane.Key{Kind: dataplane.Policy, VNI: vni, MAC: mac}, LocalPort: port, Policy: &p, InForce: true}
}

// Prepared is a policy of a VM, not in force.
func Prepared(vni dataplane.VNI, mac dataplane.MAC, port string, p dataplane.VMPolicy) dataplane.Entry {
	e := Policed(vni, mac, port, p)
	e.InForce = false
	return e
}

// Web is a policy with something of everything that rules can say.
func Web() dataplane.VMPolicy {
	prefix := netip.MustParsePrefix
	return dataplane.VMPolicy{
		Sources: []netip.Addr{ip6, ip4},
		From: dataplane.Direction{Rules: []dataplane.Rule{
			{Name: "no mail", Action: dataplane.Deny, Match: dataplane.Match{Protocol: 6, DstPorts: dataplane.OnePort(25)}},
			{Action: dataplane.Count, Match: dataplane.Match{Dst: prefix("10.0.0.0/8"), Protocol: 17, SrcPorts: dataplane.Ports{First: 1024, Last: 65535}}},
			{Action: dataplane.Deny, Match: dataplane.Match{EtherType: 0x88cc, DstMAC: dataplane.MAC{1, 0x80, 0xc2, 0, 0, 0xe}}},
		}},
		To: dataplane.Direction{Rules: []dataplane.Rule{
			{Action: dataplane.Allow, Match: dataplane.Match{EtherType: 0x0806}},
			{Name: "ping", Action: dataplane.Allow, Match: dataplane.Match{Protocol: 1, ICMPType: dataplane.Some(8), ICMPCode: dataplane.Some(0)}},
			{Action: dataplane.Allow, Match: dataplane.Match{Src: prefix("fd00::/16"), Protocol: 58}},
			{Action: dataplane.Deny, Match: dataplane.Match{SrcMAC: mac2}},
		}},
		DSCP: dataplane.Some(46), PCP: dataplane.Some(5),
	}
}

func every() []dataplane.Entry {
	return []dataplane.Entry{
		Local(10100, mac1, "blue1"), Remote(10100, mac2, vtep2), Flooded(10100, vtep2), Flooded(10100, vtep3),
		At(10100, ip4, mac1), At(10100, ip6, mac2), Opened(10100, "blue1"), Tagged(10100, "trunk", 100, 101),
	}
}

func keys(entries []dataplane.Entry) (keys []dataplane.Key) {
	for _, e := range entries {
		keys = append(keys, e.Key)
	}
	return keys
}

// Apply applies and fails the test on any error.
func Apply(t *testing.T, k dataplane.Kernel, set []dataplane.Entry, del []dataplane.Key) {
	t.Helper()
	for _, err := range k.Apply(t.Context(), set, del) {
		if err != nil {
			t.Fatalf("apply: %v", err)
		}
	}
}

// Listed fails the test unless the kernel lists exactly want.
func Listed(t *testing.T, k dataplane.Kernel, want ...dataplane.Entry) {
	t.Helper()
	got, err := k.List(t.Context())
	if err != nil {
		t.Fatalf("list: %v", err)
	}
	want = slices.Clone(want)
	for i, e := range want {
		want[i] = e.Listed()
	}
	byKey := func(a, b dataplane.Entry) int { return a.Compare(b.Key) }
	slices.SortFunc(got, byKey)
	want = slices.SortedFunc(slices.Values(want), byKey)
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{})); d != "" {
		t.Fatalf("listed (-want +got):\n%s", d)
	}
}

func eachKind(t *testing.T, w World) {
	for _, e := range every() {
		Apply(t, w.Kernel(), []dataplane.Entry{e}, nil)
		Listed(t, w.Kernel(), e)
		if !w.Holds(t, e) {
			t.Errorf("the kernel has not %v", e)
		}
		Apply(t, w.Kernel(), nil, []dataplane.Key{e.Key})
		Listed(t, w.Kernel())
		if w.Holds(t, e) {
			t.Errorf("the kernel still has %v", e)
		}
	}
	Apply(t, w.Kernel(), every(), nil)
	Listed(t, w.Kernel(), every()...)
	Apply(t, w.Kernel(), nil, keys(every()))
	Listed(t, w.Kernel())
}

func setTwice(t *testing.T, w World) {
	Apply(t, w.Kernel(), every(), nil)
	Apply(t, w.Kernel(), every(), nil)
	Listed(t, w.Kernel(), every()...)
}

func deleteGone(t *testing.T, w World) {
	Apply(t, w.Kernel(), nil, keys(every()))
	unknown := dataplane.Key{Kind: dataplane.Unicast, VNI: 77, MAC: mac1}
	Apply(t, w.Kernel(), nil, []dataplane.Key{unknown})
}

func changePlaces(t *testing.T, w World) {
	for _, e := range []dataplane.Entry{
		Local(10100, mac1, "blue1"), Remote(10100, mac1, vtep2), Remote(10100, mac1, vtep3),
		Local(10100, mac1, "blue2"), Local(10100, mac1, "blue1"), Remote(10100, mac1, vtep2),
	} {
		Apply(t, w.Kernel(), []dataplane.Entry{e}, nil)
		Listed(t, w.Kernel(), e)
		if !w.Holds(t, e) {
			t.Errorf("the kernel has not %v", e)
		}
	}
	n := At(10100, ip4, mac1)
	Apply(t, w.Kernel(), []dataplane.Entry{n}, nil)
	n.LinkAddr = mac2
	Apply(t, w.Kernel(), []dataplane.Entry{n}, nil)
	Listed(t, w.Kernel(), n, Remote(10100, mac1, vtep2))
}

func ownErrors(t *testing.T, w World) {
	good, bad := Local(10100, mac1, "blue1"), Local(10100, mac2, "red1")
	unknown := Local(77, mac1, "blue1")
	neither := dataplane.Entry{Key: good.Key}
	errs := w.Kernel().Apply(t.Context(), []dataplane.Entry{bad, good, unknown, neither}, []dataplane.Key{good.Key})
	if len(errs) != 5 {
		t.Fatalf("%d errors, want one per element: 5", len(errs))
	}
	for i, fails := range []bool{true, false, true, true, false} {
		if (errs[i] != nil) != fails {
			t.Errorf("error %d is %v, want one: %v", i, errs[i], fails)
		}
	}
	Listed(t, w.Kernel())
}

func twoNetworks(t *testing.T, w World) {
	blue := []dataplane.Entry{Local(10100, mac1, "blue1"), At(10100, ip4, mac1), Flooded(10100, vtep2)}
	red := []dataplane.Entry{Remote(10200, mac1, vtep2), At(10200, ip4, mac1), Flooded(10200, vtep2)}
	Apply(t, w.Kernel(), append(slices.Clone(blue), red...), nil)
	Listed(t, w.Kernel(), append(slices.Clone(blue), red...)...)
	Apply(t, w.Kernel(), nil, keys(blue))
	Listed(t, w.Kernel(), red...)
}

func foreignStays(t *testing.T, w World) {
	foreign := []dataplane.Entry{Local(10100, mac1, "blue1"), Remote(10100, mac2, vtep2), At(10100, ip4, mac1), At(10100, ip6, mac1)}
	for _, e := range foreign {
		w.Foreign(t, e)
	}
	Listed(t, w.Kernel())
	Apply(t, w.Kernel(), nil, keys(foreign))
	for _, e := range foreign {
		if !w.Holds(t, e) {
			t.Errorf("%v was removed, though it is not ours", e)
		}
	}
	Apply(t, w.Kernel(), foreign, nil)
	Listed(t, w.Kernel(), foreign...)
}

func takenOver(t *testing.T, w World) {
	for _, e := range []dataplane.Entry{Local(10100, mac1, "blue1"), At(10100, ip4, mac1), At(10100, ip6, mac1)} {
		Listed(t, w.Kernel())
		Apply(t, w.Kernel(), []dataplane.Entry{e}, nil)
		w.Tamper(t, e.Key)
		w.Foreign(t, e)
		Apply(t, w.Kernel(), nil, []dataplane.Key{e.Key})
		if !w.Holds(t, e) {
			t.Errorf("%v was removed, though it is not ours any more", e)
		}
	}
}

func closedPort(t *testing.T, w World) {
	open := Opened(10100, "blue1")
	closed := open
	closed.Open = false
	Apply(t, w.Kernel(), []dataplane.Entry{closed}, nil)
	Listed(t, w.Kernel())
	Apply(t, w.Kernel(), []dataplane.Entry{open}, nil)
	Listed(t, w.Kernel(), open)
	Apply(t, w.Kernel(), []dataplane.Entry{closed}, nil)
	Listed(t, w.Kernel())
}

func tampered(t *testing.T, w World) {
	Apply(t, w.Kernel(), every(), nil)
	for _, e := range every() {
		if e.Kind == dataplane.Port || e.Kind == dataplane.Tag {
			continue
		}
		Listed(t, w.Kernel(), every()...)
		drain(w.Kernel())
		w.Tamper(t, e.Key)
		signalled(t, w.Kernel(), fmt.Sprintf("%v was removed", e))
		got, err := w.Kernel().List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		set, del := dataplane.Diff(wanted(every()), got)
		if len(set) != 1 || !set[0].Equal(e) || len(del) != 0 {
			t.Fatalf("after %v was removed, to set: %v, to delete: %v", e, set, del)
		}
		Apply(t, w.Kernel(), set, nil)
	}
}

func wanted(entries []dataplane.Entry) map[dataplane.Key]dataplane.Entry {
	m := make(map[dataplane.Key]dataplane.Entry)
	for _, e := range entries {
		m[e.Key] = e
	}
	return m
}

// drain takes a signal that waits.
func drain(k dataplane.Kernel) {
	select {
	case <-k.Changes():
	default:
	}
}

func signalled(t *testing.T, k dataplane.Kernel, why string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	select {
	case <-k.Changes():
	case <-ctx.Done():
		t.Fatalf("%s, and nothing was signalled", why)
	}
}

func deviceDeleted(t *testing.T, w World) {
	Apply(t, w.Kernel(), every(), nil)
	drain(w.Kernel())
	w.DeleteVXLAN(t, w.Networks()[0])
	signalled(t, w.Kernel(), "the VXLAN device was deleted")
	got, err := w.Kernel().List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	set, del := dataplane.Diff(wanted(every()), got)
	if len(set) == 0 {
		t.Error("nothing is missing, though the VXLAN device was deleted")
	}
	Apply(t, w.Kernel(), set, del)
	Listed(t, w.Kernel(), every()...)
}

func restarted(t *testing.T, w World) {
	Apply(t, w.Kernel(), every(), nil)
	next := w.Restart(t)
	if err := next.Ensure(t.Context(), w.Networks()); err != nil {
		t.Fatal(err)
	}
	Listed(t, next, every()...)
	for _, e := range every() {
		if !w.Holds(t, e) {
			t.Errorf("the restart removed %v", e)
		}
	}
	Apply(t, next, nil, keys(every()))
	Listed(t, next)
}

func sharedTrunk(t *testing.T, w World) {
	blue, red := Tagged(10100, "trunk", 100, 0), Tagged(10200, "trunk", 200, 0)
	local := []dataplane.Entry{Local(10100, mac1, "trunk"), Local(10200, mac1, "trunk"), Opened(10100, "trunk"), Opened(10200, "trunk")}
	Apply(t, w.Kernel(), append([]dataplane.Entry{blue, red}, local...), nil)
	Listed(t, w.Kernel(), append([]dataplane.Entry{blue, red}, local...)...)
	for _, change := range []dataplane.Entry{Tagged(10100, "trunk", 100, 101), Tagged(10100, "trunk", 101, 100), Tagged(10100, "trunk", 101, 0)} {
		Apply(t, w.Kernel(), []dataplane.Entry{change}, nil)
		Listed(t, w.Kernel(), append([]dataplane.Entry{change, red}, local...)...)
		blue = change
	}
	for _, bad := range []dataplane.Entry{Tagged(10200, "trunk", 101, 0), Tagged(10200, "trunk", 200, 101), Tagged(10200, "red1", 300, 0), Tagged(10200, "blue1", 300, 0)} {
		if errs := w.Kernel().Apply(t.Context(), []dataplane.Entry{bad}, nil); errs[0] == nil {
			t.Errorf("%v was set", bad)
		}
	}
	Listed(t, w.Kernel(), append([]dataplane.Entry{blue, red}, local...)...)

	next := w.Restart(t)
	if err := next.Ensure(t.Context(), w.Networks()); err != nil {
		t.Fatal(err)
	}
	Listed(t, next, append([]dataplane.Entry{blue, red}, local...)...)
	Apply(t, next, nil, []dataplane.Key{blue.Key, blue.Key})
	Apply(t, next, []dataplane.Entry{Tagged(10200, "trunk", 101, 0)}, nil)
	Listed(t, next, append([]dataplane.Entry{Tagged(10200, "trunk", 101, 0)}, local...)...)
}

func refused(t *testing.T, w World) {
	n := w.Networks()
	n[1].Ports = n[0].Ports
	if err := w.Kernel().Ensure(t.Context(), n); err == nil {
		t.Error("two networks got the same port")
	}
}

func contextEnded(t *testing.T, w World) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for i, err := range w.Kernel().Apply(ctx, every(), keys(every())) {
		if err == nil {
			t.Errorf("element %d succeeded", i)
		}
	}
	Listed(t, w.Kernel())
}
