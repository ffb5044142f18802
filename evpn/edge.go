package evpn

import (
	"encoding/binary"
	"net/netip"
)

// Edge is EDGE: what an NVE says of itself on its type 3 routes towards the fabric, where express sessions are on (SPEC §2).
//
//	 0          8          16                            48
//	+----------+----------+-----------------------------+
//	| flags 8  | reserved | IPv4 session address 32     |   flags: 1 = takes express sessions
//	+----------+----------+-----------------------------+
type Edge struct {
	Express bool
	Session RouterID // the address that takes sessions, as 32 bits
}

// Addr is the session address.
func (e Edge) Addr() netip.Addr { return e.Session.Addr() }

// SessionAddress is an IPv4 address as EDGE has it.
func SessionAddress(a netip.Addr) RouterID {
	b := a.As4()
	return RouterID(binary.BigEndian.Uint32(b[:]))
}

// Community is the octets of it.
func (e Edge) Community() ExtendedCommunity {
	v := value(e.Session)
	if e.Express {
		v |= 1 << 40
	}
	return SubtypeEdge.community(v)
}

// DecodeEdge finds EDGE among a route's communities; ok is false where there is none. Two different ones, and a flag that is not defined, are
// not errors: the route is the fabric's, and the lower one, without the flag, is taken.
func DecodeEdge(cs []ExtendedCommunity) (e Edge, ok bool) {
	p := collect(cs)
	v, ok := p.least(SubtypeEdge)
	return Edge{Express: v>>40&1 == 1, Session: RouterID(v)}, ok
}
