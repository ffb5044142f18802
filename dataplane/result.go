package dataplane

import "sync"

// Answers holds the newest result of each key until its one reader takes it, in the order in which the keys came.
type Answers struct {
	out    chan Result
	wanted func() // somebody reads out
	read   chan struct{}
	notify chan struct{} // capacity 1: the queue changed

	mu     sync.Mutex
	order  []Key
	newest map[Key]queuedResult
	puts   uint64
	closed bool
}

type queuedResult struct {
	Result
	put uint64 // tells this result from a newer one of its key
}

func newAnswers() *Answers {
	q := &Answers{out: make(chan Result), read: make(chan struct{}), notify: make(chan struct{}, 1), newest: make(map[Key]queuedResult)}
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
	n := min(most, len(q.order))
	for _, k := range q.order[:n] {
		into = append(into, q.newest[k].Result)
		delete(q.newest, k)
	}
	if q.order = q.order[n:]; len(q.order) > 0 {
		poke(q.notify)
	}
	return into, !q.closed || len(q.order) > 0
}

// close says that nothing more will be put.
func (q *Answers) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	poke(q.notify)
}

// put never blocks; a result of the same key that nobody has taken yet is replaced and keeps its turn.
func (q *Answers) put(r Result) {
	q.mu.Lock()
	if _, waits := q.newest[r.Key]; !waits {
		q.order = append(q.order, r.Key)
	}
	q.puts++
	q.newest[r.Key] = queuedResult{r, q.puts}
	q.mu.Unlock()
	poke(q.notify)
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
		head, ok := q.head()
		var out chan<- Result
		if ok {
			out = q.out
		}
		select {
		case out <- head.Result:
			q.taken(head)
		case <-q.notify:
		case <-stop:
			return
		}
	}
}

func (q *Answers) head() (queuedResult, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.order) == 0 {
		return queuedResult{}, false
	}
	return q.newest[q.order[0]], true
}

// taken drops the head, unless a newer result of its key came in the meantime: that one goes to the end.
func (q *Answers) taken(r queuedResult) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.order = q.order[1:]
	if q.newest[r.Key].put != r.put {
		q.order = append(q.order, r.Key)
		return
	}
	delete(q.newest, r.Key)
}

// poke leaves a signal in a channel of capacity 1, if there is none yet.
func poke(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
