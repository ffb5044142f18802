package dataplane

import (
	"context"
)

// Reconciler makes the kernel hold the desired table. Set, Unset, Complete and Resync are safe for concurrent use and do not block.
type Reconciler struct{}

// NewReconciler makes one; nothing is read or written before Run.
func NewReconciler(k Kernel) *Reconciler { return &Reconciler{} }

// Set asks for an entry. Its Result carries the returned generation, unless a later Set or Unset of the key overtook it.
func (r *Reconciler) Set(e Entry) Generation { return 0 }

// Unset asks that there be no entry.
func (r *Reconciler) Unset(k Key) Generation { return 0 }

// Complete says that the desired table is whole: from now on entries of ours that nobody asked for are pruned.
func (r *Reconciler) Complete() {}

// Resync asks for a full pass and waits for it: the number of entries set and removed.
func (r *Reconciler) Resync(ctx context.Context) (set, removed int, err error) { return 0, 0, nil }

// Results is closed when Run returns. It never blocks the reconciler: results wait, coalesced by key.
func (r *Reconciler) Results() <-chan Result { return nil }

// Table is the desired table with each entry's state, sorted.
func (r *Reconciler) Table() []Status { return nil }

// Run makes it so until ctx ends; what the kernel holds stays.
func (r *Reconciler) Run(ctx context.Context) error { return nil }
