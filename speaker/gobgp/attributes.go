package gobgp

import (
	"encoding/binary"
	"fmt"

	api "github.com/osrg/gobgp/v3/api"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker/link"
)

// Path attributes as we write them (RFC 4271 §4.3): flags, type, length in one octet or, with the flag, in two, value.
const (
	flagExtendedLength = 0x10
	wellKnown          = 0x40 // transitive
	optionalTransitive = 0xc0

	attrOrigin              = 1
	attrNextHop             = 3
	attrExtendedCommunities = 16
	attrPMSITunnel          = 22
	attrLargeCommunities    = 32
)

// Limits of a route that we announce beside link.Check. GoBGP has no extended messages (RFC 8654), and says nothing when it cannot send one.
const (
	maxMessage     = 4096
	messageReserve = 256 // header, AS_PATH, LOCAL_PREF, the frame of MP_REACH_NLRI, and what reflectors add
)

var (
	familyEVPN = &api.Family{Afi: api.Family_AFI_L2VPN, Safi: api.Family_SAFI_EVPN}
	familyRTC  = &api.Family{Afi: api.Family_AFI_IP, Safi: api.Family_SAFI_ROUTE_TARGET_CONSTRAINTS}
)

// encode is the route as a path for GoBGP, in octets, which costs a fifth of protobuf messages. The ESI is always ten octets there: GoBGP's MAC mobility
// tells an absent one from zeros. The communities keep their order. ORIGINATOR_ID is for reflectors to set.
func encode(r evpn.Route) (*api.Path, error) {
	if err := link.Check(&r); err != nil {
		return nil, fmt.Errorf("announce %v: %w", r.RouteKey, err)
	}
	nlri, err := r.AppendNLRI(nil)
	if err != nil {
		return nil, fmt.Errorf("announce %v: %w", r.RouteKey, err)
	}
	attrs := [][]byte{
		attribute(wellKnown, attrOrigin, []byte{0}), // IGP
		attribute(wellKnown, attrNextHop, r.NextHop.AsSlice()),
	}
	if len(r.Communities) > 0 {
		value := make([]byte, 0, 8*len(r.Communities))
		for _, c := range r.Communities {
			value = append(value, c[:]...)
		}
		attrs = append(attrs, attribute(optionalTransitive, attrExtendedCommunities, value))
	}
	if len(r.LargeCommunities) > 0 {
		value := make([]byte, 0, 12*len(r.LargeCommunities))
		for _, c := range r.LargeCommunities {
			value = binary.BigEndian.AppendUint32(value, c.Global)
			value = binary.BigEndian.AppendUint32(value, c.Data1)
			value = binary.BigEndian.AppendUint32(value, c.Data2)
		}
		attrs = append(attrs, attribute(optionalTransitive, attrLargeCommunities, value))
	}
	if r.PMSI != nil {
		attrs = append(attrs, attribute(optionalTransitive, attrPMSITunnel, r.PMSI.Append(nil)))
	}
	size := messageReserve + len(nlri)
	for _, a := range attrs {
		size += len(a)
	}
	if size > maxMessage {
		return nil, fmt.Errorf("announce %v: an UPDATE of about %d octets, at most %d can be sent", r.RouteKey, size, maxMessage)
	}
	return &api.Path{Family: familyEVPN, NlriBinary: nlri, PattrsBinary: attrs}, nil
}

// encodeWithdrawal names the route and nothing else: GoBGP may refuse to delete a path that is given with communities.
func encodeWithdrawal(k evpn.RouteKey) (*api.Path, error) {
	r := evpn.Route{RouteKey: k}
	nlri, err := r.AppendNLRI(nil)
	if err != nil {
		return nil, fmt.Errorf("withdraw %v: %w", k, err)
	}
	return &api.Path{Family: familyEVPN, NlriBinary: nlri, IsWithdraw: true}, nil
}

// encodeMembership is the route target membership NLRI (RFC 4684 §4): length in bits, origin AS, route target. The unspecified next hop becomes the
// session's local address.
func encodeMembership(as uint32, rt evpn.RouteTarget) *api.Path {
	nlri := binary.BigEndian.AppendUint32([]byte{96}, as)
	return &api.Path{
		Family:     familyRTC,
		NlriBinary: append(nlri, rt[:]...),
		PattrsBinary: [][]byte{
			attribute(wellKnown, attrOrigin, []byte{0}),
			attribute(wellKnown, attrNextHop, []byte{0, 0, 0, 0}),
		},
	}
}

func attribute(flags, typ byte, value []byte) []byte {
	b := make([]byte, 0, 4+len(value))
	if len(value) > 255 {
		b = append(b, flags|flagExtendedLength, typ)
		b = binary.BigEndian.AppendUint16(b, uint16(len(value)))
	} else {
		b = append(b, flags, typ, byte(len(value)))
	}
	return append(b, value...)
}
