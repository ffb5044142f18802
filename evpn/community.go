package evpn

// ExtendedCommunity is the eight octets of an extended community (RFC 4360 §2): type, sub-type, value.
type ExtendedCommunity [8]byte

// LargeCommunity is a large community (RFC 8092).
type LargeCommunity struct{ Global, Data1, Data2 uint32 }

// RouteTarget is a route target extended community (RFC 4360 §4, RFC 5668, RFC 7153).
type RouteTarget ExtendedCommunity

// ParseRouteTarget reads "AS:number" or "a.b.c.d:number".
func ParseRouteTarget(s string) (RouteTarget, error) { return RouteTarget{}, errUnwritten }

func (rt RouteTarget) String() string { return "" }

// RequestTarget is the route target of what TESs send to that NVE: 8394:NVE-ID (SPEC §1).
func RequestTarget(nve RouterID) RouteTarget { return RouteTarget{} }

// ResponseTarget is the route target of what an NVE sends to that TES: 8395:TES-ID (SPEC §1).
func ResponseTarget(tes RouterID) RouteTarget { return RouteTarget{} }

// AutoRouteTarget is a VN's default route target, AS:VNI with the low 16 bits of the AS (RFC 8365 §5.1.2.1 as FRR derives it).
func AutoRouteTarget(as uint32, vni VNI) RouteTarget { return RouteTarget{} }

// RFC8365RouteTarget is the auto-derived form of RFC 8365 §5.1.2.1 (A=0, type VXLAN, D-ID 0).
func RFC8365RouteTarget(as uint32, vni VNI) RouteTarget { return RouteTarget{} }

// EncapsulationVXLAN is the encapsulation extended community for VXLAN, tunnel type 8 (RFC 8365 §11, RFC 9012).
var EncapsulationVXLAN = ExtendedCommunity{0x03, 0x0c, 0, 0, 0, 0, 0, 8}

// MACMobility is the MAC mobility extended community (RFC 7432 §7.7).
type MACMobility struct {
	Sticky   bool
	Sequence uint32
}

// Community is the octets of it.
func (m MACMobility) Community() ExtendedCommunity { return ExtendedCommunity{} }
