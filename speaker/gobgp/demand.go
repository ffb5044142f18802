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
	turning sync.Mutex // held by who begins or ends it

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
	m.show()
	if err := m.await(ctx); err != nil {
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
}

// show begins to fill the table, unless it is filled.
func (m *Mirror) show() {
	m.demand.turning.Lock()
	defer m.demand.turning.Unlock()
	if m.state() != empty {
		return
	}
	m.resting(false)
	m.source.Show(true)
	m.expect()
	m.list(m.source.Keys())
	m.demand.setVain(false)
	m.config.Log.Debug("somebody asks: the table for people is filled")
}

// hide empties the table. Routes that people have added are what peers were told, and keep it filled.
func (m *Mirror) hide() {
	d := &m.demand
	d.turning.Lock()
	defer d.turning.Unlock()
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
	m.filling.Lock() // what is being filled in has been
	defer m.filling.Unlock()
	if err := m.table.clear(); err != nil {
		m.config.Log.WithError(err).Warn("empty the table for people")
	}
	m.config.Log.Debug("nobody asks any more: the table for people is empty")
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
	peers, err := m.source.Up(ctx)
	began, done := time.Now(), m.progress()
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
		if now := m.progress(); now != done {
			began, done = time.Now(), now
		} else if time.Since(began) >= m.config.Patience && m.demand.setVain(true) {
			m.config.Log.WithError(err).WithField("peers", peers).Warn("the table for people is not whole: GoBGP does not hear what these peers say")
		}
		if err != nil {
			peers, err = m.source.Up(ctx)
			continue
		}
		var up []netip.Addr
		up, err = m.source.Up(ctx)
		peers = slices.DeleteFunc(peers, func(a netip.Addr) bool { return err == nil && !slices.Contains(up, a) })
	}
}

// told reports whether GoBGP has heard all that a peer had said when its session with GoBGP began.
func (m *Mirror) told(peer netip.Addr) bool { return m.watch.isWhole(m.names.Inner(peer)) }

// progress is what changes as long as GoBGP hears peers: how many are there, and have said how much.
func (m *Mirror) progress() (p [2]uint64) {
	sessions, _ := m.Speaker.Sessions() // none is no progress
	for _, s := range sessions {
		p[0]++
		p[1] += s.Received + uint64(s.Routes)
	}
	return p
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
	if d.moved != nil {
		close(d.moved)
		d.moved = nil
	}
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
