package guarded

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tns-project/tns/speaker"
	"github.com/tns-project/tns/speaker/link"
)

// hearing makes events of what guards tell.
type hearing struct {
	put      func([]speaker.Event)
	counters *counters
	timeout  time.Duration // until an End-of-RIB is implied
	decoder  link.Decoder  // of the one who hears
	last     atomic.Int64  // when something was heard, in nanoseconds of Unix time

	mu     sync.Mutex // of what follows
	batch  []speaker.Event
	peers  map[netip.Addr]*peer
	closed bool
}

// peer is what is known of a peer, also when it is gone: epochs never start again.
type peer struct {
	epoch       uint64
	up          bool
	memberships bool
	since       time.Time   // of the session, as we have heard of it
	heard       time.Time   // of the last route
	said        bool        // it has sent End-of-RIB
	ended       bool        // EndOfRIB was reported, not implied
	timer       *time.Timer // of the implied one
	settling    *time.Timer // of one that counts once the peer is quiet
}

const (
	// mostEvents is how many events are put at once.
	mostEvents = 256

	// settleTime is how long a peer must be quiet for its End-of-RIB to count, where it may have said it too early (link.Message.Memberships).
	settleTime = 500 * time.Millisecond

	unbelievable = time.Minute // more than a route waits in the guard and for us
	longestLate  = 5 * time.Second
)

func newHearing(put func([]speaker.Event), c *counters, timeout time.Duration) *hearing {
	return &hearing{put: put, counters: c, timeout: timeout, peers: make(map[netip.Addr]*peer)}
}

// hear takes what a guard tells until its stream ends.
func (h *hearing) hear(in *link.Reader) error {
	defer h.flush()
	for {
		m, err := in.Next()
		if err != nil {
			return err
		}
		if err := h.take(&m, !in.Waiting()); err != nil {
			return err
		}
	}
}

// take takes one message. What it says is put at once if it is the last for now.
func (h *hearing) take(m *link.Message, last bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	switch m.Kind {
	case link.Up:
		h.up(now, m)
	case link.Down:
		if p := h.peers[m.Peer]; p != nil {
			h.down(now, m.Peer, p, m.Text)
		}
	case link.Routes:
		if err := h.routes(now, m); err != nil {
			return err
		}
	case link.Alive:
	default:
		return fmt.Errorf("read link: the guard says kind %d, which is the engine's", m.Kind)
	}
	if m.Kind != link.Alive {
		h.last.Store(now.UnixNano())
	}
	if last || len(h.batch) >= mostEvents {
		h.putBatch()
	}
	return nil
}

func (h *hearing) putBatch() {
	if !h.closed {
		h.put(h.batch)
	}
	clear(h.batch)
	h.batch = h.batch[:0]
}

func (h *hearing) flush() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.putBatch()
}

func (h *hearing) up(now time.Time, m *link.Message) {
	p := h.peers[m.Peer]
	if p == nil {
		p = new(peer)
		h.peers[m.Peer] = p
	}
	h.down(now, m.Peer, p, "the peer began another session")
	*p = peer{epoch: p.epoch + 1, up: true, memberships: m.Memberships, since: now, heard: now}
	h.batch = append(h.batch, speaker.Event{Kind: speaker.SessionUp, At: now, Peer: m.Peer, Epoch: p.epoch, RouterID: m.RouterID, AS: m.AS})
	address, epoch := m.Peer, p.epoch
	p.timer = time.AfterFunc(h.timeout, func() { h.imply(address, epoch) })
}

// down ends a session, if there is one.
func (h *hearing) down(now time.Time, address netip.Addr, p *peer, why string) {
	if !p.up {
		return
	}
	p.up = false
	p.stop()
	h.batch = append(h.batch, speaker.Event{Kind: speaker.SessionDown, At: now, Peer: address, Epoch: p.epoch, Text: why})
}

func (p *peer) stop() {
	if p.timer != nil {
		p.timer.Stop()
	}
	if p.settling != nil {
		p.settling.Stop()
	}
}

// routes takes an UPDATE of a peer whose session stands.
func (h *hearing) routes(now time.Time, m *link.Message) error {
	p := h.peers[m.Peer]
	if p == nil || !p.up {
		return fmt.Errorf("read link: routes of %v, which has no session", m.Peer)
	}
	e := speaker.Event{At: now, Late: p.late(now, m.At), Peer: m.Peer, Epoch: p.epoch}
	said, err := h.decoder.Update(m.Update)
	if err != nil { // the guard lets none through; would the link end of one, the next would, too
		h.counters.refused.Add(1)
		e.Kind, e.Text = speaker.Refused, err.Error()
		h.batch = append(h.batch, e)
		return nil
	}
	for _, k := range said.Withdrawn {
		e.Kind, e.Key = speaker.Withdrawn, k
		h.batch = append(h.batch, e)
	}
	e.Kind = speaker.Announced
	for i := range said.Announced {
		e.Route, e.Key = said.Announced[i], said.Announced[i].RouteKey
		h.batch = append(h.batch, e)
	}
	for _, r := range said.Refused {
		h.batch = append(h.batch, speaker.Event{
			Kind: speaker.Refused, At: now, Late: e.Late, Peer: m.Peer, Epoch: p.epoch, Key: r.Key, Text: r.Err.Error(),
		})
	}
	if n := len(said.Withdrawn) + len(said.Announced); n > 0 {
		h.counters.received.Add(uint64(n))
	}
	h.counters.refused.Add(uint64(len(said.Refused)))
	h.counters.skipped.Add(uint64(said.Skipped))
	if !said.EndOfRIB {
		p.heard = now
		return nil
	}
	if p.said {
		return nil
	}
	p.said = true
	if !p.memberships {
		h.end(now, m.Peer, p)
		return nil
	}
	address, epoch := m.Peer, p.epoch
	p.settling = time.AfterFunc(settleTime-now.Sub(p.heard), func() { h.settle(address, epoch) })
	return nil
}

// late is how long ago the guard had read a route of this session. What it had read before is no news, and says nothing; nor does a clock that was set.
func (p *peer) late(now, at time.Time) time.Duration {
	if d := now.Sub(at); at.After(p.since) && d > 0 && d < unbelievable {
		return min(d, longestLate)
	}
	return 0
}

func (h *hearing) end(now time.Time, address netip.Addr, p *peer) {
	p.ended = true
	p.timer.Stop()
	h.batch = append(h.batch, speaker.Event{Kind: speaker.EndOfRIB, At: now, Peer: address, Epoch: p.epoch})
}

// settle reports an End-of-RIB once the peer has been quiet.
func (h *hearing) settle(address netip.Addr, epoch uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.peers[address]
	if h.closed || !p.up || p.epoch != epoch || p.ended {
		return
	}
	now := time.Now()
	if rest := settleTime - now.Sub(p.heard); rest > 0 {
		p.settling.Reset(rest)
		return
	}
	h.end(now, address, p)
	h.putBatch()
}

func (h *hearing) imply(address netip.Addr, epoch uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.peers[address]
	if h.closed || !p.up || p.epoch != epoch || p.ended {
		return
	}
	h.batch = append(h.batch, speaker.Event{Kind: speaker.EndOfRIB, At: time.Now(), Peer: address, Epoch: epoch, Implied: true})
	h.putBatch()
}

// lost ends all sessions: the next guard tells them again.
func (h *hearing) lost(why string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	for address, p := range h.peers {
		h.down(now, address, p, why)
	}
	h.putBatch()
}

// stop ends the timers; nothing is put any more.
func (h *hearing) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for _, p := range h.peers {
		p.stop()
	}
}
