package evpn

import "encoding/binary"

// MACMobility is the MAC mobility extended community (RFC 7432 §7.7).
//
//	 0        1        2                 3           4                8
//	+--------+--------+-----------------+-----------+----------------+
//	| 0x06   | 0x00   | flags 8: 1 = S  | reserved  | sequence 32    |
//	+--------+--------+-----------------+-----------+----------------+
type MACMobility struct {
	Sticky   bool
	Sequence uint32
}

const (
	evpnCommunityType = 0x06
	mobilitySubtype   = 0x00
)

// Community is the octets of it.
func (m MACMobility) Community() ExtendedCommunity {
	c := ExtendedCommunity{evpnCommunityType, mobilitySubtype}
	if m.Sticky {
		c[2] = 1
	}
	binary.BigEndian.PutUint32(c[4:], m.Sequence)
	return c
}

// MACMobility is the community as MAC mobility; ok is false when it is something else. Other flags and the reserved octet are ignored.
func (c ExtendedCommunity) MACMobility() (m MACMobility, ok bool) {
	if c[0] != evpnCommunityType || c[1] != mobilitySubtype {
		return MACMobility{}, false
	}
	return MACMobility{Sticky: c[2]&1 == 1, Sequence: binary.BigEndian.Uint32(c[4:])}, true
}
