package wire

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/tns-project/tns/evpn"
)

// AttributeHidden is the type of the path attribute that carries extended communities past GoBGP, which would refuse the route for them, or change
// them: eight octets each, as they came. It is optional non-transitive, so that GoBGP keeps it for its watchers and never sends it on, and has the
// type that is reserved for development (RFC 2042). One that comes from outside is discarded: nothing can be forged with it, and nothing collides.
const AttributeHidden = 255

const communityLength = 8

// Extended communities of EVPN that GoBGP knows (RFC 7432 §7, RFC 9135 §8.1).
const (
	typeEVPN         = 0x06
	subtypeMobility  = 0x00
	subtypeESImport  = 0x02
	subtypeRouterMAC = 0x03
)

// RestoreCommunities joins the extended communities that GoBGP tells with those in the value of AttributeHidden, nil where the route has none. The order
// in which they came is not kept; it has no meaning (RFC 4360 §2).
func RestoreCommunities(told []evpn.ExtendedCommunity, hidden []byte) ([]evpn.ExtendedCommunity, error) {
	if len(hidden)%communityLength != 0 {
		return told, fmt.Errorf("restore extended communities: %d octets, they have 8 each", len(hidden))
	}
	for ; len(hidden) > 0; hidden = hidden[communityLength:] {
		told = append(told, evpn.ExtendedCommunity(hidden))
	}
	return told, nil
}

// survives reports whether GoBGP v3.37 takes an extended community of a received route, and gives it back octet for octet.
func survives(c evpn.ExtendedCommunity) bool {
	typ, sub := c[0], c[1]
	switch typ {
	case 0x00, 0x40:
		if sub != 0x04 {
			return true
		}
		return typ == 0x40 && !isNaN(c[4:]) // link bandwidth, which it makes non-transitive
	case 0x03:
		switch sub {
		case 0x0b: // color: the flags are lost
			return c[2]|c[3] == 0
		case 0x0c: // encapsulation: the reserved octets are lost
			return c[2]|c[3]|c[4]|c[5] == 0
		case 0x0d: // default gateway: so are its
			return [6]byte(c[2:]) == [6]byte{}
		}
		return true
	case 0x43:
		return sub != 0x00 || [5]byte(c[2:]) == [5]byte{} // origin validation
	case typeEVPN:
		return survivesEVPN(c)
	case 0x0c: // mobile user plane: all but one are refused
		return false
	case 0x80, 0x81, 0x82:
		return sub != 0x06 && sub != 0x07 && sub != 0x09 && sub != 0x0a && sub != 0x0b // of flow specification and VPLS
	}
	return true
}

func survivesEVPN(c evpn.ExtendedCommunity) bool {
	switch c[1] {
	case subtypeMobility:
		return c[2]&^1 == 0 && c[3] == 0
	case 0x01: // ESI label
		return c[2]&^1 == 0 && c[3]|c[4] == 0
	case subtypeESImport, subtypeRouterMAC:
		return true
	}
	return false // layer 2 attributes, which its watchers are not told; from 0x05 on an error, for which the route would count as withdrawn
}

func isNaN(b []byte) bool {
	return math.IsNaN(float64(math.Float32frombits(binary.BigEndian.Uint32(b))))
}

// appendCommunities appends the attributes of a route's extended communities: those that GoBGP gives back, and the others in AttributeHidden. Bits of MAC
// mobility that are ignored (RFC 7432 §7.7) are cleared, so that GoBGP, which takes any flag for sticky, goes by it too.
func appendCommunities(b []byte, flags byte, value []byte) (_ []byte, hidden int, changed bool) {
	for at := 0; at < len(value); at += communityLength {
		if !survives(seen(value[at:])) {
			hidden++
		}
	}
	if told := len(value) - hidden*communityLength; told > 0 {
		b = appendAttributeHeader(b, flags, attrExtended, told)
		for at := 0; at < len(value); at += communityLength {
			c := seen(value[at:])
			if survives(c) {
				changed = changed || c != evpn.ExtendedCommunity(value[at:])
				b = append(b, c[:]...)
			}
		}
	}
	if hidden > 0 {
		b = appendAttributeHeader(b, optionalNonTransitive, AttributeHidden, hidden*communityLength)
		for at := 0; at < len(value); at += communityLength {
			if !survives(seen(value[at:])) {
				b = append(b, value[at:at+communityLength]...)
			}
		}
	}
	return b, hidden, changed || hidden > 0
}

// seen is the community as GoBGP is to see it.
func seen(b []byte) evpn.ExtendedCommunity {
	c := evpn.ExtendedCommunity(b)
	if c[0] == typeEVPN && c[1] == subtypeMobility {
		c[2], c[3] = c[2]&1, 0
	}
	return c
}
