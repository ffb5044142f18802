package dataplane

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// ErrStopped is what Resync returns when Run has ended.
var ErrStopped = errors.New("the reconciler has stopped")

// Reconciler makes the kernel hold the desired table. Set, Unset and Complete are safe for concurrent use and do not
// block; Resync waits for its answer.
type Reconciler struct {
	kernel  Kernel
	options options
	results *Answers
	wake    chan struct{} // capacity 1: keys are dirty
	pass    chan struct{} // capacity 1: a full pass is asked for
	stopped chan struct{} // closed when Run returns

	turn     atomic.Bool // the loop waits for mu
	mu       sync.Mutex
	table    table
	complete bool
	held     bool            // what is asked for waits for Release
	before   int             // of the dirty records: those that do not, while it is held
	ended    bool            // Run has returned
	waiting  []chan<- passed // Resyncs
	stats    Stats

	// The loop's own.
	writing      []*work   // what Stream has been told, and is not done
	idle         []*work   // to be used again
	passAt       time.Time // of the next full pass that nothing else causes; zero: never
	passed       time.Time // when the last one ended
	passFailures int       // in a row
}

// Stats counts what happened since the reconciler was made.
type Stats struct {
	Writes     uint64 // entries set in the kernel
	Deletes    uint64 // entries removed on Unset
	Pruned     uint64 // entries of ours removed that nobody asked for
	Errors     uint64 // entries, and listings of the kernel, that failed
	FullPasses uint64
}

// NewReconciler makes one; nothing is read or written before Run.
func NewReconciler(k Kernel, opts ...Option) *Reconciler {
	r := &Reconciler{
		kernel:  k,
		options: defaults(),
		wake:    make(chan struct{}, 1),
		pass:    make(chan struct{}, 1),
		stopped: make(chan struct{}),
		table:   newTable(),
	}
	r.results = &Answers{r, make(chan struct{}, 1)}
	for _, o := range opts {
		o(&r.options)
	}
	return r
}

// Set asks for an entry. Its Result carries the returned generation, unless a later Set or Unset of the key overtook it.
// An entry that the kernel is known to have is not written again, but has its Result too. Fields that do not belong to
// the kind are ignored.
func (r *Reconciler) Set(e Entry) Generation {
	r.yield()
	r.mu.Lock()
	defer r.mu.Unlock()
	rec, done := r.table.set(&e)
	if done {
		r.table.tell(rec)
		poke(r.results.ready)
	} else {
		r.rouse()
	}
	return rec.generation
}

// Unset asks that there be no entry. It is removed at once, also before Complete.
func (r *Reconciler) Unset(k Key) Generation {
	r.yield()
	r.mu.Lock()
	defer r.mu.Unlock()
	rec := r.table.unset(&k)
	r.rouse()
	return rec.generation
}

// Hold has what is asked for wait until Release, so that it is written in one. Nothing else waits; what is being written is.
func (r *Reconciler) Hold() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.held {
		r.held, r.before = true, r.table.dirty.len()
	}
}

// Release ends that: what was asked for is written at once.
func (r *Reconciler) Release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held = false
	if r.table.dirty.len() > 0 {
		poke(r.wake)
	}
}

// rouse has the loop write what is dirty.
func (r *Reconciler) rouse() {
	if !r.held {
		poke(r.wake)
	}
}

// Complete says that the desired table is whole: from now on entries of ours that nobody asked for are pruned, in a full
// pass that follows at once.
func (r *Reconciler) Complete() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.complete {
		r.complete = true
		poke(r.pass)
	}
}

// Resync asks for a full pass and waits for it: the number of entries set and removed. The error is that of the listing
// or of the entries that failed (they are retried), ErrStopped when Run has ended, or that of ctx.
func (r *Reconciler) Resync(ctx context.Context) (set, removed int, err error) {
	answer := make(chan passed, 1)
	r.mu.Lock()
	r.waiting = append(r.waiting, answer)
	r.mu.Unlock()
	poke(r.pass)
	select {
	case p := <-answer:
		return p.set, p.removed, p.err
	case <-r.stopped:
		return 0, 0, ErrStopped
	case <-ctx.Done():
		return 0, 0, fmt.Errorf("wait for a full pass: %w", ctx.Err())
	}
}

// Stats is a copy of the counters.
func (r *Reconciler) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stats
}

// Run makes it so until ctx ends, then returns nil; what the kernel holds stays. It may be called once.
func (r *Reconciler) Run(ctx context.Context) error {
	defer r.end()
	timer := time.NewTimer(0)
	defer timer.Stop()
	poke(r.pass)
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-r.wake:
			r.applyDirty(ctx)
		case <-r.pass:
			r.fullPass(ctx)
		case <-r.kernel.Changes():
			r.changed(ctx)
		case now := <-timer.C:
			r.due(ctx, now)
		}
		r.arm(timer)
	}
	return nil
}

// end has whoever waits know that nothing more comes.
func (r *Reconciler) end() {
	close(r.stopped)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	poke(r.results.ready)
}

// arm sets the timer to the next retry or full pass, whichever is first.
func (r *Reconciler) arm(timer *time.Timer) {
	r.mu.Lock()
	next := r.table.nextRetry()
	r.mu.Unlock()
	if next.IsZero() || !r.passAt.IsZero() && r.passAt.Before(next) {
		next = r.passAt
	}
	if next.IsZero() {
		timer.Stop()
		return
	}
	timer.Reset(time.Until(next))
}

// due does what the timer was armed for.
func (r *Reconciler) due(ctx context.Context, now time.Time) {
	if !r.passAt.IsZero() && !r.passAt.After(now) {
		r.fullPass(ctx)
	}
	r.mu.Lock()
	r.table.retryDue(now)
	r.mu.Unlock()
	r.applyDirty(ctx)
}

// settle takes the outcome of an Apply. What was asked for anew meanwhile is dirty, and not settled by it.
func (r *Reconciler) settle(ctx context.Context, changes []change, errs []error) {
	now := time.Now()
	r.lock()
	defer r.mu.Unlock()
	for i, c := range changes {
		err := errs[i]
		switch {
		case err != nil:
			r.stats.Errors++
		case c.removed:
			r.stats.Deletes++
		default:
			r.stats.Writes++
		}
		rec := c.record
		if rec.generation != c.generation {
			continue
		}
		if err == nil {
			r.table.done(rec)
			continue
		}
		r.table.failed(rec, err, now, r.options)
		if ctx.Err() == nil {
			r.table.tell(rec)
		}
	}
	poke(r.results.ready)
}
