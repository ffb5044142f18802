package guard

import "github.com/tns-project/tns/speaker/guard/wire"

// queue is what one side is still to be told: of each route only the newest state, in the order in which the routes became due, with End-of-RIB marks
// between them. It never holds more than one change a route, so a reader that is slow, or none at all, costs no more than the table does.
type queue struct {
	order  []due
	head   int // of order
	newest map[wire.RouteKey]wire.Change
	now    int64 // when what is put became due, in nanoseconds of Unix time
}

// due is a place in the queue: a route, or a mark where end is not 0.
type due struct {
	route wire.RouteKey
	end   wire.Family
	at    int64
}

func newQueue() *queue { return &queue{newest: make(map[wire.RouteKey]wire.Change)} }

// put makes changes due; one of a route that is due already takes the place that the route has.
func (q *queue) put(changes ...wire.Change) {
	for _, c := range changes {
		k := c.Key()
		if _, ok := q.newest[k]; !ok {
			q.order = append(q.order, due{route: k, at: q.now})
		}
		q.newest[k] = c
	}
}

// mark makes the family's End-of-RIB due after all that is due now, unless that is the last of it.
func (q *queue) mark(f wire.Family) {
	if n := len(q.order); n == q.head || q.order[n-1].end != f {
		q.order = append(q.order, due{end: f, at: q.now})
	}
}

// since is when the first that is due became so.
func (q *queue) since() int64 { return q.order[q.head].at }

// len is how much is due.
func (q *queue) len() int { return len(q.order) - q.head }

// clear forgets everything.
func (q *queue) clear() {
	q.order, q.head = nil, 0
	clear(q.newest)
}

// take appends at most n changes to those that there are, up to the next mark; end is the mark that follows them, if the queue has come to it.
func (q *queue) take(changes []wire.Change, n int) (_ []wire.Change, end wire.Family) {
	n += len(changes)
	for q.head < len(q.order) && len(changes) < n {
		d := q.order[q.head]
		q.order[q.head] = due{}
		q.head++
		if d.end != 0 {
			end = d.end
			break
		}
		changes = append(changes, q.newest[d.route])
		delete(q.newest, d.route)
	}
	switch {
	case q.head == len(q.order):
		q.order, q.head = q.order[:0], 0
	case q.head > len(q.order)/2:
		q.order, q.head = append(q.order[:0:0], q.order[q.head:]...), 0
	}
	return changes, end
}
