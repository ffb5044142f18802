package speaker

import (
	"container/list"
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
	mu     sync.Mutex
	order  *list.List // of *queued, oldest first
	peers  map[netip.Addr]*queuedPeer
	wake   chan struct{} // capacity 1: the queue changed
	closed bool
}

var _ Inbox = (*Queue)(nil)

// queued is an element of the queue. Its version counts the merges, so that a reader that was about to take it sees that it changed.
type queued struct {
	event   Event
	version uint64
}

// queuedPeer finds a peer's elements in the queue.
type queuedPeer struct {
	routes map[evpn.RouteKey]*list.Element // Announced, Withdrawn, Refused
	end    *list.Element                   // EndOfRIB
	up     *list.Element                   // the newest SessionUp
	down   *list.Element                   // the newest SessionDown
}

// NewQueue is an empty queue.
func NewQueue() *Queue {
	return &Queue{order: list.New(), peers: make(map[netip.Addr]*queuedPeer), wake: make(chan struct{}, 1)}
}

// Put adds an event and never waits.
func (q *Queue) Put(e Event) {
	q.mu.Lock()
	q.put(e)
	q.mu.Unlock()
	q.signal()
}

// PutAll is Put of many, at once.
func (q *Queue) PutAll(events []Event) {
	if len(events) == 0 {
		return
	}
	q.mu.Lock()
	for i := range events {
		q.put(events[i])
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
	return q.order.Len()
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
	for range most {
		element := q.order.Front()
		if element == nil {
			break
		}
		into = append(into, element.Value.(*queued).event)
		q.remove(element)
	}
	if q.order.Len() > 0 {
		q.signal()
	}
	return into, !q.closed || q.order.Len() > 0
}

// Drain sends the events to out, oldest first, until ctx ends; it returns ctx's error. An event that waits for its reader can still be merged.
// Only one Drain may run at a time.
func (q *Queue) Drain(ctx context.Context, out chan<- Event) error {
	for {
		element, event, version := q.head()
		if element == nil {
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
			q.taken(element, version)
		case <-q.wake:
		}
	}
}

func (q *Queue) put(e Event) {
	e.Since = e.At
	p := q.peers[e.Peer]
	if p == nil {
		p = &queuedPeer{routes: make(map[evpn.RouteKey]*list.Element)}
		q.peers[e.Peer] = p
	}
	switch e.Kind {
	case Announced, Withdrawn, Refused:
		if e.Kind == Announced {
			e.Key = e.Route.RouteKey
		}
		p.routes[e.Key] = q.merge(p.routes[e.Key], e)
	case EndOfRIB:
		if p.end != nil && p.end.Value.(*queued).event.Epoch == e.Epoch {
			e.Implied = e.Implied && p.end.Value.(*queued).event.Implied
		}
		p.end = q.merge(p.end, e)
	case SessionUp:
		p.up = q.push(e)
	case SessionDown:
		for _, element := range p.routes {
			q.order.Remove(element)
		}
		clear(p.routes)
		if p.end != nil {
			q.order.Remove(p.end)
			p.end = nil
		}
		// Queued are now at most: down of a session whose up was read, up and down of one more, and the up of the one that ends here.
		if p.down != nil && p.up != nil {
			if up := q.upBefore(p.down); up != nil {
				q.order.Remove(up)
				q.order.Remove(p.down)
			}
		}
		p.down = q.push(e)
	default:
		q.push(e)
	}
}

// upBefore is the SessionUp that is queued for the same session as that SessionDown, nil if it was read.
func (q *Queue) upBefore(down *list.Element) *list.Element {
	want := down.Value.(*queued).event
	for element := down.Prev(); element != nil; element = element.Prev() {
		e := &element.Value.(*queued).event
		if e.Kind == SessionUp && e.Peer == want.Peer && e.Epoch == want.Epoch {
			return element
		}
	}
	return nil
}

// merge replaces the element's event if it is of the same epoch, else adds a new one.
func (q *Queue) merge(element *list.Element, e Event) *list.Element {
	if element != nil {
		if old := element.Value.(*queued); old.event.Epoch == e.Epoch {
			e.Since = old.event.Since
			old.event, old.version = e, old.version+1
			return element
		}
	}
	return q.push(e)
}

func (q *Queue) push(e Event) *list.Element { return q.order.PushBack(&queued{event: e}) }

func (q *Queue) head() (*list.Element, Event, uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	element := q.order.Front()
	if element == nil {
		return nil, Event{}, 0
	}
	v := element.Value.(*queued)
	return element, v.event, v.version
}

// taken removes the element that was sent, unless it was merged or dropped meanwhile: what was merged has to be sent again.
func (q *Queue) taken(element *list.Element, version uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	v := element.Value.(*queued)
	if q.order.Front() == element && v.version == version {
		q.remove(element)
	}
}

// remove takes an element out, and what finds it.
func (q *Queue) remove(element *list.Element) {
	q.order.Remove(element)
	v := element.Value.(*queued)
	p := q.peers[v.event.Peer]
	switch v.event.Kind {
	case Announced, Withdrawn, Refused:
		if p.routes[v.event.Key] == element {
			delete(p.routes, v.event.Key)
		}
	case EndOfRIB:
		if p.end == element {
			p.end = nil
		}
	case SessionUp:
		if p.up == element {
			p.up = nil
		}
	case SessionDown:
		if p.down == element {
			p.down = nil
		}
	}
	if len(p.routes) == 0 && p.end == nil && p.up == nil && p.down == nil {
		delete(q.peers, v.event.Peer)
	}
}
