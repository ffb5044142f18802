package history

import "context"

// Reader is a reader's place in the log. It has no queue of its own: the log is the queue. A reader that is too slow loses the oldest, as the log does; the number of the next event tells.
type Reader struct {
	log  *Log
	next uint64        // number of the event to read next
	more chan struct{} // of one: something was appended since the reader looked last
}

// NewReader reads what is appended from now on, until it is closed.
func (l *Log) NewReader() *Reader {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := &Reader{log: l, next: l.last + 1, more: make(chan struct{}, 1)}
	l.readers[r] = struct{}{}
	return r
}

// Ready signals (capacity 1) that something was appended.
func (r *Reader) Ready() <-chan struct{} { return r.more }

// wake tells the reader to look; it never waits.
func (r *Reader) wake() {
	select {
	case r.more <- struct{}{}:
	default:
	}
}

// Newest is what was appended since the reader read last, but of more than so many the newest only.
func (r *Reader) Newest(most int) []Event {
	l := r.log
	l.mu.Lock()
	n := min(l.last+1-r.next, uint64(max(most, 0)))
	r.next = l.last + 1
	all, words := l.events.newest(int(n)), l.words
	l.mu.Unlock()
	return words.unpackAll(all)
}

// one is the reader's next event, or the oldest that the log still has; ok is false when there is none yet.
func (r *Reader) one() (e Event, ok bool) {
	l := r.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.next > l.last {
		return Event{}, false
	}
	oldest := l.last - uint64(l.events.len()) + 1
	r.next = max(r.next, oldest)
	t := l.events.at(int(r.next - oldest))
	r.next++
	return l.words.unpack(t.vm, t.packed), true
}

// Close ends the reading.
func (r *Reader) Close() {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	delete(r.log.readers, r)
}

// Follow sends events from now on, one by one, until ctx ends, when it closes the channel. A reader that is too slow loses the oldest.
func (l *Log) Follow(ctx context.Context) <-chan Event {
	r := l.NewReader()
	events := make(chan Event)
	go func() {
		defer close(events)
		defer r.Close()
		for {
			e, ok := r.one()
			if !ok {
				select {
				case <-r.Ready():
					continue
				case <-ctx.Done():
					return
				}
			}
			select {
			case events <- e:
			case <-ctx.Done():
				return
			}
		}
	}()
	return events
}
