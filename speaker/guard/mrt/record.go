package mrt

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// Record is one BGP message of a session or, as others write it, one change of the session's state.
type Record struct {
	At        time.Time // to the microsecond
	PeerAS    uint32
	LocalAS   uint32
	Peer      netip.Addr // both of one family
	Local     netip.Addr
	Sent      bool   // by us
	Message   []byte // whole, with its header; nil for a change of state
	Truncated bool   // Message is shorter than it says; only a reader sets it
	From, To  State  // of a change of state; only a reader sets them
}

// Numbers of RFC 6396 §4.
const (
	typeBGP4MP         = 16
	typeBGP4MPExtended = 17 // with microseconds
	stateChange        = 0
	message            = 1
	messageAS4         = 4
	stateChangeAS4     = 5
	messageLocal       = 6
	messageAS4Local    = 7
	header             = 12
	afiIPv4            = 1
	afiIPv6            = 2
)

// Append appends the octets of a message's record. Addresses of two families, or none, are written as 0.0.0.0.
func (r Record) Append(b []byte) []byte {
	subtype := uint16(messageAS4)
	if r.Sent {
		subtype = messageAS4Local
	}
	start := len(b)
	b = binary.BigEndian.AppendUint32(b, uint32(r.At.Unix()))
	b = binary.BigEndian.AppendUint16(b, typeBGP4MPExtended)
	b = binary.BigEndian.AppendUint16(b, subtype)
	b = append(b, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(r.At.Nanosecond()/1000))
	b = binary.BigEndian.AppendUint32(b, r.PeerAS)
	b = binary.BigEndian.AppendUint32(b, r.LocalAS)
	b = append(b, 0, 0, 0, afiIPv4)
	peer, local := r.Peer, r.Local
	switch {
	case peer.Is6() && local.Is6():
		b[len(b)-1] = afiIPv6
	case !peer.Is4() || !local.Is4():
		peer, local = netip.IPv4Unspecified(), netip.IPv4Unspecified()
	}
	b = append(append(b, peer.AsSlice()...), local.AsSlice()...)
	b = append(b, r.Message...)
	binary.BigEndian.PutUint32(b[start+8:], uint32(len(b)-start-header))
	return b
}
