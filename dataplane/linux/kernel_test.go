package linux

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/dataplane/dataplanetest"
)

// listener reads the notifications of a namespace.
type listener struct {
	space
	socket *nl.NetlinkSocket
	fences int
}

type notification struct {
	kind uint16
	body []byte
}

func (s space) listen(t *testing.T) *listener {
	t.Helper()
	socket, err := nl.SubscribeAt(s.ns, netns.None(), unix.NETLINK_ROUTE, unix.RTNLGRP_LINK, unix.RTNLGRP_NEIGH)
	if err != nil {
		t.Fatal(err)
	}
	if err := socket.SetReceiveBufferSize(8<<20, true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(socket.Close)
	return &listener{space: s, socket: socket}
}

// heard is all that was notified until now: it puts a neighbour on lo and reads until that is notified.
func (l *listener) heard(t *testing.T) (all []notification) {
	t.Helper()
	l.fences++
	fence := dataplane.MAC{2, 0xff, 0, 0, byte(l.fences >> 8), byte(l.fences)}
	l.run(t, "ip neigh replace 127.9.9.9 lladdr %v dev lo nud permanent", fence)
	for {
		messages, _, err := l.socket.Receive()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range messages {
			if bytes.Contains(m.Data, fence[:]) {
				return all
			}
			all = append(all, notification{m.Header.Type, m.Data})
		}
	}
}

// ready is a namespace with the contract's networks.
func ready(t *testing.T) (space, *Kernel) {
	t.Helper()
	w := newWorld(t).(world)
	if err := w.k.Ensure(t.Context(), dataplanetest.Networks()); err != nil {
		t.Fatal(err)
	}
	return w.space, w.k
}

func entries() []dataplane.Entry {
	mac1, mac2 := dataplane.MAC{2, 0, 0, 0, 0, 1}, dataplane.MAC{2, 0, 0, 0, 0, 2}
	vtep := netip.MustParseAddr("192.0.2.2")
	return []dataplane.Entry{
		dataplanetest.Local(10100, mac1, "blue1"), dataplanetest.Remote(10100, mac2, vtep), dataplanetest.Flooded(10100, vtep),
		dataplanetest.At(10100, netip.MustParseAddr("10.0.0.1"), mac1), dataplanetest.At(10100, netip.MustParseAddr("fd00::1"), mac2),
		dataplanetest.Opened(10100, "blue1"),
	}
}

func TestDoingItAgainChangesNothing(t *testing.T) {
	s, k := ready(t)
	dataplanetest.Apply(t, k, entries(), nil)
	rules := s.run(t, "nft list ruleset")
	l := s.listen(t)
	l.heard(t)
	if err := k.Ensure(t.Context(), dataplanetest.Networks()); err != nil {
		t.Fatal(err)
	}
	again := slices.DeleteFunc(entries(), func(e dataplane.Entry) bool { return e.Kind == dataplane.Port || e.Kind == dataplane.Neighbor })
	dataplanetest.Apply(t, k, again, nil)
	dataplanetest.Listed(t, k, entries()...)
	if all := l.heard(t); len(all) != 0 {
		t.Errorf("%d changes were notified: %v", len(all), all)
	}
	dataplanetest.Apply(t, k, entries(), nil)
	dataplanetest.Listed(t, k, entries()...)
	if now := s.run(t, "nft list ruleset"); now != rules {
		t.Errorf("nftables rules were\n%s\nand are\n%s", rules, now)
	}
}

func TestOwnEchoIsNoChange(t *testing.T) {
	s, k := ready(t)
	l := s.listen(t)
	l.heard(t)
	dataplanetest.Apply(t, k, entries(), nil)
	all := l.heard(t)
	if len(all) < len(entries()) {
		t.Fatalf("only %d notifications", len(all))
	}
	judge(t, k, all)
	var keys []dataplane.Key
	for _, e := range entries() {
		keys = append(keys, e.Key)
	}
	dataplanetest.Apply(t, k, nil, keys)
	judge(t, k, l.heard(t))
}

// judge fails the test if a notification is taken for somebody else's doing.
func judge(t *testing.T, k *Kernel, all []notification) {
	t.Helper()
	k.watch.mu.Lock()
	defer k.watch.mu.Unlock()
	for _, n := range all {
		if k.watch.foreign(n.kind, n.body) {
			t.Errorf("our own doing, type %d, % x, is taken for somebody else's", n.kind, n.body)
		}
	}
}

func TestBridgeNeverForgetsAMACThatMoves(t *testing.T) {
	s, k := ready(t)
	mac := dataplane.MAC{2, 0, 0, 0, 0, 1}
	places := []dataplane.Entry{
		dataplanetest.Local(10100, mac, "blue1"),
		dataplanetest.Remote(10100, mac, netip.MustParseAddr("192.0.2.2")),
		dataplanetest.Local(10100, mac, "blue2"),
		dataplanetest.Remote(10100, mac, netip.MustParseAddr("192.0.2.3")),
	}
	dataplanetest.Apply(t, k, places[:1], nil)
	bridge := k.networks[10100].bridge

	look, err := dial(s.ns)
	if err != nil {
		t.Fatal(err)
	}
	defer look.close()
	ctx, stop := context.WithCancel(t.Context())
	looked := make(chan int)
	go func() {
		n := 0
		for ; ctx.Err() == nil; n++ {
			if _, err := look.one(t.Context(), neigh{family: unix.AF_BRIDGE, mac: mac, master: bridge}.get()); err != nil {
				t.Errorf("look %d: %v", n, err)
				break
			}
		}
		looked <- n
	}()
	l := s.listen(t)
	for i := range 400 {
		dataplanetest.Apply(t, k, places[i%4:i%4+1], nil)
	}
	stop()
	if n := <-looked; n < 100 {
		t.Errorf("only %d looks", n)
	}
	for _, n := range l.heard(t) {
		if e, ok := parseNeigh(n.body); ok && n.kind == unix.RTM_DELNEIGH && e.mac == mac && !e.self() {
			t.Fatalf("the bridge's entry was deleted: %+v", e)
		}
	}
}

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

func TestPortThatComesBackIsAPortAgain(t *testing.T) {
	s, k := ready(t)
	dataplanetest.Apply(t, k, entries(), nil)
	r := dataplane.NewReconciler(k)
	for _, e := range entries() {
		r.Set(e)
	}
	r.Complete()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	go func() {
		for range r.Results() {
		}
	}()
	resync(t, r)
	for _, command := range []string{"ip link del blue1", "ip link del vx10100", "ip link del br10100", "bridge link set dev blue1 locked off", "nft delete table netdev tns"} {
		s.run(t, "%s", command)
		if command == "ip link del blue1" {
			s.port(t, "blue1")
		}
		deadline := time.Now().Add(10 * time.Second)
		for resync(t, r); time.Now().Before(deadline) && !whole(t, s, k); resync(t, r) {
		}
		if !whole(t, s, k) {
			t.Errorf("after %s: %s", command, s.run(t, "bridge -d link show"))
		}
		dataplanetest.Listed(t, k, entries()...)
		before := drops(t, k, "blue1")
		s.run(t, "ip addr replace 10.9.9.1/24 dev blue1-")
		s.run(t, "ip neigh replace 10.9.9.2 lladdr 02:00:00:00:00:42 dev blue1- nud permanent")
		s.try("ping -c 1 -W 0.1 10.9.9.2")
		if drops(t, k, "blue1") == before {
			t.Errorf("after %s no drop is counted", command)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func resync(t *testing.T, r *dataplane.Reconciler) {
	t.Helper()
	if _, _, err := r.Resync(t.Context()); err != nil {
		t.Log(err)
	}
}

// whole reports whether all entries are there, and blue1 is locked and filtered.
func whole(t *testing.T, s space, k *Kernel) bool {
	got, err := k.List(t.Context())
	set, del := dataplane.Diff(func() map[dataplane.Key]dataplane.Entry {
		m := make(map[dataplane.Key]dataplane.Entry)
		for _, e := range entries() {
			m[e.Key] = e
		}
		return m
	}(), got)
	rules, _ := s.try("nft list table netdev tns")
	return err == nil && len(set)+len(del) == 0 &&
		strings.Contains(s.run(t, "bridge -d link show dev blue1"), "locked on") &&
		strings.Contains(rules, `device "blue1"`) && strings.Contains(rules, "ether saddr != @blue1 counter")
}

func TestCloseEndsWhatNewStarted(t *testing.T) {
	s := newSpace(t)
	k, err := New(Options{Namespace: &s.ns})
	if err != nil {
		t.Fatal(err)
	}
	k.Close()
	select {
	case <-k.watch.stopped:
	default:
		t.Error("the goroutine still runs")
	}
	for _, err := range k.Apply(t.Context(), entries(), nil) {
		if err == nil {
			t.Error("a closed kernel applied an entry")
		}
	}
}

// bulk is n remote MACs.
func bulk(n int) (all []dataplane.Entry) {
	for i := range n {
		mac := dataplane.MAC{2, 0, 1, byte(i >> 16), byte(i >> 8), byte(i)}
		all = append(all, dataplanetest.Remote(10100, mac, netip.MustParseAddr("192.0.2.2")))
	}
	return all
}

func benchWorld(b *testing.B) (space, *Kernel) {
	s := newSpace(b)
	for _, n := range dataplanetest.Networks() {
		for _, p := range n.Ports {
			s.port(b, p)
		}
	}
	k := s.kernel(b)
	if err := k.Ensure(b.Context(), dataplanetest.Networks()); err != nil {
		b.Fatal(err)
	}
	return s, k
}

// BenchmarkApply sets and deletes entries, in one Apply each.
func BenchmarkApply(b *testing.B) {
	for _, n := range []int{1, 100, 10000} {
		all := bulk(n)
		var keys []dataplane.Key
		for _, e := range all {
			keys = append(keys, e.Key)
		}
		b.Run(fmt.Sprintf("remote-%d", n), func(b *testing.B) {
			_, k := benchWorld(b)
			for b.Loop() {
				if err := errorIn(k.Apply(b.Context(), all, nil)); err != nil {
					b.Fatal(err)
				}
				if err := errorIn(k.Apply(b.Context(), nil, keys)); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "us/entry")
		})
	}
	local := []dataplane.Entry{dataplanetest.Local(10100, dataplane.MAC{2, 0, 0, 0, 0, 1}, "blue1")}
	b.Run("local-1", func(b *testing.B) {
		_, k := benchWorld(b)
		for b.Loop() {
			if err := errorIn(k.Apply(b.Context(), local, nil)); err != nil {
				b.Fatal(err)
			}
			if err := errorIn(k.Apply(b.Context(), nil, []dataplane.Key{local[0].Key})); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func errorIn(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkBatchAgainstPlain writes the same entries with our batches and one by one with the netlink library: the
// reason why the batches are there.
func BenchmarkBatchAgainstPlain(b *testing.B) {
	const n = 10000
	all := bulk(n)
	b.Run("batches", func(b *testing.B) {
		_, k := benchWorld(b)
		for b.Loop() {
			if err := errorIn(k.Apply(b.Context(), all, nil)); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			flush(b, k, all)
			b.StartTimer()
		}
	})
	b.Run("one by one", func(b *testing.B) {
		_, k := benchWorld(b)
		vxlan := k.networks[10100].vxlan
		for b.Loop() {
			for _, e := range all {
				inVXLAN := &netlink.Neigh{
					LinkIndex: vxlan, Family: unix.AF_BRIDGE, State: netlink.NUD_NOARP | netlink.NUD_PERMANENT,
					Flags: netlink.NTF_SELF | netlink.NTF_EXT_LEARNED, HardwareAddr: e.MAC[:], IP: e.VTEP.AsSlice(),
				}
				inBridge := &netlink.Neigh{
					LinkIndex: vxlan, Family: unix.AF_BRIDGE, State: netlink.NUD_NOARP,
					Flags: netlink.NTF_MASTER | netlink.NTF_EXT_LEARNED, HardwareAddr: e.MAC[:],
				}
				for _, n := range []*netlink.Neigh{inVXLAN, inBridge} {
					if err := k.links.NeighSet(n); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.StopTimer()
			flush(b, k, all)
			b.StartTimer()
		}
	})
}

func flush(b *testing.B, k *Kernel, all []dataplane.Entry) {
	var keys []dataplane.Key
	for _, e := range all {
		keys = append(keys, e.Key)
	}
	if err := errorIn(k.Apply(b.Context(), nil, keys)); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkList lists 10,000 entries.
func BenchmarkList(b *testing.B) {
	_, k := benchWorld(b)
	if err := errorIn(k.Apply(b.Context(), bulk(10000), nil)); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := k.List(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
