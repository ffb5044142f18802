package gobgp_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker"
	"github.com/tns-project/tns/speaker/gobgp"
	"github.com/tns-project/tns/speaker/internal/live"
)

// Run's end closes the events and leaves the sessions alone.
func TestRunEndsWithoutANotification(t *testing.T) {
	t.Parallel()
	passive, active := pair(t)
	active.announce(t, macRoute(1))
	_, next := passive.WaitRoute(t, 0, macRoute(1).RouteKey)
	active.stop()
	if err := <-active.done; err != nil {
		t.Errorf("Run: %v", err)
	}
	if _, open := <-active.Events(); open {
		t.Error("the events are still open")
	}
	// The session still works in both directions of the transport: a route is taken, and one more.
	active.announce(t, macRoute(2))
	_, next = passive.WaitRoute(t, next, macRoute(2).RouteKey)
	if events, _ := passive.Seen(); len(events) > next {
		t.Errorf("after it:\n%s", live.Lines(events[next:]))
	}
}

func TestOpenIsCalledOnce(t *testing.T) {
	t.Parallel()
	s := start(t, activeFrom(address()))
	if err := s.Open(t.Context()); err == nil {
		t.Error("no error")
	}
	must(t, s.Close())
	must(t, s.Close())
	if err := s.Open(t.Context()); err == nil {
		t.Error("no error after Close")
	}
	if err := s.Resend(netip.Addr{}); err == nil {
		t.Error("Resend after Close: no error")
	}
	if _, err := s.Sessions(); err == nil {
		t.Error("Sessions after Close: no error")
	}
}

func TestOpenSaysWhatIsTaken(t *testing.T) {
	t.Parallel()
	c := speakerOn(address())
	start(t, c)
	second := run(t, c)
	if err := second.Open(t.Context()); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("got %v", err)
	}
}

func TestNewRefusesAWrongConfiguration(t *testing.T) {
	t.Parallel()
	good := activeFrom(netip.MustParseAddr("192.0.2.1"), to(netip.Addr{}, netip.MustParseAddr("192.0.2.2")))
	if _, err := gobgp.New(good); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		change func(*gobgp.Config)
		want   string
	}{
		{"no router-id", func(c *gobgp.Config) { c.RouterID = 0 }, "router-id"},
		{"no AS", func(c *gobgp.Config) { c.AS = 0 }, "AS is missing"},
		{"a port that is none", func(c *gobgp.Config) { c.ListenPort = 70000 }, "port 70000"},
		{"an API on the network", func(c *gobgp.Config) { c.API = "0.0.0.0:50051" }, "loopback"},
		{"an API on a relative path", func(c *gobgp.Config) { c.API = "unix://run/x" }, "absolute"},
		{"an API without port", func(c *gobgp.Config) { c.API = "unix:///run/x, 127.0.0.1" }, "host:port"},
		{"a peer without AS", func(c *gobgp.Config) { c.Peers[0].AS = 0 }, "AS is missing"},
		{"a peer without address", func(c *gobgp.Config) { c.Peers[0].Prefix = netip.Prefix{} }, "without an address"},
		{"a static peer that is many", func(c *gobgp.Config) { c.Peers[0].Prefix = netip.MustParsePrefix("10.0.0.0/8") }, "single address"},
		{"a hold time of 2 s", func(c *gobgp.Config) { c.Peers[0].HoldTime = 2 * time.Second }, "hold time 2s"},
		{"a hold time of 3.5 s", func(c *gobgp.Config) { c.Peers[0].HoldTime = 3500 * time.Millisecond }, "whole seconds"},
		{"a retry time of 0.5 s", func(c *gobgp.Config) { c.Peers[0].ConnectRetry = time.Second / 2 }, "whole seconds"},
		{"a local address of the other family", func(c *gobgp.Config) { c.Peers[0].LocalAddress = netip.IPv6Loopback() }, "other family"},
		{"a dynamic peer without listening", func(c *gobgp.Config) { c.Peers[0].Dynamic = true }, "listens"},
		{"a peer twice", func(c *gobgp.Config) { c.Peers = append(c.Peers, c.Peers[0]) }, "twice"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := good
			c.Peers = append([]gobgp.Peer(nil), good.Peers...)
			test.change(&c)
			if _, err := gobgp.New(c); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q in it", err, test.want)
			}
		})
	}
	_, err := gobgp.New(gobgp.Config{ListenPort: -7})
	for _, want := range []string{"router-id", "AS", "port -7"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want all errors at once, %q too", err, want)
		}
	}
}

// Two speakers in one process, as nved has them, know nothing of each other.
func TestTwoInstancesAreSeparate(t *testing.T) {
	t.Parallel()
	a, b := address(), address()
	c := speakerOn(a)
	c.Peers = append(c.Peers, anyone())
	south := start(t, c)
	north := start(t, speakerOn(b))
	d := address()
	peer := start(t, activeFrom(d, to(d, a)))
	peer.announce(t, macRoute(1))
	south.WaitRoute(t, 0, macRoute(1).RouteKey)
	north.announce(t, macRoute(1), macRoute(2))
	if own, err := south.Own(); err != nil || len(own) != 0 {
		t.Errorf("%v, %v", own, err)
	}
	if own, err := north.Own(); err != nil || len(own) != 2 {
		t.Errorf("%v, %v", own, err)
	}
	if events, _ := north.Seen(); len(events) != 0 {
		t.Errorf("events of the other:\n%s", live.Lines(events))
	}
}

// A reader that does not read costs no more than one event a route.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	a, b := address(), address()
	c := speakerOn(a)
	c.Peers = append(c.Peers, anyone())
	slow, err := gobgp.New(c)
	must(t, err)
	t.Cleanup(func() { _ = slow.Close() })
	must(t, slow.Open(t.Context())) // and no Run yet
	active := start(t, activeFrom(b, to(b, a)))
	active.WaitUp(t, 0, a)
	const changes = 200
	for i := range evpn.VNI(changes) {
		r := macRoute(byte(i % 2))
		r.Label = i
		active.announce(t, r)
	}
	eventually(t, "all changes have arrived", func() bool { return slow.Stats().Received == changes })
	if n := slow.Stats().Queue; n > 4 { // up, two routes, End-of-RIB
		t.Errorf("%d events wait", n)
	}
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { done <- slow.Run(ctx) }()
	labels := make(map[evpn.RouteKey]evpn.VNI)
	for len(labels) < 2 {
		if e := <-slow.Events(); e.Kind == speaker.Announced {
			labels[e.Key] = e.Route.Label
		}
	}
	for k, label := range labels {
		if want := evpn.VNI(changes-2) + evpn.VNI(k.MAC[5]); label != want {
			t.Errorf("%v has label %d, want %d", k, label, want)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
