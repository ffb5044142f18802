package bgp

import (
	"encoding/binary"
	"net"
	"net/netip"
)

// EVPN among the address families (RFC 7432 §7).
const (
	afi  = 25
	safi = 70
)

// Community is the eight octets of an extended community (RFC 4360 §2).
type Community [8]byte

// RouteTarget is that of a VN by number, AS:VNI.
func RouteTarget(as uint16, vni uint32) Community {
	c := Community{0x00, 0x02}
	binary.BigEndian.PutUint16(c[2:], as)
	binary.BigEndian.PutUint32(c[4:], vni)
	return c
}

// VXLAN is the encapsulation community (RFC 9012 §4.1, RFC 8365 §5.1.3).
var VXLAN = Community{0x03, 0x0c, 7: 8}

// Route is an EVPN route of the speaker: its NLRI, and the path attributes that belong to the type.
type Route struct {
	nlri       []byte
	attributes []byte
}

// MACIP is a route of type 2, MAC/IP Advertisement, without ESI and Ethernet tag; an invalid ip is none (RFC 7432 §7.2).
//
//	| RD 8 | ESI 10 | tag 4 | 48 | MAC 6 | IP bits 1 | IP 0, 4, 16 | label 3 |
func (s *Session) MACIP(vni uint32, mac net.HardwareAddr, ip netip.Addr) Route {
	value := append(distinguisher(s.address), make([]byte, 10+4)...)
	value = append(append(value, 48), mac...)
	value = append(append(value, byte(ip.BitLen())), ip.AsSlice()...)
	value = append(value, label(vni)...)
	return Route{nlri: append([]byte{2, byte(len(value))}, value...)}
}

// InclusiveMulticast is the route of type 3 that asks for flooded frames by ingress replication, with its PMSI Tunnel
// attribute (RFC 7432 §7.3, RFC 6514 §5).
//
//	| RD 8 | tag 4 | IP bits 1 | originator 4 |
func (s *Session) InclusiveMulticast(vni uint32) Route {
	value := append(distinguisher(s.address), make([]byte, 4)...)
	value = append(append(value, 32), s.address.AsSlice()...)
	tunnel := append(append([]byte{0, 6}, label(vni)...), s.address.AsSlice()...)
	return Route{
		nlri:       append([]byte{3, byte(len(value))}, value...),
		attributes: append([]byte{0xc0, 22, byte(len(tunnel))}, tunnel...),
	}
}

// distinguisher is the RD address:1, of type 1 (RFC 4364 §4.2).
func distinguisher(address netip.Addr) []byte {
	return append(append([]byte{0, 1}, address.AsSlice()...), 0, 1)
}

// label is a VNI in the place of an MPLS label (RFC 8365 §5.1.3).
func label(vni uint32) []byte { return binary.BigEndian.AppendUint32(nil, vni)[1:] }

// Announce announces a route, its next hop the speaker itself.
func (s *Session) Announce(r Route, communities ...Community) error {
	return s.announce(r, s.address, communities)
}

// announce announces a route with an IPv4 next hop.
func (s *Session) announce(r Route, nextHop netip.Addr, communities []Community) error {
	return s.say(typeUpdate, r.announcement(nextHop, communities))
}

// announcement is the body of the UPDATE that announces a route.
//
//	MP_REACH_NLRI (RFC 4760 §3): | AFI 2 | SAFI 1 | length 1 | next hop 4 | 0 | NLRI |
func (r Route) announcement(nextHop netip.Addr, communities []Community) []byte {
	attributes := basics()
	reach := append(append([]byte{0, afi, safi, 4}, nextHop.AsSlice()...), 0)
	reach = append(reach, r.nlri...)
	attributes = append(append(attributes, 0x80, 14, byte(len(reach))), reach...)
	attributes = append(attributes, 0xc0, 16, byte(len(communities)*len(Community{})))
	for _, c := range communities {
		attributes = append(attributes, c[:]...)
	}
	return update(append(attributes, r.attributes...))
}

// basics is the path attributes that every route of iBGP has.
func basics() []byte {
	return []byte{
		0x40, 1, 1, 0, // ORIGIN: IGP
		0x40, 2, 0, // AS_PATH: empty
		0x40, 5, 4, 0, 0, 0, 100, // LOCAL_PREF
	}
}

// Withdraw takes a route back.
func (s *Session) Withdraw(r Route) error { return s.say(typeUpdate, r.withdrawal()) }

// withdrawal is the body of the UPDATE that takes a route back.
func (r Route) withdrawal() []byte {
	unreach := append([]byte{0, afi, safi}, r.nlri...)
	return update(append([]byte{0x80, 15, byte(len(unreach))}, unreach...))
}

// update is the body of an UPDATE without IPv4 routes.
func update(attributes []byte) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{0, 0}, uint16(len(attributes))), attributes...)
}

// AppendTo appends the UPDATE that announces a route, for Send.
func (s *Session) AppendTo(messages []byte, r Route, communities ...Community) []byte {
	return message(messages, typeUpdate, r.announcement(s.address, communities))
}

// Count counts the EVPN routes that an UPDATE announces and withdraws.
func Count(update []byte) (announced, withdrawn int) {
	take(&update, number(take(&update, 2)))
	attributes := take(&update, number(take(&update, 2)))
	for len(attributes) > 0 {
		head := take(&attributes, 2)
		if len(head) < 2 {
			break
		}
		size := 1
		if head[0]&0x10 != 0 { // extended length
			size = 2
		}
		value := take(&attributes, number(take(&attributes, size)))
		count := &withdrawn
		switch head[1] {
		case 14: // MP_REACH_NLRI
			count = &announced
			take(&value, 3)
			take(&value, number(take(&value, 1)))
			take(&value, 1)
		case 15: // MP_UNREACH_NLRI
			take(&value, 3)
		default:
			continue
		}
		for len(value) > 0 {
			take(&value, 1)
			take(&value, number(take(&value, 1)))
			*count++
		}
	}
	return announced, withdrawn
}
