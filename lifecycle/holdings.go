package lifecycle

import "strings"

// Holdings is a set of what an association can hold at its edge.
type Holdings uint8

const (
	Reserved   Holdings = 1 << iota // VN membership, tag, policies and reservations
	Forwarding                      // local FDB entries
	Advertised                      // fabric routes
)

var holdings = [numStates]Holdings{
	PreAssociated:           Reserved,
	Associated:              Reserved | Forwarding | Advertised,
	Suspended:               Reserved,
	EmigratingPreAssociated: Reserved,
	EmigratingAssociated:    Reserved | Advertised,
	EmigratingSuspended:     Reserved,
}

// Holds is what an association in that state holds. EmigratingAssociated gives Advertised up as soon as a newer route of another edge is
// seen, does not have it when it was outranked, and has none for addresses that came with the EMIGRATE itself; in every other state the set
// is exact.
func (s State) Holds() Holdings { return holdings[s] }

// Has reports whether all of want is held.
func (h Holdings) Has(want Holdings) bool { return h&want == want }

// String lists what is held, "nothing" if that is so.
func (h Holdings) String() string {
	var held []string
	for _, one := range []struct {
		h    Holdings
		name string
	}{{Reserved, "reserved"}, {Forwarding, "forwarding"}, {Advertised, "advertised"}} {
		if h.Has(one.h) {
			held = append(held, one.name)
		}
	}
	if held == nil {
		return "nothing"
	}
	return strings.Join(held, " + ")
}
