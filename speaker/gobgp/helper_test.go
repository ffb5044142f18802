//go:debug multipathtcp=0
package gobgp_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker"
	"github.com/tns-project/tns/speaker/gobgp"
)

// GoBGP's loop does not end, and a listener that is closed while GoBGP is busy leaves its watcher until the loop comes round.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("reflect.rselect"),
		// GoBGP leaves the buffer of a session behind that ended with a message unread.
		goleak.IgnoreTopFunction("github.com/eapache/channels.(*InfiniteChannel).infiniteBuffer"))
}

const (
	as       = 65000
	port     = 1790
	patience = 30 * time.Second // of a test that waits for what must happen
)

var addresses atomic.Uint32

// address is a loopback address that no other speaker of this or another run has.
func address() netip.Addr {
	pid := os.Getpid()
	return netip.AddrFrom4([4]byte{127, byte(64 + pid>>8%64), byte(pid), byte(addresses.Add(1))})
}

// speakerOn is a configuration that listens there, with the address as router-id.
func speakerOn(a netip.Addr) gobgp.Config {
	return gobgp.Config{RouterID: evpn.RouterID(binary.BigEndian.Uint32(a.AsSlice())), AS: as, ListenPort: port, ListenAddresses: []netip.Addr{a}}
}

// activeFrom is a configuration that only connects.
func activeFrom(a netip.Addr, peers ...gobgp.Peer) gobgp.Config {
	c := speakerOn(a)
	c.ListenPort, c.ListenAddresses, c.Peers = -1, nil, peers
	return c
}

// to is a static peer.
func to(local, remote netip.Addr) gobgp.Peer {
	return gobgp.Peer{Prefix: netip.PrefixFrom(remote, 32), AS: as, Port: port, LocalAddress: local}
}

// anyone is a dynamic peer for all of 127/8.
func anyone() gobgp.Peer {
	return gobgp.Peer{Prefix: netip.MustParsePrefix("127.0.0.0/8"), Dynamic: true}
}

// running is a speaker with everything that its peers said.
type running struct {
	*gobgp.Speaker
	address netip.Addr
	stop    context.CancelFunc // ends Run
	done    chan error

	mu     sync.Mutex
	events []speaker.Event
	news   chan struct{} // closed and replaced with each event
}

// run makes a speaker and runs it, without opening it.
func run(t testing.TB, c gobgp.Config) *running {
	t.Helper()
	s, err := gobgp.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{Speaker: s, stop: cancel, done: make(chan error, 1), news: make(chan struct{}), address: c.RouterID.Addr()}
	go func() { r.done <- s.Run(ctx) }()
	read := make(chan struct{})
	go func() {
		defer close(read)
		for e := range s.Events() {
			r.mu.Lock()
			r.events = append(r.events, e)
			close(r.news)
			r.news = make(chan struct{})
			r.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		cancel()
		<-read
	})
	return r
}

// start runs and opens a speaker.
func start(t testing.TB, c gobgp.Config) *running {
	t.Helper()
	r := run(t, c)
	if err := r.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}

// seen is the events so far, and a channel that is closed with the next.
func (r *running) seen() ([]speaker.Event, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.events[:len(r.events):len(r.events)], r.news
}

// wait returns the first event from index `from` on that is wanted, and the index after it.
func (r *running) wait(t testing.TB, from int, what string, wanted func(speaker.Event) bool) (speaker.Event, int) {
	t.Helper()
	timeout := time.After(patience)
	for {
		events, news := r.seen()
		for i := from; i < len(events); i++ {
			if wanted(events[i]) {
				return events[i], i + 1
			}
		}
		select {
		case <-news:
		case <-timeout:
			t.Fatalf("%v waits for %s, has seen:\n%s", r.address, what, lines(events[min(from, len(events)):]))
		}
	}
}

func lines(events []speaker.Event) (s string) {
	for _, e := range events {
		s += fmt.Sprintf("  kind %d peer %v epoch %d key %v implied %t %s\n", e.Kind, e.Peer, e.Epoch, e.Key, e.Implied, e.Text)
	}
	return s
}

func (r *running) waitUp(t testing.TB, from int, peer netip.Addr) (speaker.Event, int) {
	t.Helper()
	return r.wait(t, from, fmt.Sprintf("session with %v", peer), func(e speaker.Event) bool {
		return e.Kind == speaker.SessionUp && e.Peer == peer
	})
}

func (r *running) waitDown(t testing.TB, from int, peer netip.Addr) (speaker.Event, int) {
	t.Helper()
	return r.wait(t, from, fmt.Sprintf("end of the session with %v", peer), func(e speaker.Event) bool {
		return e.Kind == speaker.SessionDown && e.Peer == peer
	})
}

func (r *running) waitRoute(t testing.TB, from int, k evpn.RouteKey) (speaker.Event, int) {
	t.Helper()
	return r.wait(t, from, fmt.Sprintf("route %v", k), func(e speaker.Event) bool {
		return e.Kind == speaker.Announced && e.Route.RouteKey == k
	})
}

func (r *running) waitWithdrawal(t testing.TB, from int, k evpn.RouteKey) (speaker.Event, int) {
	t.Helper()
	return r.wait(t, from, fmt.Sprintf("withdrawal of %v", k), func(e speaker.Event) bool {
		return e.Kind == speaker.Withdrawn && e.Key == k
	})
}

func (r *running) waitEnd(t testing.TB, from int, peer netip.Addr) (speaker.Event, int) {
	t.Helper()
	return r.wait(t, from, fmt.Sprintf("End-of-RIB of %v", peer), func(e speaker.Event) bool {
		return e.Kind == speaker.EndOfRIB && e.Peer == peer
	})
}

// announce announces or fails the test.
func (r *running) announce(t testing.TB, routes ...evpn.Route) {
	t.Helper()
	for _, route := range routes {
		if err := r.Announce(route); err != nil {
			t.Fatal(err)
		}
	}
}

func (r *running) withdraw(t testing.TB, k evpn.RouteKey) {
	t.Helper()
	if err := r.Withdraw(k); err != nil {
		t.Fatal(err)
	}
}

// eventually tests until it holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("never: %s", what)
		}
	}
}

var target = evpn.RequestTarget(0xc0000201)

// macRoute is a type 2 route with one route target.
func macRoute(n byte) evpn.Route {
	return evpn.Route{
		RouteKey:    evpn.RouteKey{Type: evpn.MACIPAdvertisement, RD: evpn.NewRD(0xc6336401, 1), MAC: evpn.MAC{2, 0, 0, 0, 0, n}},
		Label:       10100,
		NextHop:     netip.MustParseAddr("198.51.100.1"),
		Communities: []evpn.ExtendedCommunity{evpn.ExtendedCommunity(target)},
	}
}
