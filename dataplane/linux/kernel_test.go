package linux

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

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

// settle reads until the kernel has told of each link's state: linkwatch tells it up to a second after the change (net/core/link_watch.c).
func (l *listener) settle(t *testing.T) {
	t.Helper()
	second := unix.NsecToTimeval(int64(1100 * time.Millisecond))
	if err := l.socket.SetReceiveTimeout(&second); err != nil {
		t.Fatal(err)
	}
	for {
		_, _, err := l.socket.Receive()
		if errors.Is(err, unix.EAGAIN) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := l.socket.SetReceiveTimeout(&unix.Timeval{}); err != nil {
		t.Fatal(err)
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
	rules := s.run(t, "nft -s -a list ruleset")
	l := s.listen(t)
	l.settle(t)
	if err := k.Ensure(t.Context(), dataplanetest.Networks()); err != nil {
		t.Fatal(err)
	}
	again := slices.DeleteFunc(entries(), func(e dataplane.Entry) bool { return e.Kind == dataplane.Port || e.Kind == dataplane.Neighbor })
	dataplanetest.Apply(t, k, again, nil)
	dataplanetest.Listed(t, k, entries()...)
	all := slices.DeleteFunc(l.heard(t), func(n notification) bool {
		e, ok := parseNeigh(n.body)
		return ok && e.repeated() && n.kind == unix.RTM_NEWNEIGH
	})
	if len(all) != 0 {
		t.Errorf("%d changes were notified: %v", len(all), all)
	}
	dataplanetest.Apply(t, k, entries(), nil)
	dataplanetest.Listed(t, k, entries()...)
	if now := s.run(t, "nft -s -a list ruleset"); now != rules {
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

func TestFlushedRulesComeBackWithTheirMembers(t *testing.T) {
	s, k := ready(t)
	dataplanetest.Apply(t, k, entries(), nil)
	s.run(t, "nft flush ruleset")
	next := s.kernel(t) // nobody has asked it for an entry yet
	if err := next.Ensure(t.Context(), dataplanetest.Networks()); err != nil {
		t.Fatal(err)
	}
	if rules := s.run(t, "nft list set netdev tns blue1"); !strings.Contains(rules, "02:00:00:00:00:01") {
		t.Errorf("the active source of blue1 is locked out: %s", rules)
	}
	dataplanetest.Listed(t, next, entries()...)
}

func TestRulesThatSomebodyChangedAreMadeAgain(t *testing.T) {
	s, k := ready(t)
	dataplanetest.Apply(t, k, entries(), nil)
	right := s.run(t, "nft -s list table netdev tns")
	for _, command := range []string{
		"nft flush chain netdev tns blue1",
		"nft add rule netdev tns blue1 accept",
		"nft delete chain netdev tns br10100",
		"nft add chain netdev tns stray",
		"nft delete chain netdev tns blue2",
	} {
		s.run(t, "%s", command)
		if err := k.Ensure(t.Context(), dataplanetest.Networks()); err != nil {
			t.Fatalf("after %s: %v", command, err)
		}
		now := s.run(t, "nft -s list table netdev tns")
		if a, b := sorted(now), sorted(right); a != b {
			t.Errorf("after %s the rules are\n%s\nwant\n%s", command, now, right)
		}
		dataplanetest.Listed(t, k, entries()...)
	}
}

// sorted is the lines in order: what was made again is listed last.
func sorted(lines string) string {
	return strings.Join(slices.Sorted(strings.Lines(lines)), "")
}

func TestSetWhileTheRulesAreGoneAsksForRepair(t *testing.T) {
	s, k := ready(t)
	s.run(t, "nft flush ruleset")
	select {
	case <-k.Changes():
	default:
	}
	local := entries()[:1]
	if err := k.Apply(t.Context(), local, nil)[0]; err == nil {
		t.Fatal("success, though the source is counted as a foreign one")
	}
	<-k.Changes()
	dataplanetest.Listed(t, k)
	dataplanetest.Apply(t, k, local, nil)
	dataplanetest.Listed(t, k, local...)
}

func TestWithoutNftablesTheRestWorks(t *testing.T) {
	w := newWorld(t).(world)
	w.k.withoutTable(unix.EOPNOTSUPP)
	if err := w.k.Ensure(t.Context(), dataplanetest.Networks()); err != nil {
		t.Fatal(err)
	}
	dataplanetest.Apply(t, w.k, entries(), nil)
	dataplanetest.Listed(t, w.k, entries()...)
	if d, err := w.k.Drops(t.Context()); err == nil {
		t.Errorf("drops are %v, though nothing counts them", d)
	}
	if out := w.run(t, "bridge -d link show dev blue1"); !strings.Contains(out, "locked on") {
		t.Errorf("blue1 is not locked: %s", out)
	}
	if out := w.run(t, "nft list ruleset"); out != "" {
		t.Errorf("rules were made: %s", out)
	}
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
