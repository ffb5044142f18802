package evpn

import "net/netip"

// Candidate is one route to a MAC, as the choice among several sees it (SPEC §4).
type Candidate struct {
	Sticky   bool
	Sequence uint32
	VTEP     netip.Addr
}

// Better reports whether a wins over b: sticky, then the higher sequence, then the lower VTEP (SPEC §4, RFC 7432 §15.1). IPv4 is lower than
// IPv6, and a route without a VTEP loses. It is a strict order: of two equal candidates neither wins.
func Better(a, b Candidate) bool {
	switch {
	case a.Sticky != b.Sticky:
		return a.Sticky
	case a.Sequence != b.Sequence:
		return a.Sequence > b.Sequence
	case !a.VTEP.IsValid() || !b.VTEP.IsValid():
		return a.VTEP.IsValid() && !b.VTEP.IsValid()
	}
	return a.VTEP.Unmap().Less(b.VTEP.Unmap())
}
