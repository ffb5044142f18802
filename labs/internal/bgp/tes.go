package bgp

import (
	"context"
	"encoding/binary"
	"net/netip"

	"github.com/tns-project/tns/labs/internal/netns"
)

// Route target membership among the address families (RFC 4684 §4).
const (
	membershipAFI  = 1
	membershipSAFI = 132
)

// memberships is the capabilities of who says which route targets it wants, and when it has said all: of the family, and graceful restart for no family
// (RFC 4684 §7, RFC 4724 §3).
var memberships = []byte{1, 4, 0, membershipAFI, 0, membershipSAFI, 64, 2, 0, 0}

// DialTES is Dial for a TES as tesd is one: it asks for the responses to it, so that it is sent no others', and says that it has said all it has so far.
func DialTES(ctx context.Context, n *netns.Namespace, as uint16, from, to netip.Addr, heard func(update []byte)) (*Session, error) {
	return call(ctx, n, as, from, to, &Session{heard: heard, tes: true})
}

// responsesTo is the route target of the responses to a TES (SPEC §1).
func responsesTo(tes netip.Addr) Community {
	c := Community{0x00, 0x02, 0x20, 0xcb} // 8395
	copy(c[4:], tes.AsSlice())
	return c
}

// wants is the membership of a TES and its End-of-RIB of both families.
//
//	MP_REACH_NLRI (RFC 4760 §3): | AFI 2 | SAFI 1 | length 1 | next hop 4 | 0 | bits 1 | origin AS 4 | route target 8 |
func (s *Session) wants(as uint16) (messages []byte) {
	target := responsesTo(s.address)
	reach := append(append([]byte{0, membershipAFI, membershipSAFI, 4}, s.address.AsSlice()...), 0, 96)
	reach = append(binary.BigEndian.AppendUint32(reach, uint32(as)), target[:]...)
	attributes := append(append(basics(), 0x80, 14, byte(len(reach))), reach...)
	messages = message(nil, typeUpdate, update(attributes))
	for _, family := range [][]byte{{0, membershipAFI, membershipSAFI}, {0, afi, safi}} {
		messages = message(messages, typeUpdate, update(append([]byte{0x80, 15, 3}, family...)))
	}
	return messages
}
