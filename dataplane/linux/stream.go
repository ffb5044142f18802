package linux

import (
	"context"
	"slices"

	"github.com/tns-project/tns/dataplane"
)

var _ dataplane.Streamer = (*Kernel)(nil)

// Stream applies changes while it is told the next. Those that are only messages about remote MACs, neighbours and the flood list are planned while others are written;
// anything else waits until what came before it is written, and is written by itself.
func (k *Kernel) Stream(ctx context.Context, next func() ([]dataplane.Entry, []dataplane.Key), done func([]error)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := &streaming{Kernel: k, ctx: ctx, done: done}
	defer s.end()
	for {
		set, del := next()
		switch {
		case len(set)+len(del) == 0 && s.open == 0:
			return
		case len(set)+len(del) == 0:
			s.finish()
		case k.plain(set, del):
			s.take(set, del)
		default:
			s.drain()
			done(k.apply(ctx, set, del))
		}
	}
}

// streaming is what is under way of a Stream: plans of the Kernel's ring, from first on, in order.
type streaming struct {
	*Kernel
	ctx    context.Context
	done   func([]error)
	first  int
	open   int
	sent   int     // of those that are open: known to be written
	waits  *plan   // the last one, if nobody has begun to write it
	writer *writer // nil: there was no need for one
}

// plain reports whether all is a matter of messages: no port, no policy, and no source that is let in somewhere.
func (k *Kernel) plain(set []dataplane.Entry, del []dataplane.Key) bool {
	for i := range set {
		if e := &set[i]; e.LocalPort != "" || !k.plainKey(&e.Key) {
			return false
		}
	}
	for i := range del {
		if !k.plainKey(&del[i]) {
			return false
		}
	}
	return true
}

func (k *Kernel) plainKey(key *dataplane.Key) bool {
	switch key.Kind {
	case dataplane.Unicast:
		n := k.networks[key.VNI]
		return n == nil || k.table == nil || len(k.table.Where(key.MAC, n.sources)) == 0
	case dataplane.Neighbor, dataplane.Flood:
		return true
	}
	return false
}

// take plans changes, and has them written when the next come, or nothing does.
func (s *streaming) take(set []dataplane.Entry, del []dataplane.Key) {
	if s.open == len(s.ring) {
		s.finish()
	}
	if s.waits != nil {
		s.writer = s.startWriter(s.ctx, len(s.ring))
		s.writer.made <- s.waits
		s.waits = nil
	}
	p := &s.ring[(s.first+s.open)%len(s.ring)]
	s.open++
	p.of(set, del)
	for i := range set {
		p.errs[i] = s.settable(&set[i])
	}
	s.make(p, len(p.errs), s.planAll)
	if s.writer != nil {
		s.writer.made <- p
	} else {
		s.waits = p
	}
	if len(p.ask) > 0 { // what is there of it is not known, so nothing can be planned after it
		s.drain()
	}
}

// of has the plan be of some changes.
func (p *plan) of(set []dataplane.Entry, del []dataplane.Key) {
	all := len(set) + len(del)
	p.sets, p.deletes, p.ask = set, del, p.ask[:0]
	p.errs = slices.Grow(p.errs[:0], all)[:all]
	clear(p.errs)
}

// planAll adds the messages for the plan's changes.
func (k *Kernel) planAll(p *plan, h *held) (more bool) {
	sets := len(p.sets)
	for i := range p.look(h, k.networks, sets, func(i int) *dataplane.Key { return &p.sets[i].Key }) {
		if p.errs[i] == nil {
			p.set(h, i, &p.places[i], &p.sets[i])
		}
	}
	for i := range p.look(h, k.networks, len(p.deletes), func(i int) *dataplane.Key { return &p.deletes[i] }) {
		if !p.unset(h, sets+i, &p.places[i], &p.deletes[i]) {
			p.ask = append(p.ask, i)
		}
	}
	return false
}

// finish has the oldest plan written, and tells what came of it.
func (s *streaming) finish() {
	p := &s.ring[s.first]
	if p == s.waits {
		s.waits = nil
		s.send(s.ctx, p)
		s.sent++
	}
	s.written(1)
	s.first, s.open, s.sent = (s.first+1)%len(s.ring), s.open-1, s.sent-1
	sets := len(p.sets)
	lost := s.settle(p, p.errs, nil)
	if len(p.ask)+len(lost) > 0 {
		s.written(s.open)
		for _, i := range lost {
			if !s.isHeld(&p.deletes[i-sets]) { // it is if it was set again
				p.ask = append(p.ask, i-sets)
			}
		}
		s.askAndDelete(s.ctx, p.deletes, p.ask, p.errs[sets:])
	}
	explain(p.sets, p.deletes, p.errs)
	s.done(p.errs)
	p.sets, p.deletes = nil, nil
}

// written waits until the oldest so many plans are written.
func (s *streaming) written(plans int) {
	for ; s.sent < plans; s.sent++ {
		<-s.writer.sent
	}
}

// drain finishes all.
func (s *streaming) drain() {
	for s.open > 0 {
		s.finish()
	}
}

func (s *streaming) end() {
	if s.writer != nil {
		close(s.writer.made)
	}
}

// isHeld reports whether something is held, or planned to be, of a MAC.
func (k *Kernel) isHeld(key *dataplane.Key) bool {
	n := k.networks[key.VNI]
	if n == nil || key.Kind != dataplane.Unicast {
		return false
	}
	k.watch.mu.Lock()
	defer k.watch.mu.Unlock()
	return k.watch.held.macs.Get(n.macSlot(key.MAC)) != macPlace{}
}
