package dataplane

import "sync"

// resultQueue holds the newest result of each key until somebody takes it, in the order in which the keys came.
type resultQueue struct {
	out    chan Result
	notify chan struct{} // capacity 1: the queue changed

	mu     sync.Mutex
	order  []Key
	newest map[Key]queuedResult
	puts   uint64
}

type queuedResult struct {
	Result
	put uint64 // tells this result from a newer one of its key
}

func newResultQueue() *resultQueue {
	return &resultQueue{out: make(chan Result), notify: make(chan struct{}, 1), newest: make(map[Key]queuedResult)}
}

// put never blocks; a result of the same key that nobody has taken yet is replaced and keeps its turn.
func (q *resultQueue) put(r Result) {
	q.mu.Lock()
	if _, waits := q.newest[r.Key]; !waits {
		q.order = append(q.order, r.Key)
	}
	q.puts++
	q.newest[r.Key] = queuedResult{r, q.puts}
	q.mu.Unlock()
	poke(q.notify)
}

// deliver hands results over until stop is closed, then closes out.
func (q *resultQueue) deliver(stop <-chan struct{}) {
	defer close(q.out)
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

func (q *resultQueue) head() (queuedResult, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.order) == 0 {
		return queuedResult{}, false
	}
	return q.newest[q.order[0]], true
}

// taken drops the head, unless a newer result of its key came in the meantime: that one goes to the end.
func (q *resultQueue) taken(r queuedResult) {
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
