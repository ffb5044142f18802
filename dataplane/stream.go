package dataplane

import (
	"context"
	"runtime"
)

// Streamer is a Kernel that can be told the next changes while it writes some.
type Streamer interface {
	Kernel
	// Stream applies what next returns, each as Apply does, until nothing more is to be had. It asks for the next before it has written what it was told before;
	// done takes the errors of each, in order. Neither entries, keys nor errors are kept after that. Both are called by the caller's goroutine.
	//
	// When next returns nothing it is asked again after each done, until nothing is left to be done.
	Stream(ctx context.Context, next func() (set []Entry, del []Key), done func(errs []error))
}

const (
	// applied is how many changes are written in one: by an Apply, after which nothing is written until its results are told, and of a Stream, where they are told while the
	// next are written. Each time the kernel's side has the loop wake up, which in a virtual machine takes as long as thirty entries do.
	applied = 1024

	// longest is how many changes one Stream gets: then the loop looks at what else there is, such as failures to be tried again.
	longest = 1 << 14
)

// stream is Stream of any kernel.
func stream(ctx context.Context, k Kernel, next func() (set []Entry, del []Key), done func(errs []error)) {
	if s, ok := k.(Streamer); ok {
		s.Stream(ctx, next, done)
		return
	}
	for {
		set, del := next()
		if len(set)+len(del) == 0 {
			return
		}
		done(k.Apply(ctx, set, del))
	}
}

// applyDirty writes what was asked for, also what is asked for meanwhile, some at a time. Their results are told while the next are written.
func (r *Reconciler) applyDirty(ctx context.Context) {
	left := longest
	next := func() ([]Entry, []Key) {
		if left <= 0 || ctx.Err() != nil || len(r.pass) > 0 || len(r.kernel.Changes()) > 0 {
			return nil, nil
		}
		w := r.takeDirty(applied)
		left -= len(w.changes)
		return w.set, w.del
	}
	stream(ctx, r.kernel, next, func(errs []error) {
		w := r.writing[0]
		r.settle(ctx, w.changes, errs)
		r.writing = append(r.writing[:0], r.writing[1:]...)
		r.idle = append(r.idle, w)
	})
	r.again()
}

// takeDirty takes some of what is to be written, at most so much.
func (r *Reconciler) takeDirty(most int) *work {
	var w *work
	if last := len(r.idle) - 1; last >= 0 {
		w, r.idle = r.idle[last], r.idle[:last]
	} else {
		w = new(work)
	}
	w.empty()
	r.lock()
	defer r.mu.Unlock()
	for len(w.changes) == 0 && r.ready() > 0 {
		all, first := r.table.dirty.len(), r.ready()
		r.table.takeDirty(w, first, most)
		r.before = first - (all - r.table.dirty.len())
	}
	if len(w.changes) == 0 {
		r.idle = append(r.idle, w)
	} else {
		r.writing = append(r.writing, w)
	}
	return w
}

// lock locks for the loop. Who asks for one entry after the other has the lock nearly all of the time, and would keep the loop waiting for the 1 ms after which
// sync.Mutex becomes fair; so he looks whether it is the loop's turn.
func (r *Reconciler) lock() {
	r.turn.Store(true)
	r.mu.Lock()
	r.turn.Store(false)
}

// yield lets the loop have the lock first, if it waits for it.
func (r *Reconciler) yield() {
	for i := 0; i < 100 && r.turn.Load(); i++ {
		runtime.Gosched()
	}
}

// ready is how many of the dirty records do not wait for Release.
func (r *Reconciler) ready() int {
	if r.held {
		return r.before
	}
	return r.table.dirty.len()
}

// again has the loop come again if something is left to be written.
func (r *Reconciler) again() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ready() > 0 {
		poke(r.wake)
	}
}
