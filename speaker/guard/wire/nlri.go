package wire

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// Lengths in octets of the fields of EVPN route types 1 to 5, after route type 8 and length 8 (RFC 7432 §7, RFC 9136 §3.1):
//
//	type 1: | RD 64 | ESI 80 | ETag 32 | label 24 |
//	type 2: | RD 64 | ESI 80 | ETag 32 | MAC bits 8 = 48 | MAC 48 | IP bits 8 | IP 0, 32, 128 | label1 24 | label2 0, 24 |
//	type 3: | RD 64 | ETag 32 | IP bits 8 | originating router's IP 32, 128 |
//	type 4: | RD 64 | ESI 80 | IP bits 8 | originating router's IP 32, 128 |
//	type 5: | RD 64 | ESI 80 | ETag 32 | prefix bits 8 | prefix 32, 128 | gateway 32, 128 | label 24 |
const (
	autoDiscoveryLength = 25
	macIPFixed          = 30 // without IP and labels
	multicastFixed      = 13
	segmentFixed        = 19
	prefixLength4       = 34
	prefixLength6       = 58

	macIPAt     = 29 // where type 2 has IP bits
	multicastAt = 12
	segmentAt   = 18
)

// fault is why an NLRI does not get through: Skip, where it can be left out alone, Withdraw, where that route alone is withdrawn, or Reset, where its
// length cannot be (RFC 7606 §5.3).
type fault struct {
	decision Decision
	what     string
	text     string
}

func unfit(what, format string, args ...any) *fault {
	return &fault{Skip, what, fmt.Sprintf(format, args...)}
}

func wrongLength(what, format string, args ...any) *fault {
	return &fault{Reset, what, fmt.Sprintf(format, args...) + " (RFC 7606 §5.3)"}
}

// nextNLRI is the length of the first NLRI of a list of the family, and what is wrong with it. A length of 0 ends the reading: where the next one
// begins cannot be told.
func nextNLRI(f Family, b []byte) (length int, bad *fault) {
	switch f {
	case EVPN:
		if len(b) < 2 || len(b) < 2+int(b[1]) {
			return 0, wrongLength("EVPN NLRI", "EVPN NLRI cut off after %d octets", len(b))
		}
		length = 2 + int(b[1])
		return length, checkEVPN(b[0], b[2:length])
	case RouteTargets:
		return nextRouteTarget(b)
	default:
		bits := int(b[0])
		length = 1 + (bits+7)/8
		if bits > 32 || length > len(b) {
			return 0, wrongLength("IPv4 NLRI", "IPv4 prefix of %d bits in %d octets", bits, len(b)-1)
		}
		return length, nil
	}
}

// nextRouteTarget reads a membership: the default, all of an AS, or one route target (RFC 4684 §4). GoBGP cannot tell prefixes of route targets apart.
//
//	 0         1             5                    13
//	+---------+-------------+--------------------+
//	| bits 8  | origin AS 32| route target 64    |
//	+---------+-------------+--------------------+
func nextRouteTarget(b []byte) (length int, bad *fault) {
	bits := int(b[0])
	length = 1 + (bits+7)/8
	switch {
	case bits != 0 && bits < 32 || bits > 96 || length > len(b):
		return 0, wrongLength("route target membership", "membership of %d bits in %d octets", bits, len(b)-1)
	case bits == 96 && (b[5] > 2 || b[6] != 2):
		return length, unfit("route target membership", "membership of %x, which is no route target", b[5:13])
	case bits != 0 && bits != 32 && bits != 96:
		return length, unfit("route target membership", "membership of a route target's first %d bits", bits-32)
	}
	return length, nil
}

// checkEVPN judges one NLRI of EVPN without type and length. What GoBGP would refuse with the whole UPDATE, or take for another route, is unfit.
func checkEVPN(typ byte, b []byte) *fault {
	switch typ {
	case 1:
		if len(b) != autoDiscoveryLength {
			return wrongLength("EVPN route type 1", "Ethernet A-D route of %d octets, it has %d", len(b), autoDiscoveryLength)
		}
		return firstFault("EVPN route type 1", b, b[8:18], nil)
	case 2:
		return checkMACIP(b)
	case 3:
		ip, bad := originator("EVPN route type 3", b, multicastAt, multicastFixed)
		if bad != nil {
			return bad
		}
		return firstFault("EVPN route type 3", b, nil, ip)
	case 4:
		ip, bad := originator("EVPN route type 4", b, segmentAt, segmentFixed)
		if bad != nil {
			return bad
		}
		return firstFault("EVPN route type 4", b, b[8:18], ip)
	case 5:
		return checkIPPrefix(b)
	}
	return unfit(fmt.Sprintf("EVPN route type %d", typ), "EVPN route type %d (RFC 7606 §5.4)", typ)
}

func checkMACIP(b []byte) *fault {
	const what = "EVPN route type 2"
	if len(b) < macIPFixed {
		return wrongLength(what, "MAC/IP route of %d octets, at least %d are needed", len(b), macIPFixed+3)
	}
	bits := int(b[macIPAt])
	if bits != 0 && bits != 32 && bits != 128 {
		return wrongLength(what, "IP address of %d bits, it has 0, 32 or 128", bits)
	}
	if labels := len(b) - macIPFixed - bits/8; labels != 3 && labels != 6 {
		return wrongLength(what, "MAC/IP route of %d octets with an IP address of %d bits", len(b), bits)
	}
	if b[22] != 48 {
		return unfit(what, "MAC address of %d bits, only 48 are known (RFC 7432 §7.2)", b[22])
	}
	return firstFault(what, b, b[8:18], b[macIPFixed:macIPFixed+bits/8])
}

// originator is the address that ends routes of type 3 and 4.
func originator(what string, b []byte, at, fixed int) (ip []byte, bad *fault) {
	if len(b) < fixed || len(b) != fixed+int(b[at])/8 || b[at] != 32 && b[at] != 128 {
		return nil, wrongLength(what, "%s of %d octets, it has %d or %d with the IP address", what, len(b), fixed+4, fixed+16)
	}
	return b[fixed:], nil
}

func checkIPPrefix(b []byte) *fault {
	const what = "EVPN route type 5"
	size := 4
	switch len(b) {
	case prefixLength4:
	case prefixLength6:
		size = 16
	default:
		return wrongLength(what, "IP prefix route of %d octets, it has %d or %d", len(b), prefixLength4, prefixLength6)
	}
	if int(b[22]) > 8*size {
		return unfit(what, "prefix of %d bits in an address of %d (RFC 9136 §3.1)", b[22], 8*size)
	}
	return firstFault(what, b, b[8:18], b[23:23+size])
}

// firstFault looks for values with a right length that GoBGP refuses or confuses: an RD of a type that it reads as 0:0; an IPv4 address mapped into IPv6,
// which it takes for the IPv4 address; an ESI whose last octet must be 0 (RFC 7432 §5). Where the ESI is no part of the key, the route may be there with
// another one.
func firstFault(what string, b, esi, ip []byte) *fault {
	if rd := binary.BigEndian.Uint16(b); rd > 2 {
		return unfit(what, "route distinguisher of type %d, types 0 to 2 are known (RFC 4364 §4.2)", rd)
	}
	if len(ip) == 16 && [12]byte(ip) == [12]byte{10: 0xff, 11: 0xff} {
		return unfit(what, "IPv4 address as a mapped IPv6 address %x", ip)
	}
	if esi != nil && esi[9] != 0 && (esi[0] == 1 || esi[0] == 2 || esi[0] == 4 || esi[0] == 5) {
		bad := unfit(what, "ESI of type %d with a last octet of %#x, it is 0 (RFC 7432 §5)", esi[0], esi[9])
		if what == "EVPN route type 2" || what == "EVPN route type 5" {
			bad.decision = Withdraw
		}
		return bad
	}
	return nil
}

// withoutESI is a copy of an NLRI of type 2 or 5 with ESI 0: the same route.
func withoutESI(nlri []byte) []byte {
	b := slices.Clone(nlri)
	clear(b[10:20])
	return b
}
