package dataplane

// Answers is the results that wait for their one reader: the newest of each key, in the order in which the keys came.
type Answers struct {
	reconciler *Reconciler
	ready      chan struct{} // capacity 1
}

// Answers is where results are read. It never keeps the reconciler waiting. A failure is told once, and then when it becomes another or is overcome.
func (r *Reconciler) Answers() *Answers { return r.results }

// Ready signals (capacity 1) that there is something to take; there may be nothing, too.
func (a *Answers) Ready() <-chan struct{} { return a.ready }

// Take appends to into what waits, the oldest first, at most so many. Ready signals again if more is left. It is not open when nothing is left and Run has
// returned.
func (a *Answers) Take(into []Result, most int) (results []Result, open bool) {
	r := a.reconciler
	r.mu.Lock()
	defer r.mu.Unlock()
	into = r.table.answers(into, most)
	if r.table.answered() {
		return into, !r.ended
	}
	poke(a.ready)
	return into, true
}

// poke leaves a signal in a channel of capacity 1, if there is none yet.
func poke(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
