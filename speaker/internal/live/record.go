package live

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker"
)

// Record is everything that a speaker's peers said. Its methods are safe for concurrent use. Those that wait return the first event from an index on that
// is wanted, and the index after it.
type Record struct {
	done chan struct{}

	mu     sync.Mutex
	events []speaker.Event
	news   chan struct{} // closed and replaced with each event
}

// NewRecord takes events until their end.
func NewRecord(events <-chan speaker.Event) *Record {
	r := &Record{done: make(chan struct{}), news: make(chan struct{})}
	go func() {
		defer close(r.done)
		for e := range events {
			r.mu.Lock()
			r.events = append(r.events, e)
			close(r.news)
			r.news = make(chan struct{})
			r.mu.Unlock()
		}
	}()
	return r
}

// Done is closed after the last event.
func (r *Record) Done() <-chan struct{} { return r.done }

// Seen is the events so far, and a channel that is closed with the next.
func (r *Record) Seen() ([]speaker.Event, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.events[:len(r.events):len(r.events)], r.news
}

// Wait waits for an event.
func (r *Record) Wait(t testing.TB, from int, what string, wanted func(speaker.Event) bool) (speaker.Event, int) {
	t.Helper()
	timeout := time.After(Patience)
	for {
		events, news := r.Seen()
		for i := from; i < len(events); i++ {
			if wanted(events[i]) {
				return events[i], i + 1
			}
		}
		select {
		case <-news:
		case <-timeout:
			t.Fatalf("wait for %s, seen:\n%s", what, Lines(events[min(from, len(events)):]))
		}
	}
}

// Lines prints events, one a line.
func Lines(events []speaker.Event) (s string) {
	for _, e := range events {
		s += fmt.Sprintf("  kind %d peer %v epoch %d key %v implied %t %s\n", e.Kind, e.Peer, e.Epoch, e.Key, e.Implied, e.Text)
	}
	return s
}

// WaitUp waits for a peer's session.
func (r *Record) WaitUp(t testing.TB, from int, peer netip.Addr) (speaker.Event, int) {
	t.Helper()
	return r.Wait(t, from, fmt.Sprintf("session with %v", peer), func(e speaker.Event) bool { return e.Kind == speaker.SessionUp && e.Peer == peer })
}

// WaitDown waits for its end.
func (r *Record) WaitDown(t testing.TB, from int, peer netip.Addr) (speaker.Event, int) {
	t.Helper()
	return r.Wait(t, from, fmt.Sprintf("end of the session with %v", peer), func(e speaker.Event) bool { return e.Kind == speaker.SessionDown && e.Peer == peer })
}

// WaitRoute waits for a route of anyone.
func (r *Record) WaitRoute(t testing.TB, from int, k evpn.RouteKey) (speaker.Event, int) {
	t.Helper()
	return r.Wait(t, from, fmt.Sprintf("route %v", k), func(e speaker.Event) bool { return e.Kind == speaker.Announced && e.Route.RouteKey == k })
}

// WaitWithdrawal waits for its end.
func (r *Record) WaitWithdrawal(t testing.TB, from int, k evpn.RouteKey) (speaker.Event, int) {
	t.Helper()
	return r.Wait(t, from, fmt.Sprintf("withdrawal of %v", k), func(e speaker.Event) bool { return e.Kind == speaker.Withdrawn && e.Key == k })
}

// WaitEnd waits for the End-of-RIB that a peer sent, or anyone if the address is none.
func (r *Record) WaitEnd(t testing.TB, from int, peer netip.Addr) (speaker.Event, int) {
	t.Helper()
	return r.Wait(t, from, fmt.Sprintf("End-of-RIB of %v", peer), func(e speaker.Event) bool {
		return e.Kind == speaker.EndOfRIB && (e.Peer == peer || !peer.IsValid())
	})
}
