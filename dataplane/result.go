package dataplane

import "sync"

// Answers holds the newest result of each key until its one reader takes it, in the order in which the keys came.
type Answers struct {
	out    chan Result
	wanted func() // somebody reads out
	read   chan struct{}
	notify chan struct{} // capacity 1: the queue changed

	mu     sync.Mutex
	order  []*waitingResult
	first  int                    // of order that nobody has taken
	gone   map[Key]*waitingResult // of entries that are removed, and so have no record that knows it
	puts   uint64
	closed bool
}

// waitingResult is a key's place in the queue.
type waitingResult struct {
	Result
	put   uint64 // tells this result from a newer one of its key
	taken bool
}

func newAnswers() *Answers {
	q := &Answers{out: make(chan Result), read: make(chan struct{}), notify: make(chan struct{}, 1), gone: make(map[Key]*waitingResult)}
	q.wanted = sync.OnceFunc(func() { close(q.read) })
	return q
}

// Ready signals (capacity 1) that there is something to take; there may be nothing, too.
func (q *Answers) Ready() <-chan struct{} { return q.notify }

// Take appends to into what waits, the oldest first, at most so many. Ready signals again if more is left. It is not open when nothing is left and Run has
// returned.
func (q *Answers) Take(into []Result, most int) (results []Result, open bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for range most {
		if q.empty() {
			return into, !q.closed
		}
		into = append(into, q.order[q.first].Result)
		q.drop()
	}
	if q.empty() {
		return into, !q.closed
	}
	poke(q.notify)
	return into, true
}

// close says that nothing more will be put.
func (q *Answers) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	poke(q.notify)
}

// put never blocks. last is what it returned for the key before, if that is known: a result that nobody has taken yet is replaced and keeps its turn.
func (q *Answers) put(last *waitingResult, r Result) *waitingResult {
	q.mu.Lock()
	if last == nil && len(q.gone) > 0 {
		last = q.gone[r.Key]
	}
	if last == nil || last.taken {
		last = new(waitingResult)
		q.order = append(q.order, last)
	}
	q.puts++
	last.Result, last.put = r, q.puts
	if r.Removed {
		q.gone[r.Key] = last
	}
	q.mu.Unlock()
	poke(q.notify)
	return last
}

// deliver sends results to out, if somebody reads it, until stop is closed, then closes it.
func (q *Answers) deliver(stop <-chan struct{}) {
	defer close(q.out)
	defer q.close()
	select {
	case <-q.read:
	case <-stop:
		return
	}
	for {
		r, put, ok := q.head()
		var out chan<- Result
		if ok {
			out = q.out
		}
		select {
		case out <- r:
			q.taken(put)
		case <-q.notify: // there may be a newer one
		case <-stop:
			return
		}
	}
}

func (q *Answers) head() (r Result, put uint64, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.empty() {
		return r, 0, false
	}
	w := q.order[q.first]
	return w.Result, w.put, true
}

// taken drops the head, unless a newer result of its key came in the meantime: that one goes to the end.
func (q *Answers) taken(put uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	w := q.order[q.first]
	if w.put != put {
		q.order = append(q.order, w)
		q.order[q.first] = nil
		q.first++
		return
	}
	q.drop()
}

// drop takes the head out.
func (q *Answers) drop() {
	w := q.order[q.first]
	q.order[q.first] = nil
	q.first++
	w.taken = true
	if len(q.gone) > 0 && q.gone[w.Key] == w {
		delete(q.gone, w.Key)
	}
}

// empty reports whether nothing waits. What is taken is let go of when it is half of the queue.
func (q *Answers) empty() bool {
	if q.first > len(q.order)/2 {
		left := copy(q.order, q.order[q.first:])
		clear(q.order[left:])
		q.order, q.first = q.order[:left], 0
	}
	return q.first == len(q.order)
}

// poke leaves a signal in a channel of capacity 1, if there is none yet.
func poke(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
