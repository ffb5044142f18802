package guarded

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker"
	"github.com/tns-project/tns/speaker/internal/nonblock"
	"github.com/tns-project/tns/speaker/link"
)

// Config is one engine's end.
type Config struct {
	Dial            func(context.Context) (net.Conn, error) // the guard, as package link has it
	EndOfRIBTimeout time.Duration                           // an EndOfRIB is implied that long after SessionUp, 30 s
	Changed         func(evpn.RouteKey)                     // what is announced of a route is another, or nothing; it must not wait. nil: nobody wants to know
	Log             *logrus.Entry                           // nil: no log
}

const (
	defaultEndOfRIBTimeout = 30 * time.Second

	// dialPause is between two attempts to reach the guard: it is being started.
	dialPause = 50 * time.Millisecond

	// missingTime is how long there is no guard before that is told.
	missingTime = 5 * time.Second
)

// Speaker is the engine's end of the link. Its methods are safe for concurrent use.
type Speaker struct {
	config   Config
	queue    *speaker.Queue
	events   chan speaker.Event
	wanted   func() // somebody reads events
	read     chan struct{}
	counters counters
	in       *hearing

	mu       sync.Mutex // of what follows
	routes   book
	injected map[evpn.RouteKey][]byte // UPDATEs
	whole    bool
	shown    bool      // the table for people is to be told what peers say
	out      *outgoing // nil: no link
	scratch  []byte
}

// Stats counts since New.
type Stats struct {
	Received  uint64 // routes and withdrawals of types 2 and 3 that peers sent
	Skipped   uint64 // routes of other types
	Refused   uint64 // routes that could not be read
	Announced uint64
	Withdrawn uint64
	Links     uint64 // to guards
	Queue     int    // events that wait for their reader, now
}

type counters struct {
	received, skipped, refused, announced, withdrawn, links atomic.Uint64
}

// New makes a speaker; it dials in Run.
func New(c Config) *Speaker {
	if c.EndOfRIBTimeout == 0 {
		c.EndOfRIBTimeout = defaultEndOfRIBTimeout
	}
	if c.Log == nil {
		l := logrus.New()
		l.SetOutput(io.Discard)
		c.Log = logrus.NewEntry(l)
	}
	if c.Changed == nil {
		c.Changed = func(evpn.RouteKey) {}
	}
	s := &Speaker{
		config: c, queue: speaker.NewQueue(), events: make(chan speaker.Event), read: make(chan struct{}),
		routes: make(book), injected: make(map[evpn.RouteKey][]byte),
	}
	s.wanted = sync.OnceFunc(func() { close(s.read) })
	s.in = newHearing(s.queue.PutAll, &s.counters, c.EndOfRIBTimeout)
	return s
}

// Run keeps the link, and hands out events until ctx ends, which is no error. It closes Events and the Inbox.
func (s *Speaker) Run(ctx context.Context) error {
	var work sync.WaitGroup
	defer work.Wait()
	defer close(s.events)
	defer s.queue.Close()
	defer s.in.stop()
	drained := make(chan struct{})
	work.Go(func() {
		defer close(drained)
		select {
		case <-s.read:
			_ = s.queue.Drain(ctx, s.events)
		case <-ctx.Done():
		}
	})
	var missing time.Time // since when there is no guard; zero once that was told
	for missing = time.Now(); ctx.Err() == nil; {
		if c, err := s.config.Dial(ctx); err == nil {
			err = s.serve(ctx, c)
			missing = time.Now()
			if ctx.Err() == nil {
				s.config.Log.WithError(err).Info("the link to the guard is lost")
			}
		} else if ctx.Err() == nil && !missing.IsZero() && time.Since(missing) >= missingTime {
			missing = time.Time{}
			s.config.Log.WithError(err).Warn("there is no link to the guard: nothing is heard, and nothing said")
		}
		select {
		case <-time.After(dialPause):
		case <-ctx.Done():
		}
	}
	<-drained
	return nil
}

// serve keeps one link until it is lost.
func (s *Speaker) serve(ctx context.Context, c net.Conn) error {
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	s.counters.links.Add(1)
	var work sync.WaitGroup
	defer work.Wait()
	out := s.attach(c)
	defer s.detach(out)
	work.Go(func() { s.write(out) })
	err := s.in.hear(link.NewReader(heed(c)))
	if ctx.Err() == nil {
		s.in.lost("the link to the guard is lost")
	}
	return err
}

// heeded is a connection on which silence is an error.
type heeded struct {
	net.Conn
	read func([]byte) (int, error) // of it
}

func heed(c net.Conn) heeded { return heeded{c, nonblock.Reader(c)} }

func (c heeded) Read(b []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(link.DeadTime)); err != nil {
		return 0, err
	}
	n, err := c.read(b)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return n, err
	}
	// Perhaps it was we who stood still, and what was said meanwhile is there.
	if err := c.SetReadDeadline(time.Now().Add(link.AliveTime)); err != nil {
		return 0, err
	}
	return c.read(b)
}

// Events implements speaker.Speaker.
func (s *Speaker) Events() <-chan speaker.Event {
	s.wanted()
	return s.events
}

// Inbox is the events, for a reader that takes many at a time instead of reading Events. It ends when Run does.
func (s *Speaker) Inbox() speaker.Inbox { return s.queue }

// Stats is a snapshot.
func (s *Speaker) Stats() Stats {
	return Stats{
		Received:  s.counters.received.Load(),
		Skipped:   s.counters.skipped.Load(),
		Refused:   s.counters.refused.Load(),
		Announced: s.counters.announced.Load(),
		Withdrawn: s.counters.withdrawn.Load(),
		Links:     s.counters.links.Load(),
		Queue:     s.queue.Len(),
	}
}

// Announce implements speaker.Speaker. It never waits for the guard. The error says what could not be sent (link.Check).
func (s *Speaker) Announce(r evpn.Route) error {
	if err := s.announce(r); err != nil {
		return err
	}
	s.counters.announced.Add(1)
	s.config.Changed(r.RouteKey)
	return nil
}

func (s *Speaker) announce(r evpn.Route) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	update, err := link.AppendAnnouncement(s.scratch[:0], &r)
	s.scratch = update[:0]
	if err != nil {
		return err
	}
	s.routes.put(&r)
	delete(s.injected, r.RouteKey)
	s.tell(r.RouteKey, update)
	return nil
}

// Withdraw implements speaker.Speaker.
func (s *Speaker) Withdraw(k evpn.RouteKey) error {
	known, err := s.withdraw(k, s.routes.remove)
	if err == nil && known {
		s.counters.withdrawn.Add(1)
		s.config.Changed(k)
	}
	return err
}

func (s *Speaker) withdraw(k evpn.RouteKey, forget func(evpn.RouteKey) bool) (known bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !forget(k) {
		return false, nil
	}
	update, err := link.AppendWithdrawal(s.scratch[:0], k)
	s.scratch = update[:0]
	if err != nil {
		return false, err
	}
	s.tell(k, update)
	return true, nil
}

// Inject announces a route that is none of the role's, until Eject: the UPDATE has no attributes that depend on the peer. The role's own of that key stands
// above it.
func (s *Speaker) Inject(k evpn.RouteKey, update []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.routes.has(k) {
		s.injected[k] = update
		s.tell(k, update)
	}
}

// Eject withdraws what was injected; another one's is left alone.
func (s *Speaker) Eject(k evpn.RouteKey) error {
	_, err := s.withdraw(k, func(k evpn.RouteKey) (known bool) {
		_, known = s.injected[k]
		delete(s.injected, k)
		return known
	})
	return err
}

// Route is what is announced of a route.
func (s *Speaker) Route(k evpn.RouteKey) (r evpn.Route, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.routes.get(k)
}

// Keys lists what is announced, without what was injected.
func (s *Speaker) Keys() []evpn.RouteKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := make([]evpn.RouteKey, 0, len(s.routes))
	for k := range s.routes.keys() {
		keys = append(keys, k)
	}
	return keys
}

// Whole says that everything has been announced that there is: what an engine before has announced, and this one has not, is withdrawn. It counts for every
// guard that comes, and saying it again is harmless.
func (s *Speaker) Whole() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.whole {
		return
	}
	s.whole = true
	if o := s.out; o != nil {
		o.whole = true
		s.settle(o)
	}
}

// Resend has a peer told everything again, all of them with the zero address. Without a link it is no error: everything is told then.
func (s *Speaker) Resend(peer netip.Addr) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.out; o != nil {
		o.append(&link.Message{Kind: link.Resend, Peer: peer})
	}
	return nil
}

// Quiet is how long neither side has said anything.
func (s *Speaker) Quiet() time.Duration {
	s.mu.Lock()
	var last time.Time
	busy := false
	if s.out != nil {
		last, busy = s.out.said, s.out.busy
	}
	s.mu.Unlock()
	if busy {
		return 0
	}
	now := time.Now()
	return min(now.Sub(last), now.Sub(time.Unix(0, s.in.last.Load())))
}
