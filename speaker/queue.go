package speaker

import (
	"context"
	"net/netip"
	"sync"

	"github.com/tns-project/tns/evpn"
)

// Queue stands between a speaker's callbacks, which never wait, and a reader that may be slow. It holds at most one event per
// peer and route, so its length is bounded by what the peers have to say and not by how often they say it:
//
//   - Announced, Withdrawn and Refused of one peer, epoch and key are merged to the newest, in the place of the oldest;
//   - a repeated EndOfRIB of one epoch is one; a real one wins over an implied one;
//   - SessionDown drops what is queued about the peer's routes: the receiver treats them as stale anyway;
//   - of the sessions that came and went unread, the last one is kept.
//
// Everything else keeps its order. It is safe for concurrent use. It is read with Ready and Take, or by Drain.
type Queue struct {
	mu      sync.Mutex
	first   *queued // the oldest
	last    *queued
	len     int
	peers   map[netip.Addr]*queuedPeer
	changes uint64
	spare   *queued       // a few to be used again
	spares  int           // how many
	wake    chan struct{} // capacity 1: the queue changed
	closed  bool
}

var _ Inbox = (*Queue)(nil)

// queued is an element of the queue, between an older and a newer one. Each event that it holds has another version, so that a reader that was about to take it sees that it changed.
type queued struct {
	event        Event
	version      uint64
	older, newer *queued
}

// maxSpares is how many elements are kept to be used again.
const maxSpares = 1024

// queuedPeer finds a peer's elements in the queue. It stays while a session may stand.
type queuedPeer struct {
	routes map[evpn.RouteKey]*queued // Announced, Withdrawn, Refused
	most   int                       // routes at a time, since there was none
	end    *queued                   // EndOfRIB
	up     *queued                   // the newest SessionUp
	down   *queued                   // the newest SessionDown
}

// NewQueue is an empty queue.
func NewQueue() *Queue {
	return &Queue{peers: make(map[netip.Addr]*queuedPeer), wake: make(chan struct{}, 1)}
}

// Put adds an event and never waits.
func (q *Queue) Put(e Event) {
	q.mu.Lock()
	q.put(&e)
	q.mu.Unlock()
	q.signal()
}

// PutAll is Put of many, at once.
func (q *Queue) PutAll(events []Event) {
	if len(events) == 0 {
		return
	}
	q.mu.Lock()
	for _, e := range events {
		q.put(&e)
	}
	q.mu.Unlock()
	q.signal()
}

func (q *Queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Len is the number of events that wait.
func (q *Queue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.len
}

// Close says that nothing more will be put: what waits can still be taken.
func (q *Queue) Close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.signal()
}

// Ready implements Inbox.
func (q *Queue) Ready() <-chan struct{} { return q.wake }

// Take implements Inbox.
func (q *Queue) Take(into []Event, most int) (events []Event, open bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for n := 0; n < most && q.first != nil; n++ {
		into = append(into, q.first.event)
		q.remove(q.first)
	}
	if q.len > 0 {
		q.signal()
	}
	return into, !q.closed || q.len > 0
}

// Drain sends the events to out, oldest first, until ctx ends; it returns ctx's error. An event that waits for its reader can still be merged.
// Only one Drain may run at a time.
func (q *Queue) Drain(ctx context.Context, out chan<- Event) error {
	for {
		event, version := q.head()
		if version == 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-q.wake:
			}
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case out <- event:
			q.taken(version)
		case <-q.wake:
		}
	}
}

func (q *Queue) put(e *Event) {
	e.Since = e.At
	p := q.peers[e.Peer]
	if p == nil {
		p = &queuedPeer{routes: make(map[evpn.RouteKey]*queued)}
		q.peers[e.Peer] = p
	}
	switch e.Kind {
	case Announced, Withdrawn, Refused:
		if e.Kind == Announced {
			e.Key = e.Route.RouteKey
		}
		if old := p.routes[e.Key]; !q.merge(old, e) {
			p.routes[e.Key] = q.push(e)
			p.most = max(p.most, len(p.routes))
		}
	case EndOfRIB:
		if p.end != nil && p.end.event.Epoch == e.Epoch {
			e.Implied = e.Implied && p.end.event.Implied
		}
		if !q.merge(p.end, e) {
			p.end = q.push(e)
		}
	case SessionUp:
		p.up = q.push(e)
	case SessionDown:
		for _, route := range p.routes {
			q.unlink(route)
		}
		clear(p.routes)
		if p.end != nil {
			q.unlink(p.end)
			p.end = nil
		}
		// Queued are now at most: down of a session whose up was read, up and down of one more, and the up of the one that ends here.
		if p.down != nil && p.up != nil {
			if up := upBefore(p.down); up != nil {
				if p.up == up {
					p.up = nil
				}
				q.unlink(up)
				q.unlink(p.down)
			}
		}
		p.down = q.push(e)
	default:
		q.push(e)
	}
}

// upBefore is the SessionUp that is queued for the same session as that SessionDown, nil if it was read.
func upBefore(down *queued) *queued {
	want := &down.event
	for one := down.older; one != nil; one = one.older {
		if e := &one.event; e.Kind == SessionUp && e.Peer == want.Peer && e.Epoch == want.Epoch {
			return one
		}
	}
	return nil
}

// merge replaces what is queued if it is of the same epoch.
func (q *Queue) merge(old *queued, e *Event) bool {
	if old == nil || old.event.Epoch != e.Epoch {
		return false
	}
	e.Since = old.event.Since
	q.changes++
	old.event, old.version = *e, q.changes
	return true
}

// push adds an element after all others.
func (q *Queue) push(e *Event) *queued {
	one := q.spare
	if one == nil {
		one = &queued{}
	} else {
		q.spare, q.spares = one.newer, q.spares-1
	}
	q.changes++
	one.event, one.version, one.older, one.newer = *e, q.changes, q.last, nil
	if q.last != nil {
		q.last.newer = one
	} else {
		q.first = one
	}
	q.last = one
	q.len++
	return one
}

// unlink takes an element out.
func (q *Queue) unlink(one *queued) {
	if one.older != nil {
		one.older.newer = one.newer
	} else {
		q.first = one.newer
	}
	if one.newer != nil {
		one.newer.older = one.older
	} else {
		q.last = one.older
	}
	q.len--
	*one = queued{} // what it held can go
	if q.spares < maxSpares {
		one.newer = q.spare
		q.spare, q.spares = one, q.spares+1
	}
}

// head is the oldest event; version 0: there is none.
func (q *Queue) head() (Event, uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.first == nil {
		return Event{}, 0
	}
	return q.first.event, q.first.version
}

// taken removes the element that was sent, unless it was merged or dropped meanwhile: what was merged has to be sent again.
func (q *Queue) taken(version uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.first != nil && q.first.version == version {
		q.remove(q.first)
	}
}

// remove takes an element out, and what finds it.
func (q *Queue) remove(one *queued) {
	e, p := &one.event, q.peers[one.event.Peer]
	switch e.Kind {
	case Announced, Withdrawn, Refused:
		if p.routes[e.Key] == one {
			delete(p.routes, e.Key)
		}
		if len(p.routes) == 0 {
			if p.most > maxSpares {
				p.routes = make(map[evpn.RouteKey]*queued) // a map does not shrink
			}
			p.most = 0
		}
	case EndOfRIB:
		if p.end == one {
			p.end = nil
		}
	case SessionUp:
		if p.up == one {
			p.up = nil
		}
	case SessionDown:
		if p.down == one {
			p.down = nil
		}
		if len(p.routes) == 0 && p.end == nil && p.up == nil && p.down == nil {
			delete(q.peers, e.Peer)
		}
	}
	q.unlink(one)
}
