package evpn

import "net/netip"

// Candidate is one route to a MAC, as the choice among several sees it (SPEC §4).
type Candidate struct {
	Sticky   bool
	Sequence uint32
	VTEP     netip.Addr
}

// Better reports whether a wins over b: sticky, then the higher sequence, then the lower VTEP.
func Better(a, b Candidate) bool { return false }
