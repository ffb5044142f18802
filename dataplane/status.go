package dataplane

import (
	"context"
	"slices"
	"time"
)

// dropsTimeout bounds how long Drops waits for the kernel's drop counters; without them it shows none.
const dropsTimeout = time.Second

// Table is the desired table with each entry's state, sorted. An entry whose removal fails is listed until it is gone.
func (r *Reconciler) Table() []Status {
	drops := r.Drops()

	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]Status, 0, r.table.len())
	for rec := range r.table.all() {
		if rec.gone() {
			continue
		}
		s := Status{Entry: rec.entry(), Generation: rec.generation, InKernel: rec.inKernel}
		if err := rec.error(); err != nil {
			s.Err = err.Error()
		}
		if rec.removed {
			s.InKernel = true
		}
		if s.Kind == Port {
			s.Drops = drops[s.Key]
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b Status) int { return a.Compare(b.Key) })
	return all
}

// Drops is, per Port key of a member port, the frames dropped because their source address is not active there: of closed ports too, which are no entries
// and so not in the Table. It is nil where the kernel cannot count.
func (r *Reconciler) Drops() map[Key]uint64 {
	ctx, cancel := context.WithTimeout(context.Background(), dropsTimeout)
	defer cancel()
	drops, _ := r.kernel.Drops(ctx)
	return drops
}
