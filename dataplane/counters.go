package dataplane

import "context"

// Counted is frames, and their octets.
type Counted struct{ Frames, Octets uint64 }

// Counters are what a kernel counted for one VM's policy. Those of rules begin when the policy, in this version, is put there; the others when the
// VM's policy is first in force on the port.
type Counters struct {
	From, To []Counted // per rule, what it matched
	Spoofed  Counted   // frames from the VM, dropped for addresses that are not its own
	// FromLimited and ToLimited are frames dropped because they were above the limit.
	FromLimited, ToLimited Counted
}

// Counters is, per policy, what was counted; of all that the kernel holds if no key is given. It is nil where the kernel cannot count.
func (r *Reconciler) Counters(keys ...Key) map[Key]Counters {
	ctx, cancel := context.WithTimeout(context.Background(), dropsTimeout)
	defer cancel()
	counters, _ := r.kernel.Counters(ctx, keys...)
	return counters
}
