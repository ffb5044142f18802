package speakertest_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"

	"go.uber.org/goleak"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker"
	"github.com/tns-project/tns/speaker/speakertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	addrTES = netip.MustParseAddr("198.51.100.11")
	addrNVE = netip.MustParseAddr("192.0.2.1")
)

func route(n byte) evpn.Route {
	return evpn.Route{
		RouteKey: evpn.RouteKey{Type: evpn.MACIPAdvertisement, MAC: evpn.MAC{2, 0, 0, 0, 0, n}},
		NextHop:  addrTES, Communities: []evpn.ExtendedCommunity{{0x88, n}},
	}
}

// run runs a speaker until the test ends.
func run(t *testing.T, s *speakertest.Speaker) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// next is the next event, which must be of that kind.
func next(t *testing.T, s *speakertest.Speaker, kind speaker.Kind) speaker.Event {
	t.Helper()
	e := <-s.Events()
	if e.Kind != kind {
		t.Fatalf("got %+v, want kind %d", e, kind)
	}
	return e
}

func TestConnectedSpeakers(t *testing.T) {
	tes, nve := speakertest.New(0xc633640b, 65000), speakertest.New(0xc0000201, 65001)
	run(t, tes)
	run(t, nve)
	if err := tes.Announce(route(1)); err != nil {
		t.Fatal(err)
	}
	link := speakertest.Connect(tes, addrTES, nve, addrNVE)
	for _, s := range []*speakertest.Speaker{tes, nve} {
		if err := s.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	up := next(t, nve, speaker.SessionUp)
	if up.Peer != addrTES || up.RouterID != 0xc633640b || up.AS != 65000 || up.Epoch != 1 || up.At.IsZero() {
		t.Errorf("%+v", up)
	}
	if e := next(t, nve, speaker.Announced); e.Route.MAC[5] != 1 || e.Key != e.Route.RouteKey {
		t.Errorf("%+v", e)
	}
	next(t, nve, speaker.EndOfRIB)
	next(t, tes, speaker.SessionUp)
	next(t, tes, speaker.EndOfRIB)

	// Unchanged is not sent, a change is.
	for _, r := range []evpn.Route{route(1), route(2)} {
		if err := tes.Announce(r); err != nil {
			t.Fatal(err)
		}
	}
	if e := next(t, nve, speaker.Announced); e.Route.MAC[5] != 2 {
		t.Errorf("%+v", e)
	}
	if err := tes.Withdraw(route(2).RouteKey); err != nil {
		t.Fatal(err)
	}
	if e := next(t, nve, speaker.Withdrawn); e.Key != route(2).RouteKey {
		t.Errorf("%+v", e)
	}
	if err := tes.Resend(netip.Addr{}); err != nil {
		t.Fatal(err)
	}
	next(t, nve, speaker.Announced)

	link.Down("cable cut")
	if e := next(t, nve, speaker.SessionDown); e.Text != "cable cut" || e.Epoch != 1 {
		t.Errorf("%+v", e)
	}
	sessions, err := nve.Sessions()
	if err != nil || len(sessions) != 1 || sessions[0].State == "established" || sessions[0].Peer != addrTES || sessions[0].LocalAddress != addrNVE {
		t.Errorf("%+v, %v", sessions, err)
	}
	link.Filter(func(e speaker.Event) bool { return e.Key != route(1).RouteKey })
	link.Up()
	if e := next(t, nve, speaker.SessionUp); e.Epoch != 2 {
		t.Errorf("%+v", e)
	}
	next(t, nve, speaker.EndOfRIB)
	if sessions, _ := nve.Sessions(); sessions[0].State != "established" || sessions[0].RouterID != 0xc633640b {
		t.Errorf("%+v", sessions)
	}
}

func TestAlone(t *testing.T) {
	s := speakertest.New(0xc633640b, 65000)
	run(t, s)
	refusal := errors.New("no")
	s.Refuse(refusal)
	if err := s.Announce(route(1)); !errors.Is(err, refusal) {
		t.Errorf("got %v", err)
	}
	s.Refuse(nil)
	for _, n := range []byte{2, 1} {
		if err := s.Announce(route(n)); err != nil {
			t.Fatal(err)
		}
	}
	<-s.Changes()
	if routes := s.Announced(); len(routes) != 2 || routes[0].MAC[5] != 1 {
		t.Errorf("%+v", routes)
	}
	if sent := s.Sent(); len(sent) != 2 || sent[0].Route.MAC[5] != 2 {
		t.Errorf("%+v", sent)
	}
	s.Lose(route(1).RouteKey)
	<-s.OwnChanges()
	if own, err := s.Own(); err != nil || len(own) != 1 || own[0] != route(2).RouteKey {
		t.Errorf("%v, %v", own, err)
	}
	if _, ok := s.Route(route(1).RouteKey); ok {
		t.Error("the lost route is still there")
	}
	s.Emit(speaker.Event{Kind: speaker.SessionUp, Peer: addrNVE, Epoch: 1})
	next(t, s, speaker.SessionUp)
}
