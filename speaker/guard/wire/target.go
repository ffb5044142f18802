package wire

import "github.com/tns-project/tns/evpn"

// AppendTargets appends the route targets of a route: the extended communities of RFC 4360 §4, of any AS or address.
func (a Attributes) AppendTargets(list []evpn.RouteTarget) []evpn.RouteTarget {
	if a == (Attributes{}) {
		return list
	}
	for b := a.Octets(); len(b) >= 3; {
		value, size := 3, int(b[2])
		if b[0]&flagExtended != 0 && len(b) >= 4 {
			value, size = 4, int(b[2])<<8+int(b[3])
		}
		end := min(value+size, len(b))
		if b[1] != attrExtended {
			b = b[end:]
			continue
		}
		for at := value; at+8 <= end; at += 8 {
			if b[at] <= 2 && b[at+1] == 2 {
				list = append(list, evpn.RouteTarget([]byte(b[at:at+8])))
			}
		}
		return list
	}
	return list
}

// membershipBits is the length of the NLRI that names one route target.
const membershipBits = 96

// Membership is the NLRI with which a speaker of an AS asks for routes with a route target (RFC 4684 §4).
func Membership(as uint32, rt evpn.RouteTarget) string {
	return string(append([]byte{membershipBits, byte(as >> 24), byte(as >> 16), byte(as >> 8), byte(as)}, rt[:]...))
}

// MembershipTarget is what a membership that came through a Filter asks for: routes with one route target, or all.
func MembershipTarget(nlri string) (rt evpn.RouteTarget, all bool) {
	if len(nlri) != 1+membershipBits/8 {
		return rt, true
	}
	return evpn.RouteTarget([]byte(nlri[5:])), false
}
