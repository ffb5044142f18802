package guarded

import (
	"net"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker/internal/nonblock"
	"github.com/tns-project/tns/speaker/link"
)

const (
	// gatherTime is how long messages are gathered in a flood. At rest they are written at once by who has them: burst of them, and one more each gatherTime.
	gatherTime = time.Millisecond
	burst      = 16

	// mostPending is the octets that wait at most for a guard that does not read; beyond them routes are remembered by key, and written as they are by then.
	mostPending = 256 << 10
)

// outgoing is what is written to a guard. Everything is under the Speaker's lock, but for the goroutine's writing (Speaker.write).
type outgoing struct {
	conn    net.Conn
	now     nonblock.Writer // to it
	kick    chan struct{}   // capacity 1: there is something for the goroutine
	pending []byte          // whole messages, but for the first, of which a part may be written
	busy    bool            // the goroutine has something to write
	closed  bool
	dirty   map[evpn.RouteKey]struct{} // routes that are to be told as they are
	whole   bool                       // Whole is to be told when nothing is dirty
	credit  int                        // messages that may be written at once
	refill  time.Time                  // of the credit
	said    time.Time                  // the last that a message was told
}

// attach begins a link with everything that is announced.
func (s *Speaker) attach(c net.Conn) *outgoing {
	o := &outgoing{conn: c, now: nonblock.Of(c), kick: make(chan struct{}, 1), dirty: make(map[evpn.RouteKey]struct{}), credit: burst, said: time.Now()}
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.routes.keys() {
		o.dirty[k] = struct{}{}
	}
	for k := range s.injected {
		o.dirty[k] = struct{}{}
	}
	s.out, o.whole = o, s.whole
	if s.shown {
		o.append(&link.Message{Kind: link.Show})
	}
	s.settle(o)
	return o
}

// detach ends it, and the goroutine.
func (s *Speaker) detach(o *outgoing) {
	o.conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out, o.closed = nil, true
	close(o.kick)
}

// tell tells what became of a route.
func (s *Speaker) tell(k evpn.RouteKey, update []byte) {
	o := s.out
	switch {
	case o == nil:
	case len(o.dirty) > 0 || len(o.pending) > mostPending:
		o.dirty[k] = struct{}{}
		o.wake()
	default:
		o.append(&link.Message{Kind: link.Routes, Update: update})
	}
}

// settle tells Whole, once everything before it is told.
func (s *Speaker) settle(o *outgoing) {
	switch {
	case len(o.dirty) > 0:
		o.wake()
	case o.whole:
		o.whole = false
		o.append(&link.Message{Kind: link.Whole})
	}
}

// append writes a message at once, or lets it be gathered.
func (o *outgoing) append(m *link.Message) {
	if o.closed {
		return
	}
	now := time.Now()
	o.said = now
	o.pending = m.Append(o.pending)
	if o.busy {
		return
	}
	if n := int(now.Sub(o.refill) / gatherTime); n > 0 {
		o.credit, o.refill = min(burst, o.credit+n), now
	}
	if o.credit > 0 {
		o.credit--
		n := o.now(o.pending)
		o.pending = append(o.pending[:0], o.pending[n:]...)
	}
	if len(o.pending) > 0 {
		o.wake()
	}
}

func (o *outgoing) wake() {
	if !o.busy && !o.closed {
		o.busy = true
		o.kick <- struct{}{}
	}
}

// write writes what waits, and that we are alive, until the link ends. An error is found by the reader of the link, too.
func (s *Speaker) write(o *outgoing) {
	alive := time.NewTicker(link.AliveTime / 2)
	defer alive.Stop()
	var spare []byte
	for {
		select {
		case _, open := <-o.kick:
			if !open {
				return
			}
		case now := <-alive.C:
			s.mu.Lock()
			if !o.busy && now.Sub(o.said) >= link.AliveTime/2 {
				o.append(&link.Message{Kind: link.Alive})
			}
			s.mu.Unlock()
			continue
		}
		for {
			time.Sleep(gatherTime)
			b := s.next(o, spare)
			if len(b) == 0 {
				spare = nil // pending has that memory now
				break
			}
			if _, err := o.conn.Write(b); err != nil {
				o.conn.Close()
			}
			spare = b
		}
	}
}

// next takes what is to be written, with routes that are dirty as far as there is room; nothing if the goroutine is to rest.
func (s *Speaker) next(o *outgoing, spare []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := o.pending
	o.pending = spare[:0]
	for k := range o.dirty {
		if len(b) > mostPending/2 {
			break
		}
		delete(o.dirty, k)
		b = (&link.Message{Kind: link.Routes, Update: s.update(k)}).Append(b)
	}
	if len(o.dirty) == 0 {
		o.dirty = make(map[evpn.RouteKey]struct{}) // a map keeps the memory that it ever had
	}
	if len(o.dirty) == 0 && o.whole {
		o.whole = false
		b = (&link.Message{Kind: link.Whole}).Append(b)
	}
	if len(b) == 0 || o.closed {
		o.busy = false
		return nil
	}
	o.said = time.Now()
	return b
}

// update is what is announced of a route; its withdrawal if it is nothing.
func (s *Speaker) update(k evpn.RouteKey) []byte {
	if r, ok := s.routes.get(k); ok {
		// What could not be written was refused when it was announced.
		s.scratch, _ = link.AppendAnnouncement(s.scratch[:0], &r)
		return s.scratch
	}
	if update, ok := s.injected[k]; ok {
		return update
	}
	s.scratch, _ = link.AppendWithdrawal(s.scratch[:0], k)
	return s.scratch
}
