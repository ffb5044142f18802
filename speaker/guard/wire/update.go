package wire

import "unique"

// NLRI is one route's NLRI in its wire form: for EVPN route type, length and fields (RFC 7432 §7), for others the length in bits and the prefix.
type NLRI struct {
	Family Family
	Octets []byte
}

// Update is what one UPDATE says, or what is left of it after a Filter. It points into the message and, from a Filter, into the Filter, until its
// next message; Changes makes copies.
type Update struct {
	Withdrawn  []NLRI
	Announced  []NLRI
	NextHop    []byte // of Announced: 4 or 16 octets; for EVPN a VTEP
	Attributes []byte // of Announced, as on the wire, without NEXT_HOP, MP_REACH_NLRI and MP_UNREACH_NLRI
	EndOfRIB   Family // 0: it is none
}

// Attributes are a route's next hop and path attributes, without NEXT_HOP, MP_REACH_NLRI and MP_UNREACH_NLRI, interned: equal ones are one value
// and compare with ==, at the cost of a pointer each. The zero value is none.
//
//	 0                1
//	+----------------+----------+------------------------------------------------+
//	| next hop length| next hop | path attributes, in the order they came in     |
//	+----------------+----------+------------------------------------------------+
type Attributes struct{ handle unique.Handle[string] }

// Change is a route that is announced with its attributes or, where they are zero, withdrawn. It owns its octets.
type Change struct {
	Family     Family
	NLRI       string
	Attributes Attributes
}

// Withdrawal reports whether the route is withdrawn.
func (c *Change) Withdrawal() bool { return c.Attributes == Attributes{} }

// ParseUpdate reads an UPDATE of our own GoBGP: its structure is checked, and its attributes are left as they are. An error is a *Error.
func ParseUpdate(msg []byte) (Update, error) { panic("in the next commit") }

// Changes is the update as changes that own their octets: first what is withdrawn, then what is announced (RFC 4271 §4.3 wants the announcement to
// win where an UPDATE has both).
func (u *Update) Changes() []Change { panic("in the next commit") }

// AppendEndOfRIB appends the End-of-RIB marker of a family (RFC 4724 §2).
func AppendEndOfRIB(b []byte, f Family) []byte { panic("in the next commit") }

// Pack writes changes as UPDATEs, with as many NLRIs in each as have equal attributes and as MaxLength allows. Of several changes of one route the last
// one counts. Announcements come before withdrawals, so that a route that is replaced by another one is never missing in between; else the order is kept.
// It writes what is there, and waits for nothing. To a session without four-octet AS numbers AS_PATH and AGGREGATOR are written in two (RFC 6793 §4.2.2).
// A route that does not fit into a message by itself is left out and returned in unsent.
func Pack(changes []Change, s Session) (msgs [][]byte, unsent []Change) { panic("in the next commit") }
