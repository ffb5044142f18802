package main

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker/guard/wire"
)

// update tells the routes of an UPDATE, each with what its attributes say.
func (v *messageView) update(msg []byte) {
	d := wire.Dissect(msg)
	if d.EndOfRIB != 0 {
		v.EndOfRIB = d.EndOfRIB.String()
	}
	common := decodedRoute{Parts: []decodedPart{}}
	for _, a := range d.Attributes {
		v.attribute(&common, a)
	}
	for _, n := range d.Announced {
		r := common
		r.Route, r.Label = nlriWords(n)
		if r.Label == 0 {
			r.Label = common.Label
		}
		r.NextHop = hopWords(n.NextHop)
		v.Announced = append(v.Announced, r)
	}
	for _, n := range d.Withdrawn {
		text, _ := nlriWords(n)
		v.Withdrawn = append(v.Withdrawn, text)
	}
	for _, u := range d.Unread {
		v.unread(u.What, u.Octets)
	}
}

// attribute adds what an attribute says to what all routes of the UPDATE have in common.
func (v *messageView) attribute(r *decodedRoute, a wire.Attribute) {
	switch {
	case a.Type == attributeOriginator && len(a.Value) == 4:
		r.Originator = netip.AddrFrom4([4]byte(a.Value)).String()
	case a.Type == attributePMSI:
		p, err := evpn.DecodePMSITunnel(a.Value)
		if err != nil {
			v.unread("PMSI_TUNNEL", a.Value)
			return
		}
		r.Label = uint32(p.Label)
	case a.Type == attributeExtended && len(a.Value)%8 == 0:
		var communities []evpn.ExtendedCommunity
		for c := range slices.Chunk(a.Value, 8) {
			communities = append(communities, evpn.ExtendedCommunity(c))
			r.Parts = append(r.Parts, describeAny(evpn.ExtendedCommunity(c)))
		}
		r.VMID = vmidOf(communities)
	case a.Type == attributeLarge && len(a.Value)%12 == 0:
		for c := range slices.Chunk(a.Value, 12) {
			l := evpn.LargeCommunity{Global: binary.BigEndian.Uint32(c), Data1: binary.BigEndian.Uint32(c[4:]), Data2: binary.BigEndian.Uint32(c[8:])}
			if part, ok := describeMirror(l); ok {
				r.Parts = append(r.Parts, part)
			}
		}
	case a.Type == attributeOriginator, a.Type == attributeExtended, a.Type == attributeLarge:
		v.unread(fmt.Sprintf("attribute %d", a.Type), a.Value)
	}
}

// describeAny is a community of any type in words.
func describeAny(c evpn.ExtendedCommunity) decodedPart {
	p := describe(c)
	if !c.Signalling() {
		p.Text = c.String()
	}
	return p
}

// hopWords is a next hop; an IPv6 one may have a link-local one behind it (RFC 2545 §3).
func hopWords(b []byte) string {
	if len(b) == 32 {
		b = b[:16]
	}
	if a, ok := netip.AddrFromSlice(b); ok {
		return a.String()
	}
	return fmt.Sprintf("%x", b)
}

// nlriWords is a route for people, with its label, 0 if it has none.
func nlriWords(n wire.NLRI) (text string, label uint32) {
	b := n.Octets
	switch n.Family {
	case wire.EVPN:
		r, _, err := evpn.DecodeNLRI(b)
		switch {
		case err != nil:
			return otherWords(b[0], b[2:])
		case r.Type == evpn.InclusiveMulticast:
			return fmt.Sprintf("type 3 rd %v etag %d ip %v", r.RD, r.Tag, r.IP), 0
		case !r.IP.IsValid():
			return fmt.Sprintf("type 2 rd %v etag %d mac %v", r.RD, r.Tag, r.MAC), uint32(r.Label)
		}
		return fmt.Sprintf("type 2 rd %v etag %d mac %v ip %v", r.RD, r.Tag, r.MAC, r.IP), uint32(r.Label)
	case wire.RouteTargets:
		switch {
		case len(b) == 1:
			return "route-targets all", 0
		case len(b) == 13:
			return fmt.Sprintf("route-targets as %d %v", binary.BigEndian.Uint32(b[1:]), evpn.ExtendedCommunity(b[5:])), 0
		}
	case wire.IPv4Unicast:
		var a [4]byte
		copy(a[:], b[1:])
		return "ipv4-unicast " + netip.PrefixFrom(netip.AddrFrom4(a), int(b[0])).String(), 0
	}
	return fmt.Sprintf("%v octets %x", n.Family, b), 0
}

// otherWords is an EVPN route of type 1, 4 or 5, which we neither send nor use (RFC 7432 §7, RFC 9136 §3.1); any other as octets.
func otherWords(typ byte, b []byte) (text string, label uint32) {
	segment := func() string {
		return fmt.Sprintf("type %d rd %v esi %v", typ, evpn.RouteDistinguisher(b), evpn.ESI(b[8:18]))
	}
	number := func(b []byte) uint32 { return uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2]) }
	switch {
	case typ == 1 && len(b) == 25:
		return fmt.Sprintf("%s etag %d", segment(), binary.BigEndian.Uint32(b[18:])), number(b[22:])
	case typ == 4 && (len(b) == 23 || len(b) == 35):
		ip, _ := netip.AddrFromSlice(b[19:])
		return fmt.Sprintf("%s ip %v", segment(), ip), 0
	case typ == 5 && (len(b) == 34 || len(b) == 58):
		size := (len(b) - 26) / 2
		ip, _ := netip.AddrFromSlice(b[23 : 23+size])
		gateway, _ := netip.AddrFromSlice(b[23+size : 23+2*size])
		return fmt.Sprintf("type 5 rd %v etag %d prefix %v/%d gateway %v", evpn.RouteDistinguisher(b), binary.BigEndian.Uint32(b[18:]), ip, b[22], gateway), number(b[23+2*size:])
	}
	return fmt.Sprintf("type %d octets %x", typ, b), 0
}
