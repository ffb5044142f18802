package gobgp

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	api "github.com/osrg/gobgp/v3/api"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker"
)

// Source is what announces the routes of which a Mirror is the table for people: package speaker/guarded.
type Source interface {
	// Route is what is announced of a route, and Keys is all that is.
	Route(evpn.RouteKey) (r evpn.Route, ok bool)
	Keys() []evpn.RouteKey
	// Inject announces an UPDATE without attributes that depend on the peer, Eject withdraws it: routes that people add.
	Inject(k evpn.RouteKey, update []byte)
	Eject(evpn.RouteKey) error
	// Resend tells a peer everything again.
	Resend(peer netip.Addr) error
	// Quiet is how long nothing was announced and no peer has said anything.
	Quiet() time.Duration
	// Show has GoBGP told what each peer has said and says, over a session for each on which End-of-RIB follows all that it had said by then, or has these
	// sessions ended, which they are at first. Up lists the peers whose sessions stand, by real address.
	Show(bool)
	Up(context.Context) ([]netip.Addr, error)
}

// Mirror is a GoBGP as the table for people, behind a guard: what peers say comes to it over inner sessions, in which it says nothing, and what is announced
// it is told afterwards, when there is time. Nobody's routes wait for it. Both are so while somebody asks it (demand.go); it is empty else.
//
//	Changed ──► dirty ──► (quiet for fillQuiet, or fillLate has passed) ──► GoBGP's table ──► gobgp global rib
type Mirror struct {
	*Speaker
	names  *Names
	source Source

	demand demand

	mu      sync.Mutex // of what follows
	filled  filled
	backlog []evpn.RouteKey // what is left of all that was announced when it began to be filled
	dirty   map[evpn.RouteKey]struct{}
	since   time.Time     // when the first of dirty became so
	kick    chan struct{} // capacity 1

	filling sync.Mutex // held by who fills
}

const (
	fillQuiet = 20 * time.Millisecond
	fillLate  = 10 * time.Second

	// fillSlice is how long the table is filled in one go; while there is no quiet it is fillBusy, and a fillQuiet passes between two: a twentieth of a CPU.
	fillSlice = 5 * time.Millisecond
	fillBusy  = time.Millisecond

	// settleMost is how long a person who reads the table waits for it to be filled.
	settleMost = time.Second
)

// NewMirror makes the table of a source; its Config has Names, or learns them.
func NewMirror(c Config, source Source) (*Mirror, error) {
	if c.Names == nil {
		c.Names = NewNames()
	}
	c.source = source
	s, err := New(c)
	if err != nil {
		return nil, err
	}
	m := &Mirror{Speaker: s, names: c.Names, source: source, dirty: make(map[evpn.RouteKey]struct{}), kick: make(chan struct{}, 1)}
	m.demand.turning = make(chan struct{}, 1)
	s.mirror, s.watch.put = m, func(speaker.Event) { m.demand.stir() }
	s.table.ejected = func(k evpn.RouteKey) { _ = source.Eject(k) } // what cannot be written was never injected
	s.watch.came = func(ctx context.Context, inner netip.Addr) {
		m.ask(ctx, inner)
		m.demand.stir()
	}
	return m, nil
}

// Changed says that what is announced of a route is another, or nothing. It never waits.
func (m *Mirror) Changed(k evpn.RouteKey) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.filled == empty {
		return
	}
	if len(m.dirty) == 0 {
		m.wake()
	}
	m.dirty[k] = struct{}{}
}

// wake has the table filled from now on; the lock is held.
func (m *Mirror) wake() {
	m.since = time.Now()
	select {
	case m.kick <- struct{}{}:
	default:
	}
}

// filled is how far the table is with what is announced.
type filled uint8

const (
	empty  filled = iota // and changes are not noted
	begun                // changes are noted
	listed               // the backlog is filled in
	whole                // it was, and the table follows
)

func (m *Mirror) state() filled {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.filled
}

// expect has changes noted. What was announced before is the backlog, once that is known.
func (m *Mirror) expect() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.filled = begun
}

func (m *Mirror) list(backlog []evpn.RouteKey) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.filled, m.backlog = listed, backlog
	m.wake()
}

// ignore ends that.
func (m *Mirror) ignore() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.filled, m.backlog, m.dirty = empty, nil, make(map[evpn.RouteKey]struct{})
}

// Run fills the table until ctx ends. At its end the guard is told (CEASE, peer de-configured): the peers' sessions stay, and it knows that nothing went
// wrong. It is called once the Mirror is open.
func (m *Mirror) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var filling sync.WaitGroup
	filling.Go(func() { m.fill(ctx) })
	err := m.Speaker.Run(ctx)
	m.demand.stop()
	cancel()
	filling.Wait()
	return errors.Join(err, m.Close())
}

// fill fills the table when there is time.
func (m *Mirror) fill(ctx context.Context) {
	for {
		select {
		case <-m.kick:
		case <-ctx.Done():
			return
		}
		for {
			late, some := m.waiting()
			if !some {
				break
			}
			if m.source.Quiet() >= fillQuiet {
				m.fillFor(fillSlice)
				continue
			}
			if late >= fillLate {
				m.fillFor(fillBusy)
			}
			select {
			case <-time.After(fillQuiet):
			case <-ctx.Done():
				return
			}
		}
	}
}

// waiting is how long the first route waits that is to be filled in.
func (m *Mirror) waiting() (late time.Duration, some bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Since(m.since), len(m.dirty) > 0 || m.filled == listed
}

// fillFor fills routes in for about so long, or all of them.
func (m *Mirror) fillFor(most time.Duration) {
	m.filling.Lock()
	defer m.filling.Unlock()
	for began := time.Now(); time.Since(began) < most; {
		k, ok := m.next()
		if !ok {
			return
		}
		if err := m.fillIn(k); err != nil && !errors.Is(err, errNotOpen) {
			m.config.Log.WithError(err).Warn("fill in the table for people")
		}
	}
}

// next takes one of the backlog, or of the dirty. It is called when the one before has been filled in.
func (m *Mirror) next() (evpn.RouteKey, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := len(m.backlog); n > 0 {
		k := m.backlog[n-1]
		m.backlog = m.backlog[:n-1]
		return k, true
	}
	if m.filled == listed {
		m.filled, m.backlog = whole, nil
	}
	for k := range m.dirty {
		delete(m.dirty, k)
		return k, true
	}
	m.dirty = make(map[evpn.RouteKey]struct{}) // a map keeps the memory that it ever had
	return evpn.RouteKey{}, false
}

func (m *Mirror) fillIn(k evpn.RouteKey) error {
	if r, ok := m.source.Route(k); ok {
		return m.Speaker.Announce(r)
	}
	return m.Speaker.Withdraw(k)
}

// settle fills everything in, for somebody who reads or writes the table, within some time.
func (m *Mirror) settle() {
	if _, some := m.waiting(); some {
		m.fillFor(settleMost)
	}
}

// ask learns whose a session is. A failure leaves the inner address, which is logged.
func (m *Mirror) ask(ctx context.Context, inner netip.Addr) {
	srv, err := m.running()
	if err == nil {
		err = srv.ListPeer(ctx, &api.ListPeerRequest{Address: inner.String()}, m.names.learn)
	}
	if err != nil && ctx.Err() == nil && !errors.Is(err, errNotOpen) {
		m.config.Log.WithField("peer", inner).WithError(err).Warn("cannot tell whose session it is")
	}
}

// Own implements speaker.Speaker: what stands in the table, and what will; all that is announced while it is not filled.
func (m *Mirror) Own() ([]evpn.RouteKey, error) {
	if m.state() != whole {
		return m.source.Keys(), nil
	}
	standing, err := m.Speaker.Own()
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.filled != whole { // it has been emptied meanwhile
		return m.source.Keys(), nil
	}
	own := standing[:0]
	for _, k := range standing {
		if _, dirty := m.dirty[k]; !dirty {
			own = append(own, k)
		}
	}
	for k := range m.dirty {
		if _, ok := m.source.Route(k); ok {
			own = append(own, k)
		}
	}
	return own, nil
}

// Sessions implements speaker.Speaker: those of the table, by real address.
func (m *Mirror) Sessions() ([]speaker.Session, error) {
	list, err := m.Speaker.Sessions()
	for i := range list {
		list[i].Peer = m.names.Real(list[i].Peer)
	}
	return list, err
}
