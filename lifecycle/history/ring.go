package history

// ring holds the newest events up to a limit. It grows as needed and then overwrites the oldest.
type ring struct {
	limit  int
	events []Event
	oldest int // index of the oldest event; 0 until the ring is full
}

func (r *ring) push(e *Event) {
	if len(r.events) < r.limit {
		r.events = append(r.events, *e)
		return
	}
	r.events[r.oldest] = *e
	r.oldest = (r.oldest + 1) % r.limit
}

// at is the i-th event, 0 being the oldest.
func (r *ring) at(i int) *Event { return &r.events[(r.oldest+i)%len(r.events)] }

// newest copies up to n events, oldest first.
func (r *ring) newest(n int) []Event {
	n = min(max(n, 0), len(r.events))
	events := make([]Event, n)
	for i := range events {
		events[i] = *r.at(len(r.events) - n + i)
	}
	return events
}
