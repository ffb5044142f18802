// Package speakertest is a speaker in memory, for tests of what stands on package speaker.
//
// A Speaker is used alone, with Emit for what peers say and Announced for what was announced; or several are joined by Connect, and what one announces
// the others receive, with the same sessions, epochs and End-of-RIB as between real ones.
package speakertest

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker"
)

var _ speaker.Speaker = (*Speaker)(nil)

// Speaker is a speaker.Speaker without a network. Now may be replaced before use.
type Speaker struct {
	Now func() time.Time // time.Now

	mu      sync.Mutex
	opened  bool
	id      evpn.RouterID
	as      uint32
	routes  map[evpn.RouteKey]evpn.Route
	links   []*Link
	epochs  map[netip.Addr]uint64
	refuse  error
	resends []netip.Addr
	log     []Sent

	queue   *speaker.Queue
	events  chan speaker.Event
	changes chan struct{}
	news    chan struct{}
}

// Sent is one call of Announce or Withdraw, in order.
type Sent struct {
	Withdraw bool
	Route    evpn.Route // of a withdrawal the key alone
}

// New is a speaker with that router-id and AS.
func New(id evpn.RouterID, as uint32) *Speaker {
	return &Speaker{
		Now: time.Now, id: id, as: as,
		routes: make(map[evpn.RouteKey]evpn.Route), epochs: make(map[netip.Addr]uint64),
		queue: speaker.NewQueue(), events: make(chan speaker.Event), changes: make(chan struct{}, 1), news: make(chan struct{}, 1),
	}
}

// Run implements speaker.Speaker.
func (s *Speaker) Run(ctx context.Context) error {
	defer close(s.events)
	err := s.queue.Drain(ctx, s.events)
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// Open implements speaker.Speaker: the links made by Connect come up.
func (s *Speaker) Open(context.Context) error {
	s.mu.Lock()
	if s.opened {
		s.mu.Unlock()
		return errors.New("open speaker: is open already")
	}
	s.opened = true
	links := slices.Clone(s.links)
	s.mu.Unlock()
	for _, l := range links {
		l.Up()
	}
	return nil
}

// Opened reports whether Open was called.
func (s *Speaker) Opened() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opened
}

// Refuse makes Announce and Withdraw fail with err, nil ends it.
func (s *Speaker) Refuse(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = err
}

// Announce implements speaker.Speaker.
func (s *Speaker) Announce(r evpn.Route) error {
	s.mu.Lock()
	if s.refuse != nil {
		defer s.mu.Unlock()
		return s.refuse
	}
	same := false
	if old, ok := s.routes[r.RouteKey]; ok {
		same = equal(old, r)
	}
	s.routes[r.RouteKey] = r
	s.log = append(s.log, Sent{Route: r})
	links := slices.Clone(s.links)
	s.mu.Unlock()
	s.told()
	if !same { // an unchanged route sends nothing, as in GoBGP
		for _, l := range links {
			l.send(s, speaker.Event{Kind: speaker.Announced, Route: r})
		}
	}
	return nil
}

// Withdraw implements speaker.Speaker.
func (s *Speaker) Withdraw(k evpn.RouteKey) error {
	s.mu.Lock()
	if s.refuse != nil {
		defer s.mu.Unlock()
		return s.refuse
	}
	_, stood := s.routes[k]
	delete(s.routes, k)
	s.log = append(s.log, Sent{Withdraw: true, Route: evpn.Route{RouteKey: k}})
	links := slices.Clone(s.links)
	s.mu.Unlock()
	s.told()
	if stood {
		for _, l := range links {
			l.send(s, speaker.Event{Kind: speaker.Withdrawn, Key: k})
		}
	}
	return nil
}

// Events implements speaker.Speaker.
func (s *Speaker) Events() <-chan speaker.Event { return s.events }

// Emit puts an event among the Events, as if a peer had said it. At is set if it is zero.
func (s *Speaker) Emit(e speaker.Event) {
	if e.At.IsZero() {
		e.At = s.Now()
	}
	s.queue.Put(e)
}

// Resend implements speaker.Speaker: linked peers receive everything again, and Resends tells that it was called.
func (s *Speaker) Resend(peer netip.Addr) error {
	s.mu.Lock()
	s.resends = append(s.resends, peer)
	routes := s.sorted()
	links := slices.Clone(s.links)
	s.mu.Unlock()
	s.told()
	for _, l := range links {
		if peer.IsValid() && l.addressOf(l.other(s)) != peer {
			continue
		}
		for _, r := range routes {
			l.send(s, speaker.Event{Kind: speaker.Announced, Route: r})
		}
	}
	return nil
}

// Resends lists the peers for which Resend was called.
func (s *Speaker) Resends() []netip.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.resends)
}

// Sessions implements speaker.Speaker: the links.
func (s *Speaker) Sessions() ([]speaker.Session, error) {
	s.mu.Lock()
	links := slices.Clone(s.links)
	s.mu.Unlock()
	sessions := make([]speaker.Session, 0, len(links))
	for _, l := range links {
		sessions = append(sessions, l.session(s))
	}
	slices.SortFunc(sessions, func(a, b speaker.Session) int { return a.Peer.Compare(b.Peer) })
	return sessions, nil
}

// Own implements speaker.Speaker.
func (s *Speaker) Own() ([]evpn.RouteKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.routes)), nil
}

// OwnChanges implements speaker.Speaker.
func (s *Speaker) OwnChanges() <-chan struct{} { return s.changes }

// Lose deletes a route from the speaker's table as someone else would, and signals it.
func (s *Speaker) Lose(k evpn.RouteKey) {
	s.mu.Lock()
	delete(s.routes, k)
	links := slices.Clone(s.links)
	s.mu.Unlock()
	for _, l := range links {
		l.send(s, speaker.Event{Kind: speaker.Withdrawn, Key: k})
	}
	select {
	case s.changes <- struct{}{}:
	default:
	}
}

// Announced lists the routes that stand, sorted by key.
func (s *Speaker) Announced() []evpn.Route {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sorted()
}

// Route is the route that stands with that key.
func (s *Speaker) Route(k evpn.RouteKey) (evpn.Route, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.routes[k]
	return r, ok
}

// Sent lists the calls of Announce and Withdraw so far, in order.
func (s *Speaker) Sent() []Sent {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log)
}

// Changes signals (capacity 1) after a call of Announce, Withdraw or Resend: wait here for what the code under test will do.
func (s *Speaker) Changes() <-chan struct{} { return s.news }

func (s *Speaker) told() {
	select {
	case s.news <- struct{}{}:
	default:
	}
}

func (s *Speaker) sorted() []evpn.Route {
	routes := slices.Collect(maps.Values(s.routes))
	slices.SortFunc(routes, func(a, b evpn.Route) int { return compareKeys(a.RouteKey, b.RouteKey) })
	return routes
}

func compareKeys(a, b evpn.RouteKey) int {
	if c := int(a.Type) - int(b.Type); c != 0 {
		return c
	}
	if c := bytes.Compare(a.RD[:], b.RD[:]); c != 0 {
		return c
	}
	if a.Tag != b.Tag {
		if a.Tag < b.Tag {
			return -1
		}
		return 1
	}
	if c := bytes.Compare(a.MAC[:], b.MAC[:]); c != 0 {
		return c
	}
	return a.IP.Compare(b.IP)
}

func equal(a, b evpn.Route) bool {
	samePMSI := a.PMSI == b.PMSI || a.PMSI != nil && b.PMSI != nil && *a.PMSI == *b.PMSI
	return a.RouteKey == b.RouteKey && a.ESI == b.ESI && a.Label == b.Label && a.NextHop == b.NextHop && samePMSI &&
		slices.Equal(a.Communities, b.Communities) && slices.Equal(a.LargeCommunities, b.LargeCommunities)
}
