package history

import (
	"strings"
	"sync"
)

// Log holds the newest events. It is safe for concurrent use.
type Log struct {
	perVM  int
	maxVMs int

	mu      sync.Mutex
	last    uint64 // number of the newest event
	words   words
	room    []byte // in which the next is packed
	events  ring[told]
	stories map[string]*story // by VM
	touched story             // both ends of them in a ring: the VM that an event was about last is after it
	readers map[*Reader]struct{}
}

// told is an event of a VM, if it is of any.
type told struct {
	vm string
	packed
}

// story is the events of one VM.
type story struct {
	vm     string
	events ring[packed]

	before, after *story // the one touched later, and the one touched earlier
}

// unlink takes the story out of the order.
func (s *story) unlink() { s.after.before, s.before.after = s.before, s.after }

// link puts it behind another one.
func (s *story) link(at *story) {
	s.before, s.after = at, at.after
	at.after.before, at.after = s, s
}

// New makes a log of at most total events, and at most perVM of one VM; of both at least one. Stories outlive the events in whole: those
// of the total VMs that were last in an event are kept, the others are forgotten.
func New(total, perVM int) *Log {
	total, perVM = max(total, 1), max(perVM, 1)
	l := &Log{
		perVM:   perVM,
		maxVMs:  total,
		words:   words{numbers: make(map[string]uint64)},
		events:  ring[told]{limit: total},
		stories: make(map[string]*story),
		readers: make(map[*Reader]struct{}),
	}
	l.touched.after, l.touched.before = &l.touched, &l.touched
	return l
}

// Append numbers the event and keeps it. The time is the caller's.
func (l *Log) Append(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	e.Number = l.last
	l.room = l.words.pack(l.room[:0], &e)
	new := told{packed: packed(l.room)}
	if e.VM != "" {
		s := l.story(e.VM)
		s.events.push(new.packed)
		new.vm = s.vm
	}
	l.events.push(new)
	for r := range l.readers {
		r.wake()
	}
}

// story finds or begins the story of a VM, and puts it in front.
func (l *Log) story(vm string) *story {
	s, ok := l.stories[vm]
	if ok {
		s.unlink()
	} else {
		if len(l.stories) == l.maxVMs {
			oldest := l.touched.before
			oldest.unlink()
			delete(l.stories, oldest.vm)
		}
		s = &story{vm: strings.Clone(vm), events: ring[packed]{limit: l.perVM}} // the event's text has other names behind it
		l.stories[s.vm] = s
	}
	s.link(&l.touched)
	return s
}

// OfVM is the story of one VM, oldest first.
func (l *Log) OfVM(vm string) []Event {
	l.mu.Lock()
	s, ok := l.stories[vm]
	if !ok {
		l.mu.Unlock()
		return nil
	}
	all, words := s.events.newest(l.perVM), l.words
	l.mu.Unlock()
	events := make([]Event, len(all))
	for i, p := range all {
		events[i] = words.unpack(vm, p)
	}
	return events
}

// Recent is up to n of the newest events, oldest first.
func (l *Log) Recent(n int) []Event {
	l.mu.Lock()
	all, words := l.events.newest(n), l.words
	l.mu.Unlock()
	return words.unpackAll(all)
}

// unpackAll needs no lock: there are only ever more words.
func (w words) unpackAll(all []told) []Event {
	events := make([]Event, len(all))
	for i, t := range all {
		events[i] = w.unpack(t.vm, t.packed)
	}
	return events
}
