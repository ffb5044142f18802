package gobgp_test

import (
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker"
	"github.com/tns-project/tns/speaker/gobgp"
)

func addrs(a, b netip.Addr) bool { return a == b }

// pair is a speaker that listens for anyone and one that connects to it.
func pair(t testing.TB) (passive, active *running) {
	t.Helper()
	a, b := address(), address()
	c := speakerOn(a)
	c.Peers = append(c.Peers, anyone())
	return start(t, c), start(t, activeFrom(b, to(b, a)))
}

func TestSessionReportsThePeer(t *testing.T) {
	t.Parallel()
	passive, active := pair(t)
	for _, ends := range [][2]*running{{passive, active}, {active, passive}} {
		me, peer := ends[0], ends[1]
		up, next := me.WaitUp(t, 0, peer.address)
		want := speaker.Event{Kind: speaker.SessionUp, At: up.At, Since: up.At, Peer: peer.address, Epoch: 1, RouterID: mustID(t, peer.address), AS: as}
		if diff := cmp.Diff(want, up, cmp.Comparer(addrs)); diff != "" {
			t.Error(diff)
		}
		if age := time.Since(up.At); age < 0 || age > patience {
			t.Errorf("happened %v ago", age)
		}
		if end, _ := me.WaitEnd(t, next, peer.address); end.Implied || end.Epoch != 1 {
			t.Errorf("End-of-RIB: %+v", end)
		}
		sessions, err := me.Sessions()
		if err != nil || len(sessions) != 1 {
			t.Fatalf("sessions %v, %v", sessions, err)
		}
		s := sessions[0]
		if s.Peer != peer.address || s.LocalAddress != me.address || s.AS != as || s.RouterID != up.RouterID || s.State != "established" ||
			s.Dynamic != (me == passive) || s.Since.IsZero() {
			t.Errorf("session %+v", s)
		}
	}
}

func mustID(t testing.TB, a netip.Addr) evpn.RouterID {
	t.Helper()
	b := a.As4()
	return evpn.RouterID(uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3]))
}

func TestAnnounceAgainAndWithdraw(t *testing.T) {
	t.Parallel()
	passive, active := pair(t)
	_, next := passive.WaitUp(t, 0, active.address)
	route := macRoute(1)
	active.announce(t, route)
	_, next = passive.WaitRoute(t, next, route.RouteKey)
	route.Label = 10200
	active.announce(t, route)
	again, next := passive.WaitRoute(t, next, route.RouteKey)
	if again.Route.Label != 10200 {
		t.Errorf("label %d", again.Route.Label)
	}
	active.withdraw(t, route.RouteKey)
	withdrawal, _ := passive.WaitWithdrawal(t, next, route.RouteKey)
	if withdrawal.Epoch != 1 || withdrawal.Peer != active.address {
		t.Errorf("%+v", withdrawal)
	}
	active.withdraw(t, route.RouteKey) // what is not there is no error
	// The passive side's routes go the other way.
	passive.announce(t, macRoute(2))
	active.WaitRoute(t, 0, macRoute(2).RouteKey)
}

// What was announced before Open is there before End-of-RIB.
func TestRoutesBeforeOpenComeBeforeEndOfRIB(t *testing.T) {
	t.Parallel()
	a, b := address(), address()
	c := speakerOn(a)
	c.Peers = append(c.Peers, anyone())
	passive, active := start(t, c), run(t, activeFrom(b, to(b, a)))
	for n := range byte(100) {
		active.announce(t, macRoute(n))
	}
	if own, err := active.Own(); err != nil || len(own) != 100 {
		t.Fatalf("%d own routes before Open, %v", len(own), err)
	}
	if err := active.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, end := passive.WaitEnd(t, 0, b)
	events, _ := passive.Seen()
	n := 0
	for _, e := range events[:end] {
		if e.Kind == speaker.Announced {
			n++
		}
	}
	if n != 100 {
		t.Errorf("%d routes before End-of-RIB, want 100", n)
	}
}

// A lost session is no withdrawal; the next one has a new epoch.
func TestLostSessionIsNoWithdrawal(t *testing.T) {
	t.Parallel()
	a, b := address(), address()
	c := speakerOn(a)
	c.Peers = append(c.Peers, anyone())
	passive, first := start(t, c), start(t, activeFrom(b, to(b, a)))
	first.announce(t, macRoute(1))
	_, next := passive.WaitRoute(t, 0, macRoute(1).RouteKey)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	down, next := passive.WaitDown(t, next, b)
	if down.Epoch != 1 || down.Text == "" {
		t.Errorf("down: %+v", down)
	}
	lost := time.Now()
	second := start(t, activeFrom(b, to(b, a)))
	up, next := passive.WaitUp(t, next, b)
	if up.Epoch != 2 {
		t.Errorf("up: %+v", up)
	}
	// GoBGP tries after one to two seconds, and a dynamic peer must take the first try.
	if took := up.At.Sub(lost); took > 3*time.Second {
		t.Errorf("a dynamic peer was back after %v", took)
	}
	second.announce(t, macRoute(1))
	again, _ := passive.WaitRoute(t, next, macRoute(1).RouteKey)
	if again.Epoch != 2 {
		t.Errorf("route: %+v", again)
	}
	events, _ := passive.Seen()
	if i := slices.IndexFunc(events, func(e speaker.Event) bool { return e.Kind == speaker.Withdrawn }); i >= 0 {
		t.Errorf("reported as withdrawn: %+v", events[i])
	}
}

// The side that connects does so at once when the other one was restarted, and again when it is.
func TestStaticPeerConnectsAnewAtOnce(t *testing.T) {
	t.Parallel()
	a, b := address(), address()
	c := speakerOn(a)
	c.Peers = append(c.Peers, anyone())
	active := start(t, activeFrom(b, to(b, a)))
	active.announce(t, macRoute(1))
	next := 0
	for epoch := uint64(1); epoch <= 3; epoch++ {
		passive := start(t, c)
		opened := time.Now()
		var up speaker.Event
		up, next = active.WaitUp(t, next, a)
		if up.Epoch != epoch {
			t.Errorf("up: %+v", up)
		}
		if took := up.At.Sub(opened); took > 4*time.Second {
			t.Errorf("epoch %d: connected after %v", epoch, took)
		}
		passive.WaitRoute(t, 0, macRoute(1).RouteKey)
		must(t, passive.Close())
		_, next = active.WaitDown(t, next, a)
	}
}

// A peer that an operator reset comes back.
func TestPeerResetByHandComesBack(t *testing.T) {
	t.Parallel()
	a, b := address(), address()
	c := speakerOn(a)
	c.Peers = append(c.Peers, anyone())
	start(t, c)
	d, target := withAPI(t, activeFrom(b, to(b, a)))
	d.APIWrite = true
	active := start(t, d)
	_, next := active.WaitUp(t, 0, a)
	if out, err := cli(t, target, "neighbor", a.String(), "reset"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, next = active.WaitDown(t, next, a)
	up, _ := active.WaitUp(t, next, a)
	if up.Epoch != 2 {
		t.Errorf("%+v", up)
	}
}

// A peer that dies without a word, as a killed process does, is down at once, and is let in again when it comes back, although it had told that it restarts
// gracefully.
func TestKilledPeerComesBack(t *testing.T) {
	t.Parallel()
	a, b := address(), address()
	c := speakerOn(a)
	c.Peers = append(c.Peers, anyone())
	s := start(t, c)
	peer := dialRaw(t, b, a, 1)
	peer.announce(t, nlriOf(t, macRoute(1)), attr(0xc0, 16, macRoute(1).Communities[0][:]...))
	_, next := s.WaitRoute(t, 0, macRoute(1).RouteKey)
	must(t, peer.conn.Close())
	down, next := s.WaitDown(t, next, b)
	again := start(t, activeFrom(b, to(b, a)))
	again.announce(t, macRoute(2))
	up, next := s.WaitUp(t, next, b)
	if took := up.At.Sub(down.At); took > 4*time.Second {
		t.Errorf("back after %v", took)
	}
	if up.Epoch != 2 {
		t.Errorf("%+v", up)
	}
	s.WaitRoute(t, next, macRoute(2).RouteKey)
	s.WaitEnd(t, next, b)
	events, _ := s.Seen()
	if i := slices.IndexFunc(events, func(e speaker.Event) bool { return e.Kind == speaker.Withdrawn }); i >= 0 {
		t.Errorf("a lost route was reported as withdrawn: %+v", events[i])
	}
}

// Over IPv6 too, no route of a peer gets into our own table.
func TestSessionOverIPv6(t *testing.T) {
	t.Parallel()
	loopback := netip.IPv6Loopback()
	c := speakerOn(address())
	c.ListenAddresses, c.ListenPort = []netip.Addr{loopback}, 20000+os.Getpid()%20000
	c.Peers = append(c.Peers, gobgp.Peer{Prefix: netip.MustParsePrefix("::/0"), Dynamic: true})
	passive := start(t, c)
	p := gobgp.Peer{Prefix: netip.PrefixFrom(loopback, 128), AS: as, Port: uint16(c.ListenPort), LocalAddress: loopback}
	active := start(t, activeFrom(address(), p))
	route := macRoute(1)
	route.NextHop = netip.MustParseAddr("2001:db8::1")
	active.announce(t, route)
	passive.announce(t, macRoute(2))
	got, _ := passive.WaitRoute(t, 0, route.RouteKey)
	if diff := cmp.Diff(route, got.Route, cmp.Comparer(addrs)); diff != "" || got.Peer != loopback {
		t.Errorf("from %v: %s", got.Peer, diff)
	}
	active.WaitRoute(t, 0, macRoute(2).RouteKey)
	if missing, foreign, err := passive.Check(); err != nil || len(missing)+len(foreign) != 0 {
		t.Errorf("missing %v, foreign %v, %v", missing, foreign, err)
	}
}
