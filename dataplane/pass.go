package dataplane

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// passed is the outcome of a full pass.
type passed struct {
	set, removed int
	err          error
	again        bool // another pass is needed, since nothing smaller retries what failed
}

// changed does a full pass because the kernel signalled, but no two of them in a row without a pause: whoever changes the
// kernel all the time does not keep us from writing.
func (r *Reconciler) changed(ctx context.Context) {
	if next := r.passed.Add(r.options.minDelay); next.After(time.Now()) {
		if r.passAt.IsZero() || next.Before(r.passAt) {
			r.passAt = next
		}
		return
	}
	r.fullPass(ctx)
}

// fullPass compares the kernel with all that is desired, dirty or not, and makes it so. It is the pass of all who asked for one, and sees what was signalled, until now.
func (r *Reconciler) fullPass(ctx context.Context) {
	heard(r.pass)
	heard(r.kernel.Changes())
	r.mu.Lock()
	waiting := r.waiting
	r.waiting = nil
	r.stats.FullPasses++
	r.mu.Unlock()

	p := r.compare(ctx)
	r.passed, r.passAt = time.Now(), time.Time{}
	switch {
	case p.again:
		r.passFailures++
		r.passAt = r.passed.Add(r.options.delay(r.passFailures))
	case r.options.interval > 0:
		r.passFailures = 0
		r.passAt = r.passed.Add(r.options.interval)
	default:
		r.passFailures = 0
	}
	for _, w := range waiting {
		w <- p
	}
}

// heard takes a signal away, if there is one.
func heard(signal <-chan struct{}) {
	select {
	case <-signal:
	default:
	}
}

func (r *Reconciler) compare(ctx context.Context) passed {
	have, err := r.kernel.List(ctx)
	if err != nil {
		r.mu.Lock()
		r.stats.Errors++
		r.mu.Unlock()
		return passed{err: fmt.Errorf("list the kernel's entries: %w", err), again: true}
	}

	r.mu.Lock()
	set, surplus := Diff(r.table.want(), have)
	changes := make([]change, 0, len(set)+len(surplus))
	for _, e := range set {
		changes = append(changes, r.table.take(r.table.find(&e.Key)))
	}
	var del, prune []Key
	for _, k := range surplus {
		if rec := r.table.find(&k); rec != nil && !rec.gone() {
			del = append(del, k)
			changes = append(changes, r.table.take(rec))
		} else if r.complete {
			prune = append(prune, k)
		}
	}
	for _, rec := range r.table.rest(changes) {
		r.table.done(rec)
	}
	poke(r.results.ready)
	r.mu.Unlock()

	if len(set)+len(del)+len(prune) == 0 {
		return passed{}
	}
	errs := r.kernel.Apply(ctx, set, append(del, prune...))
	kept := len(set) + len(del)
	r.settle(ctx, changes, errs[:kept])
	r.countPruned(errs[kept:])
	p := tally(errs, len(set))
	p.again = errors.Join(errs[kept:]...) != nil
	return p
}

// tally is the outcome of an Apply of which the first sets elements were set.
func tally(errs []error, sets int) (p passed) {
	for i, err := range errs {
		switch {
		case err != nil:
		case i < sets:
			p.set++
		default:
			p.removed++
		}
	}
	p.err = errors.Join(errs...)
	return p
}

func (r *Reconciler) countPruned(errs []error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, err := range errs {
		if err != nil {
			r.stats.Errors++
		} else {
			r.stats.Pruned++
		}
	}
}
