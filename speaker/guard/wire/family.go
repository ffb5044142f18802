package wire

import "fmt"

// Family is an address family and its sub-address family (RFC 4760 §2): AFI<<8 | SAFI.
type Family uint32

const (
	IPv4Unicast  Family = 1<<8 | 1
	RouteTargets Family = 1<<8 | 132 // route target constraint (RFC 4684)
	EVPN         Family = 25<<8 | 70 // RFC 7432
)

// NewFamily joins the two numbers.
func NewFamily(afi uint16, safi uint8) Family { return Family(afi)<<8 | Family(safi) }

// AFI is the address family identifier.
func (f Family) AFI() uint16 { return uint16(f >> 8) }

// SAFI is the subsequent address family identifier.
func (f Family) SAFI() uint8 { return uint8(f) }

// String is the family's name, or both numbers where it has none here.
func (f Family) String() string {
	switch f {
	case IPv4Unicast:
		return "ipv4-unicast"
	case RouteTargets:
		return "route-targets"
	case EVPN:
		return "l2vpn-evpn"
	}
	return fmt.Sprintf("afi %d safi %d", f.AFI(), f.SAFI())
}

func (f Family) append(b []byte) []byte { return append(b, byte(f>>16), byte(f>>8), byte(f)) }
