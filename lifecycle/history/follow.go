package history

import "context"

// follower is a reader's place in the log. It has no queue of its own: the log is the queue.
type follower struct {
	next   uint64        // number of the event to send next
	append chan struct{} // of one: something was appended since the follower looked last
}

// wake tells the follower to look; it never waits.
func (f *follower) wake() {
	select {
	case f.append <- struct{}{}:
	default:
	}
}

// Follow sends events from now on until ctx ends, when it closes the channel. A reader that is too slow loses the oldest, as the log does;
// the number of the next event tells.
func (l *Log) Follow(ctx context.Context) <-chan Event {
	l.mu.Lock()
	f := &follower{next: l.last + 1, append: make(chan struct{}, 1)}
	l.followers[f] = struct{}{}
	l.mu.Unlock()

	events := make(chan Event)
	go func() {
		defer close(events)
		defer l.leave(f)
		for {
			e, ok := l.advance(f)
			if !ok {
				select {
				case <-f.append:
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

// advance is the follower's next event, or the oldest that the log still has; ok is false when there is none yet.
func (l *Log) advance(f *follower) (e Event, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f.next > l.last {
		return Event{}, false
	}
	held := uint64(len(l.events.events))
	oldest := l.last - held + 1
	f.next = max(f.next, oldest)
	e = *l.events.at(int(f.next - oldest))
	f.next++
	return e, true
}

func (l *Log) leave(f *follower) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.followers, f)
}
