package dataplane

import "context"

// Kernel is the forwarding table as some system keeps it. All methods are idempotent and safe for concurrent use.
type Kernel interface {
	// Ensure makes the networks' bridges and VXLAN devices, or adopts what is there, and enslaves the ports, or what stands
	// for a tagged port in the VN. The networks are
	// all that there are from now on; what is left out stays as it is. One network's failure does not keep the others from
	// being made; the errors come joined. What ValidateNetworks refuses is not begun.
	Ensure(ctx context.Context, networks []Network) error
	// List returns the entries that carry our mark, after making good what is missing of the devices that Ensure was last
	// given. An entry that is only half there (in one of two tables) is listed without its place, so that it equals nothing
	// that could be wanted. Closed ports are not listed.
	List(ctx context.Context) ([]Entry, error)
	// Apply sets, then deletes; errs has one element per element of set, then of del, and neither is kept. Deleting what is gone is success,
	// deleting what does not carry our mark does nothing and is success. A Unicast entry that changes its place is
	// replaced: at no time is there none.
	// A Tag entry that changes takes effect in one step: a VID that is in both its old and its new value never fails.
	//
	// A policy that is set in force is so before the unicast entries of the same Apply let frames through; if it cannot be, the
	// local unicast entry of its (VNI, MAC) fails, too. A policy that is deleted, or set not in force, is so when the unicast entries
	// that are deleted are gone. A policy that replaces another is in force in the moment in which the other is not any more.
	Apply(ctx context.Context, set []Entry, del []Key) (errs []error)
	// Changes signals that someone else may have changed the table (capacity 1).
	Changes() <-chan struct{}
	// Drops is, per Port key, the frames dropped for their source addresses.
	Drops(ctx context.Context) (map[Key]uint64, error)
	// Counters is what was counted for the policies with these keys, of all policies if there are none.
	Counters(ctx context.Context, keys ...Key) (map[Key]Counters, error)
}
