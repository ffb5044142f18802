package gobgp

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/status"
)

// A Mirror is filled while somebody asks it, and empty else: to fill it costs more than all else that an engine does with a route.
//
//	        a first request                       whole: own routes filled in, End-of-RIB on each peer's session
//	empty ──────────────────► begun ────────────────────────────────────────────────────────────────────────────► answered
//	  ▲       Source.Show                                                                                            │
//	  └──────── nobody has asked for Config.IdleTime, no watch stands, and nothing is there that people have added ◄─┘
//
// Asking is what comes through the gRPC API. What the daemon itself looks up (Own, Check, Sessions, Stats) is none.
type demand struct {
	turning chan struct{} // capacity 1: a token of who begins or ends it

	mu     sync.Mutex // of what follows
	asking int        // requests that are not answered, watches too
	last   time.Time  // when one was
	idle   *time.Timer
	over   bool // nobody can ask any more
	vain   bool // waiting for the peers was in vain, and nobody waits again until they are there

	moved chan struct{} // closed, and another, when a session or End-of-RIB comes or goes
}

const (
	defaultIdleTime = 10 * time.Minute
	defaultPatience = 10 * time.Second

	// awaitPoll is how often who waits looks whether peers have gone, and whether anything goes on.
	awaitPoll = 250 * time.Millisecond
)

// asked begins a request: the table has everything when it returns, or ctx has ended, which is an error. done ends the request.
func (m *Mirror) asked(ctx context.Context) (done func(), err error) {
	m.begin()
	err = m.show(ctx)
	if err == nil {
		err = m.await(ctx)
	}
	if err != nil {
		m.end()
		return nil, status.FromContextError(err).Err()
	}
	return m.end, nil
}

func (m *Mirror) begin() {
	d := &m.demand
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asking++
	if d.idle != nil {
		d.idle.Stop()
	}
}

func (m *Mirror) end() {
	d := &m.demand
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asking--
	d.last = time.Now()
	if d.asking == 0 {
		m.rest()
	}
}

// rest has the table emptied if nobody asks for a while; the lock is held.
func (m *Mirror) rest() {
	d := &m.demand
	switch {
	case d.over:
	case d.idle == nil:
		d.idle = time.AfterFunc(m.config.IdleTime, m.hide)
	default:
		d.idle.Reset(m.config.IdleTime)
	}
}

// stop ends the time in which anybody can ask.
func (d *demand) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.over = true
	if d.idle != nil {
		d.idle.Stop()
	}
	d.announce()
}

// show begins to fill the table, unless it is filled. The error is that of ctx.
func (m *Mirror) show(ctx context.Context) error {
	select {
	case m.demand.turning <- struct{}{}:
		defer func() { <-m.demand.turning }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if m.state() != empty {
		return nil
	}
	m.resting(false)
	m.source.Show(true)
	m.expect()
	m.list(m.source.Keys())
	m.demand.setVain(false)
	m.config.Log.Debug("somebody asks: the table for people is filled")
	return nil
}

// hide empties the table. Routes that people have added are what peers were told, and keep it filled.
func (m *Mirror) hide() {
	d := &m.demand
	d.turning <- struct{}{}
	defer func() { <-d.turning }()
	if !d.forgotten(m.config.IdleTime) || m.state() == empty {
		return
	}
	if m.table.hasForeign() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.asking == 0 {
			m.rest()
		}
		return
	}
	m.resting(true)
	m.source.Show(false)
	m.ignore()
	m.gone()
	m.filling.Lock() // what is being filled in has been
	defer m.filling.Unlock()
	if err := m.table.clear(); err != nil {
		m.config.Log.WithError(err).Warn("empty the table for people")
	}
	m.config.Log.Debug("nobody asks any more: the table for people is empty")
}

// gone waits until the sessions with GoBGP have ended, so that nobody who asks next takes one of before for whole that is about to end. It is in vain where
// the guard does not end them, and over after Config.Patience.
func (m *Mirror) gone() {
	limit := time.NewTimer(m.config.Patience)
	defer limit.Stop()
	for {
		moved := m.demand.news()
		if !m.watch.anyUp() || m.demand.isOver() {
			return
		}
		select {
		case <-moved:
		case <-limit.C:
			return
		}
	}
}

// resting has what GoBGP logs of its sessions be of no interest, or be.
func (m *Mirror) resting(on bool) {
	m.Speaker.mu.Lock()
	defer m.Speaker.mu.Unlock()
	if l := m.log; l != nil {
		l.resting.Store(on)
	}
}

// forgotten reports whether nobody asks, and has for so long.
func (d *demand) forgotten(long time.Duration) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asking == 0 && !d.over && time.Since(d.last) >= long
}

// await waits until all is filled in that was announced when somebody asked first, and until GoBGP has heard all that the peers had said whose sessions stand
// now. It ends with ctx, which is an error, and where nothing goes on for Config.Patience, which is logged.
func (m *Mirror) await(ctx context.Context) error {
	for m.state() != whole {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		m.fillFor(awaitPoll)
	}
	tick := time.NewTicker(awaitPoll)
	defer tick.Stop()
	peers, err := m.up(ctx)
	began, left, most := time.Now(), len(peers), make(map[netip.Addr]uint64)
	m.further(peers, most)
	for {
		moved := m.demand.news()
		peers = slices.DeleteFunc(peers, m.told)
		if err == nil && len(peers) == 0 {
			m.demand.setVain(false)
			return nil
		}
		if m.demand.inVain() {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-moved:
			continue
		case <-tick.C:
		}
		if m.further(peers, most) || len(peers) < left {
			began, left = time.Now(), min(left, len(peers))
		} else if time.Since(began) >= m.config.Patience && m.demand.setVain(true) {
			m.config.Log.WithError(err).WithField("peers", peers).Warn("the table for people is not whole: GoBGP does not hear what these peers say")
		}
		if err != nil {
			peers, err = m.up(ctx)
			continue
		}
		var up []netip.Addr
		up, err = m.up(ctx)
		peers = slices.DeleteFunc(peers, func(a netip.Addr) bool { return err == nil && !slices.Contains(up, a) })
	}
}

// told reports whether GoBGP has heard all that a peer had said when its session with GoBGP began.
func (m *Mirror) told(peer netip.Addr) bool { return m.watch.isWhole(m.names.Inner(peer)) }

// up is Source.Up, and an error where that has no answer for Config.Patience.
func (m *Mirror) up(ctx context.Context) ([]netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, m.config.Patience)
	defer cancel()
	return m.source.Up(ctx)
}

// further reports whether GoBGP has heard more of one of the peers than ever before, and notes how much that is. What others say, and a session that comes
// and goes, brings nobody further who waits for these.
func (m *Mirror) further(peers []netip.Addr, most map[netip.Addr]uint64) (yes bool) {
	sessions, _ := m.Sessions() // none is no progress
	heard := make(map[netip.Addr]uint64, len(sessions))
	for _, s := range sessions {
		heard[s.Peer] = 1 + s.Received + uint64(s.Routes)
	}
	for _, p := range peers {
		if n := heard[p]; n > most[p] {
			most[p], yes = n, true
		}
	}
	return yes
}

// news is closed when a session or End-of-RIB comes or goes from now on.
func (d *demand) news() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.moved == nil {
		d.moved = make(chan struct{})
	}
	return d.moved
}

// stir closes news.
func (d *demand) stir() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.announce()
}

// announce is stir; the lock is held.
func (d *demand) announce() {
	if d.moved != nil {
		close(d.moved)
		d.moved = nil
	}
}

func (d *demand) isOver() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.over
}

func (d *demand) inVain() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.vain
}

// setVain reports whether that is another.
func (d *demand) setVain(v bool) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	different := d.vain != v
	d.vain = v
	return different
}
