package history

import (
	"container/list"
	"sync"
)

// Log holds the newest events. It is safe for concurrent use.
type Log struct {
	perVM  int
	maxVMs int

	mu        sync.Mutex
	last      uint64 // number of the newest event
	events    ring
	stories   map[string]*list.Element // of *story, by VM
	touched   list.List                // the same, the VM that an event was about last in front
	followers map[*follower]struct{}
}

// story is the events of one VM.
type story struct {
	vm     string
	events ring
}

// New makes a log of at most total events, and at most perVM of one VM; of both at least one. Stories outlive the events in whole: those
// of the total VMs that were last in an event are kept, the others are forgotten.
func New(total, perVM int) *Log {
	total, perVM = max(total, 1), max(perVM, 1)
	return &Log{
		perVM:     perVM,
		maxVMs:    total,
		events:    ring{limit: total},
		stories:   make(map[string]*list.Element),
		followers: make(map[*follower]struct{}),
	}
}

// Append numbers the event and keeps it. The time is the caller's.
func (l *Log) Append(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	e.Number = l.last
	l.events.push(&e)
	if e.VM != "" {
		l.story(e.VM).events.push(&e)
	}
	for f := range l.followers {
		f.wake()
	}
}

// story finds or begins the story of a VM, and puts it in front.
func (l *Log) story(vm string) *story {
	if at, ok := l.stories[vm]; ok {
		l.touched.MoveToFront(at)
		return at.Value.(*story)
	}
	if len(l.stories) == l.maxVMs {
		oldest := l.touched.Remove(l.touched.Back()).(*story)
		delete(l.stories, oldest.vm)
	}
	s := &story{vm: vm, events: ring{limit: l.perVM}}
	l.stories[vm] = l.touched.PushFront(s)
	return s
}

// OfVM is the story of one VM, oldest first.
func (l *Log) OfVM(vm string) []Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, ok := l.stories[vm]
	if !ok {
		return nil
	}
	return at.Value.(*story).events.newest(l.perVM)
}

// Recent is up to n of the newest events, oldest first.
func (l *Log) Recent(n int) []Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.events.newest(n)
}
