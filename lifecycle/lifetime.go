package lifecycle

import "time"

// Lifetimes is how long an association is kept without a sign of life, by state (§3.3.8). Zero keeps it for ever.
type Lifetimes struct {
	PreAssociated time.Duration
	Associated    time.Duration
	Suspended     time.Duration
	Emigrating    time.Duration
	Orphaned      time.Duration // in whatever state the mark is on
	Terminated    time.Duration // how long it is remembered
}

// DefaultLifetimes are the lifetimes where the operator sets none.
var DefaultLifetimes = Lifetimes{
	PreAssociated: 300 * time.Second,
	Associated:    300 * time.Second,
	Suspended:     3600 * time.Second,
	Emigrating:    120 * time.Second,
	Orphaned:      3600 * time.Second,
	Terminated:    60 * time.Second,
}

// Of is the lifetime that applies to an association; ok is false when none runs: in Null, and for an outranked association as long as its
// TES is there (its request stands and the beacon lives: it is not Orphaned).
//
// The lifetimes of all associations stand still while the NVE has no signalling session at all; that is for the owner's clock.
func (l Lifetimes) Of(a Association) (lifetime time.Duration, ok bool) {
	switch {
	case a.State == Null:
		return 0, false
	case a.State == Terminated:
		lifetime = l.Terminated
	case a.Orphaned:
		lifetime = l.Orphaned
	case a.Outranked:
		return 0, false
	case a.State == PreAssociated:
		lifetime = l.PreAssociated
	case a.State == Associated:
		lifetime = l.Associated
	case a.State == Suspended:
		lifetime = l.Suspended
	default:
		lifetime = l.Emigrating
	}
	return lifetime, lifetime > 0
}

// LifetimeOf is the default lifetime that applies to an association, see [Lifetimes.Of].
func LifetimeOf(a Association) (lifetime time.Duration, ok bool) { return DefaultLifetimes.Of(a) }
