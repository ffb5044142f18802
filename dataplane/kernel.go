package dataplane

import "context"

// Kernel is the forwarding table as some system keeps it. All methods are idempotent.
type Kernel interface {
	// Ensure makes the networks' bridges and VXLAN devices, or adopts what is there, and enslaves the ports.
	Ensure(ctx context.Context, networks []Network) error
	// List returns the entries that carry our mark.
	List(ctx context.Context) ([]Entry, error)
	// Apply sets, then deletes; errs has one element per element of set, then of del. Deleting what is gone is success.
	Apply(ctx context.Context, set []Entry, del []Key) (errs []error)
	// Changes signals that someone else may have changed the table (capacity 1).
	Changes() <-chan struct{}
	// Drops is, per port, the frames dropped for their source address.
	Drops(ctx context.Context) (map[string]uint64, error)
}
