package evpn

import (
	"encoding/binary"
	"fmt"
)

// RouteTarget is a route target extended community (RFC 4360 §4, RFC 5668, RFC 7153).
//
//	 0        1           2                8
//	+--------+-----------+----------------+
//	| type   | sub 0x02  | value          |   type 0x00 AS 16 : number 32, 0x01 IPv4 32 : number 16, 0x02 AS 32 : number 16
//	+--------+-----------+----------------+
type RouteTarget ExtendedCommunity

const routeTargetSubtype = 0x02

// AS numbers in the route targets of the signalling plane: the protocol's own document, RFC 8394 (SPEC §1).
const (
	requestAS  = 8394
	responseAS = 8395
)

// RequestTarget is the route target of what TESs send to that NVE: 8394:NVE-ID (SPEC §1).
func RequestTarget(nve RouterID) RouteTarget { return targetAS2(requestAS, uint32(nve)) }

// ResponseTarget is the route target of what an NVE sends to that TES: 8395:TES-ID (SPEC §1).
func ResponseTarget(tes RouterID) RouteTarget { return targetAS2(responseAS, uint32(tes)) }

// AutoRouteTarget is a VN's default route target, AS:VNI with the low 16 bits of the AS (RFC 8365 §5.1.2.1 as FRR derives it).
func AutoRouteTarget(as uint32, vni VNI) RouteTarget {
	return targetAS2(uint16(as), uint32(vni&MaxVNI))
}

// RFC8365RouteTarget is the auto-derived form of RFC 8365 §5.1.2.1 (A=0, type VXLAN, D-ID 0), with the low 16 bits of the AS.
//
//	 0                 2   3          4      8
//	+-----------------+---+----------+------+------------+
//	| AS 16           | A | type 3=1 | D-ID | VNI 24     |
//	+-----------------+---+----------+------+------------+
func RFC8365RouteTarget(as uint32, vni VNI) RouteTarget {
	const vxlan = 1 << 28
	return targetAS2(uint16(as), vxlan|uint32(vni&MaxVNI))
}

func targetAS2(as uint16, number uint32) RouteTarget {
	rt := RouteTarget{adminAS2, routeTargetSubtype}
	binary.BigEndian.PutUint16(rt[2:4], as)
	binary.BigEndian.PutUint32(rt[4:], number)
	return rt
}

// ParseRouteTarget reads "AS:number" (of two octets, or of four where the AS is above 65535 or dotted), "a.b.c.d:number", or the eight octets
// as 0x and 16 digits.
func ParseRouteTarget(s string) (RouteTarget, error) {
	if v, ok := parseHex(s); ok {
		return v, nil
	}
	layout, v, ok := parseAdmin(s)
	if !ok {
		return RouteTarget{}, fmt.Errorf("route target %q: not like 65000:10100 or 192.0.2.1:100", s)
	}
	rt := RouteTarget{layout, routeTargetSubtype}
	copy(rt[2:], v[:])
	return rt, nil
}

// String is the text that ParseRouteTarget reads back to the same octets; what is no route target is in hexadecimal digits.
func (rt RouteTarget) String() string {
	if rt[1] == routeTargetSubtype {
		if s, ok := formatAdmin(rt[0], [6]byte(rt[2:])); ok {
			return s
		}
	}
	return formatHex(rt)
}

// MarshalText is the text of String.
func (rt RouteTarget) MarshalText() ([]byte, error) { return []byte(rt.String()), nil }

// UnmarshalText reads what ParseRouteTarget does.
func (rt *RouteTarget) UnmarshalText(text []byte) (err error) {
	*rt, err = ParseRouteTarget(string(text))
	return err
}

// RouteTarget is the community as a route target; ok is false when it is something else.
func (c ExtendedCommunity) RouteTarget() (rt RouteTarget, ok bool) {
	return RouteTarget(c), c[0] <= adminAS4 && c[1] == routeTargetSubtype
}

// VNI is the VNI of an automatic route target, in either form and of any AS: what a VN imports by (SPEC §1). ok is false for another target,
// the signalling plane's among them.
func (rt RouteTarget) VNI() (vni VNI, ok bool) {
	if rt[0] != adminAS2 || rt[1] != routeTargetSubtype || rt[4] != 0 && rt[4] != 0x10 {
		return 0, false
	}
	vni = VNI(binary.BigEndian.Uint32(rt[4:])) & MaxVNI
	return vni, vni != 0
}
