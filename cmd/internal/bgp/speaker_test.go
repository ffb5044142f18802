//go:debug multipathtcp=0

package bgp

import (
	"context"
	"encoding/binary"
	"io"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker"
	"github.com/tns-project/tns/speaker/guard"
)

const (
	as       = 65000
	patience = 20 * time.Second
)

// place is an address and a port of our own.
func place(t *testing.T) netip.AddrPort {
	t.Helper()
	p, err := free(netip.MustParsePrefix("127.32.0.0/12"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// setting is a speaker with the address as router-id.
func setting(own netip.Addr, inner string, peers ...guard.Peer) Config {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return Config{
		RouterID: evpn.RouterID(binary.BigEndian.Uint32(own.AsSlice())), AS: as, Peers: peers, Inner: netip.MustParsePrefix(inner), Log: logrus.NewEntry(log),
	}
}

// start makes a speaker, runs and opens it. The function that it returns stops it.
func start(t *testing.T, c Config) (*Speaker, func()) {
	t.Helper()
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop := func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		done <- nil
	}
	t.Cleanup(func() {
		stop()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s, stop
}

// wait is the next event of a kind.
func wait(t *testing.T, s *Speaker, kind speaker.Kind) speaker.Event {
	t.Helper()
	for limit := time.After(patience); ; {
		select {
		case e, ok := <-s.Events():
			if !ok {
				t.Fatalf("the events ended, want one of kind %d", kind)
			}
			if e.Kind == kind {
				return e
			}
		case <-limit:
			t.Fatalf("no event of kind %d", kind)
		}
	}
}

// Two speakers of one process, joined by a signed session: events and sessions have the real addresses, also of peers that are not there.
func TestPeersHaveTheirOwnAddresses(t *testing.T) {
	at, from, nobody := place(t), place(t).Addr(), place(t)
	c := setting(at.Addr(), "127.64.0.0/11", guard.Peer{Prefix: netip.PrefixFrom(from, 24).Masked(), Dynamic: true, Password: "outer", Description: "any"})
	c.Listen = []netip.AddrPort{at}
	listening, _ := start(t, c)
	route := evpn.Route{
		RouteKey: evpn.RouteKey{Type: evpn.MACIPAdvertisement, RD: evpn.NewRD(c.RouterID, 1), MAC: evpn.MAC{2, 0, 0, 0, 0, 1}}, NextHop: at.Addr(), Label: 10100,
		Communities: []evpn.ExtendedCommunity{evpn.ExtendedCommunity(evpn.AutoRouteTarget(as, 10100))},
	}
	if err := listening.Announce(route); err != nil {
		t.Fatal(err)
	}
	to := func(p netip.AddrPort) guard.Peer {
		return guard.Peer{Prefix: netip.PrefixFrom(p.Addr(), 32), Port: p.Port(), AS: as, LocalAddress: from, Password: "outer", Description: "one"}
	}
	dialling, _ := start(t, setting(from, "127.96.0.0/11", to(at), to(nobody)))

	if e := wait(t, listening, speaker.SessionUp); e.Peer != from || e.AS != as {
		t.Errorf("session %+v, want with %v", e, from)
	}
	if e := wait(t, dialling, speaker.Announced); e.Peer != at.Addr() || e.Route.RouteKey != route.RouteKey || e.Route.NextHop != at.Addr() {
		t.Errorf("route %+v, want %v of %v", e, route.RouteKey, at.Addr())
	}
	wait(t, dialling, speaker.EndOfRIB)

	sessions, err := dialling.Sessions()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.IsSortedFunc(sessions, func(a, b speaker.Session) int { return a.Peer.Compare(b.Peer) }) {
		t.Errorf("sessions %+v, want them by address", sessions)
	}
	for _, v := range sessions {
		up := v.Peer == at.Addr()
		switch {
		case v.Dynamic || v.Description != "one" || v.AS != as || (v.State == "established") != up || v.Since.IsZero():
			t.Errorf("session %+v", v)
		case up && (v.LocalAddress != from || v.RouterID != c.RouterID || v.Routes != 1 || v.Received < 2):
			t.Errorf("established session %+v", v)
		}
	}
	if len(sessions) != 2 {
		t.Errorf("%d sessions, want 2", len(sessions))
	}
	sessions, err = listening.Sessions()
	if err != nil || len(sessions) != 1 || sessions[0].Peer != from || !sessions[0].Dynamic || sessions[0].Description != "any" {
		t.Errorf("sessions %+v, %v", sessions, err)
	}
}

// A peer is sent what it asks for (RFC 4684), also what is announced before it comes, and everything when that is asked again; people see all of it.
func TestPeersAreSentWhatTheyAskFor(t *testing.T) {
	at, from := place(t), place(t).Addr()
	mine, other := evpn.ResponseTarget(7), evpn.ResponseTarget(8)
	c := setting(at.Addr(), "127.64.0.0/11", guard.Peer{Prefix: netip.PrefixFrom(from, 32), Dynamic: true})
	c.Listen, c.RouteTargets = []netip.AddrPort{at}, []evpn.RouteTarget{evpn.RequestTarget(c.RouterID)}
	listening, _ := start(t, c)
	route := func(n byte, rt evpn.RouteTarget) evpn.Route {
		return evpn.Route{
			RouteKey: evpn.RouteKey{Type: evpn.MACIPAdvertisement, RD: evpn.NewRD(c.RouterID, 1), MAC: evpn.MAC{2, 0, 0, 0, 0, n}}, NextHop: at.Addr(),
			Communities: []evpn.ExtendedCommunity{evpn.ExtendedCommunity(rt)},
		}
	}
	announce := func(routes ...evpn.Route) {
		t.Helper()
		for _, r := range routes {
			if err := listening.Announce(r); err != nil {
				t.Fatal(err)
			}
		}
	}
	announce(route(1, other), route(2, mine))
	d := setting(from, "127.96.0.0/11", guard.Peer{Prefix: netip.PrefixFrom(at.Addr(), 32), Port: at.Port(), AS: as, LocalAddress: from})
	d.RouteTargets = []evpn.RouteTarget{mine}
	dialling, _ := start(t, d)
	want := func(kind speaker.Kind, n byte) {
		t.Helper()
		if e := wait(t, dialling, kind); e.Key.MAC[5] != n || e.Peer != at.Addr() {
			t.Errorf("event %+v, want of route %d", e, n)
		}
	}
	want(speaker.Announced, 2)
	wait(t, dialling, speaker.EndOfRIB)
	announce(route(3, other), route(4, mine))
	want(speaker.Announced, 4)
	if err := listening.Resend(from); err != nil {
		t.Fatal(err)
	}
	again := []byte{wait(t, dialling, speaker.Announced).Key.MAC[5], wait(t, dialling, speaker.Announced).Key.MAC[5]}
	if slices.Sort(again); !slices.Equal(again, []byte{2, 4}) {
		t.Errorf("sent again: %v", again)
	}
	if err := listening.Withdraw(route(2, mine).RouteKey); err != nil {
		t.Fatal(err)
	}
	want(speaker.Withdrawn, 2)
	if own, err := listening.Own(); err != nil || len(own) != 3 {
		t.Errorf("own %v, %v", own, err)
	}
	if n := listening.Stats(); n.Announced != 4 || n.Withdrawn != 1 || n.Refused+n.TreatedAsWithdraw+n.Ignored+n.Unsent != 0 {
		t.Errorf("%+v", n)
	}
}

// GoBGP is there where people can ask it: once they do it has what the peer says and what is announced, and nothing before. Where they cannot there is none, and routes go all the same.
func TestTableIsThereForWhoCanAsk(t *testing.T) {
	at, from := place(t), place(t).Addr()
	c := setting(at.Addr(), "127.64.0.0/11", guard.Peer{Prefix: netip.PrefixFrom(from, 32), Dynamic: true})
	c.Listen, c.API = []netip.AddrPort{at}, "unix://"+filepath.Join(t.TempDir(), "api")
	shown, _ := start(t, c)
	hidden, _ := start(t, setting(from, "127.96.0.0/11", guard.Peer{Prefix: netip.PrefixFrom(at.Addr(), 32), Port: at.Port(), AS: as, LocalAddress: from}))
	if hidden.mirror != nil {
		t.Error("there is a GoBGP that nobody can ask")
	}
	for n, s := range []*Speaker{shown, hidden} {
		route := evpn.Route{
			RouteKey: evpn.RouteKey{Type: evpn.MACIPAdvertisement, RD: evpn.NewRD(c.RouterID, 1), MAC: evpn.MAC{2, 0, 0, 0, 0, byte(n)}}, NextHop: at.Addr(),
		}
		if err := s.Announce(route); err != nil {
			t.Fatal(err)
		}
	}
	if e := wait(t, shown, speaker.Announced); e.Key.MAC[5] != 1 {
		t.Errorf("event %+v", e)
	}
	if e := wait(t, hidden, speaker.Announced); e.Key.MAC[5] != 0 {
		t.Errorf("event %+v", e)
	}
	if sessions, err := shown.mirror.Sessions(); err != nil || len(sessions) != 0 {
		t.Errorf("nobody has asked, and the table has sessions %+v, %v", sessions, err)
	}
	if stands, err := shown.mirror.Speaker.Own(); err != nil || len(stands) != 0 {
		t.Errorf("nobody has asked, and the table has %v, %v", stands, err)
	}
	if own, err := shown.Own(); err != nil || len(own) != 1 {
		t.Errorf("own %v, %v, whether anybody has asked or not", own, err)
	}
	stock(t, c.API, "neighbor")
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for until := time.Now().Add(patience); ; <-tick.C {
		inner, err := shown.mirror.Sessions()
		missing, foreign, err2 := shown.mirror.Check()
		stands, err3 := shown.mirror.Speaker.Own()
		if err == nil && err2 == nil && err3 == nil && len(inner) == 1 && inner[0].Peer == from && inner[0].Routes == 1 && len(stands) == 1 && len(missing)+len(foreign) == 0 {
			break
		}
		if time.Now().After(until) {
			t.Fatalf("the table has sessions %+v and routes %v, misses %v, has more %v; %v, %v, %v", inner, stands, missing, foreign, err, err2, err3)
		}
	}
	if own, err := hidden.Own(); err != nil || len(own) != 1 {
		t.Errorf("own %v, %v", own, err)
	}
	if n, err := hidden.Restore(); n != 0 || err != nil {
		t.Errorf("restored %d, %v", n, err)
	}
	peers, _, err := hidden.Peers(t.Context())
	if err != nil || len(peers) != 1 || peers[0].Engine != guard.Established {
		t.Errorf("peers %+v, %v: want that the engine is there", peers, err)
	}
}

// A speaker that stops tells nobody: neither its reader, of sessions that ended, nor its peers.
func TestStopping(t *testing.T) {
	at, from := place(t), place(t).Addr()
	c := setting(at.Addr(), "127.64.0.0/11", guard.Peer{Prefix: netip.PrefixFrom(from, 32), Dynamic: true})
	c.Listen = []netip.AddrPort{at}
	stopping, stop := start(t, c)
	other, _ := start(t, setting(from, "127.96.0.0/11", guard.Peer{Prefix: netip.PrefixFrom(at.Addr(), 32), Port: at.Port(), AS: as, LocalAddress: from}))
	wait(t, stopping, speaker.SessionUp)
	wait(t, other, speaker.SessionUp)
	rest := make(chan []speaker.Kind)
	go func() {
		var kinds []speaker.Kind
		for e := range stopping.Events() {
			kinds = append(kinds, e.Kind)
		}
		rest <- kinds
	}()
	stop()
	if kinds := <-rest; slices.Contains(kinds, speaker.SessionDown) {
		t.Errorf("events %v, want that no session is told to have ended", kinds)
	}
	wait(t, other, speaker.SessionDown)
	for n := range other.inside.Notices() {
		if n.Kind != guard.PeerDown {
			continue
		}
		// Reset, where the peer has just sent something that nobody read any more.
		if !strings.Contains(n.Text, "closed the connection") && !strings.Contains(n.Text, "connection reset by peer") {
			t.Errorf("the peer sees %q, want a connection that was closed without a word", n.Text)
		}
		break
	}
}

// A speaker that was never opened stops, too.
func TestStopBeforeOpen(t *testing.T) {
	s, err := New(setting(place(t).Addr(), "127.64.0.0/11"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(ctx); err != nil {
		t.Error(err)
	}
}

// What is held back serves once all speakers are open, or when the daemon ends.
func TestAfterOpen(t *testing.T) {
	open, _ := start(t, setting(place(t).Addr(), "127.64.0.0/11"))
	late, err := New(setting(place(t).Addr(), "127.96.0.0/11"))
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan bool, 1) // whether late is open by then
	serve := AfterOpen(func(context.Context) error {
		select {
		case <-late.opened:
			served <- true
		default:
			served <- false
		}
		return nil
	}, open, late)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := serve(ended); err != nil || <-served {
		t.Errorf("a daemon that ends: %v, want that it serves, with a speaker that is not open", err)
	}
	done := make(chan error)
	go func() { done <- serve(t.Context()) }()
	if err := late.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { late.Close() })
	if err := <-done; err != nil || !<-served {
		t.Errorf("%v, want that it serves after the last speaker is open", err)
	}
}

func TestNewRefuses(t *testing.T) {
	at := place(t)
	c := setting(at.Addr(), "127.64.0.0/11")
	c.Listen = []netip.AddrPort{at}
	start(t, c)
	small := c
	small.Inner = netip.MustParsePrefix("127.64.0.0/28")
	abroad := c
	abroad.Inner = netip.MustParsePrefix("192.0.2.0/24")
	twice := setting(at.Addr(), "127.64.0.0/11", guard.Peer{Prefix: netip.PrefixFrom(at.Addr(), 32), AS: as}, guard.Peer{Prefix: netip.PrefixFrom(at.Addr(), 32), AS: as})
	for _, v := range []struct {
		c    Config
		want string
	}{
		{c, "listen on " + at.String()},
		{small, "at least a /24"},
		{abroad, "in 127.0.0.0/8"},
		{twice, "is there twice"},
	} {
		if _, err := New(v.c); err == nil || !strings.Contains(err.Error(), v.want) {
			t.Errorf("error %v, want one with %q", err, v.want)
		}
	}
}

func TestListenOn(t *testing.T) {
	one := netip.MustParseAddr("192.0.2.1")
	if got := ListenOn(1790, []netip.Addr{one}); !slices.Equal(got, []netip.AddrPort{netip.AddrPortFrom(one, 1790)}) {
		t.Errorf("listen on %v", got)
	}
	if got := ListenOn(179, nil); len(got) != 2 || !got[0].Addr().IsUnspecified() || !got[1].Addr().Is6() {
		t.Errorf("listen on %v, want on all addresses", got)
	}
}
