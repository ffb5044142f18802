package evpn

import (
	"fmt"
	"net/netip"
	"strings"
)

// RouteType is the EVPN route type (RFC 7432 §7).
type RouteType uint8

const (
	MACIPAdvertisement RouteType = 2
	InclusiveMulticast RouteType = 3
)

// EthernetTag is the Ethernet Tag ID of a route (RFC 7432 §5). A response has the TES-ID there, a beacon the NVE-ID (SPEC §1, §2).
type EthernetTag uint32

// RouteKey is what tells two routes apart (RFC 7432 §7.2, §7.3): it is comparable, and names a route to withdraw.
// For type 3 the MAC is zero and IP is the originating router's address.
type RouteKey struct {
	Type RouteType
	RD   RouteDistinguisher
	Tag  EthernetTag
	MAC  MAC
	IP   netip.Addr // invalid: none
}

// String is the key for people, in the form FRR prints: [2]:[ETag]:[48]:[MAC]:[32]:[IP] or [3]:[ETag]:[32]:[IP], after the RD.
func (k RouteKey) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s [%d]:[%d]", k.RD, k.Type, k.Tag)
	if k.Type == MACIPAdvertisement {
		fmt.Fprintf(&b, ":[48]:[%s]", k.MAC)
	}
	if k.IP.IsValid() {
		fmt.Fprintf(&b, ":[%d]:[%s]", k.IP.BitLen(), k.IP)
	}
	return b.String()
}

// Route is a MAC/IP advertisement or an inclusive multicast route with its path attributes. It is a value: holders do not
// change Communities or LargeCommunities in place.
type Route struct {
	RouteKey
	ESI              ESI
	Label            VNI // type 2: MPLS label 1 as a VNI, 24 bits unshifted (RFC 8365 §5.1.3)
	NextHop          netip.Addr
	PMSI             *PMSITunnel // type 3
	Communities      []ExtendedCommunity
	LargeCommunities []LargeCommunity
	OriginatorID     RouterID // RFC 4456 ORIGINATOR_ID, 0 when the route was not reflected
}

// RouteTargets lists the route's targets.
func (r *Route) RouteTargets() []RouteTarget {
	var targets []RouteTarget
	for _, c := range r.Communities {
		if rt, ok := c.RouteTarget(); ok {
			targets = append(targets, rt)
		}
	}
	return targets
}

// CountRouteTargets is how many targets the route has.
func (r *Route) CountRouteTargets() (n int) {
	for _, c := range r.Communities {
		if _, ok := c.RouteTarget(); ok {
			n++
		}
	}
	return n
}

// HasRouteTarget reports whether rt is one of the route's targets.
func (r *Route) HasRouteTarget(rt RouteTarget) bool {
	for _, c := range r.Communities {
		if c == ExtendedCommunity(rt) {
			return true
		}
	}
	return false
}

// Mobility is the route's MAC mobility; ok is false when it has none, which counts as sequence 0. Should there be several, the one that wins
// (Better) counts, so that their order does not.
func (r *Route) Mobility() (m MACMobility, ok bool) {
	for _, c := range r.Communities {
		next, is := c.MACMobility()
		if is && (!ok || Better(Candidate{Sticky: next.Sticky, Sequence: next.Sequence}, Candidate{Sticky: m.Sticky, Sequence: m.Sequence})) {
			m, ok = next, true
		}
	}
	return m, ok
}

// Signalling reports whether any community of type 0x88 is present.
func (r *Route) Signalling() bool {
	for _, c := range r.Communities {
		if c.Signalling() {
			return true
		}
	}
	return false
}
