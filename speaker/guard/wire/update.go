package wire

import (
	"encoding/binary"
	"fmt"
)

// NLRI is one route's NLRI in its wire form: for EVPN route type, length and fields (RFC 7432 §7), for others the length in bits and the prefix.
type NLRI struct {
	Family  Family
	NextHop []byte // of one that is announced: 4 or 16 octets; for EVPN a VTEP
	Octets  []byte
}

// Update is what one UPDATE says, or what is left of it after a Filter. It points into the message and, from a Filter, into the Filter, until its
// next message; Changes makes copies.
type Update struct {
	Withdrawn  []NLRI
	Announced  []NLRI
	Attributes []byte // of Announced, as on the wire, without NEXT_HOP, MP_REACH_NLRI and MP_UNREACH_NLRI
	EndOfRIB   Family // 0: it is none
}

// Attributes are a route's next hop and path attributes, without NEXT_HOP, MP_REACH_NLRI and MP_UNREACH_NLRI. Equal ones compare with ==, and are mostly
// one piece of memory (share.go). The zero value is none.
//
//	 0                1
//	+----------------+----------+------------------------------------------------+
//	| next hop length| next hop | path attributes, in the order they came in     |
//	+----------------+----------+------------------------------------------------+
type Attributes struct{ octets string }

// NewAttributes joins a next hop of at most 255 octets and path attributes.
func NewAttributes(nextHop, attributes []byte) Attributes {
	b := append([]byte{byte(len(nextHop))}, nextHop...)
	return Attributes{attributesSeen.share(append(b, attributes...))}
}

// NextHop is the octets of the next hop.
func (a Attributes) NextHop() string { return a.octets[1 : 1+a.octets[0]] }

// Octets is the path attributes.
func (a Attributes) Octets() string { return a.octets[1+a.octets[0]:] }

// Change is a route that is announced with its attributes or, where they are zero, withdrawn. It owns its octets.
type Change struct {
	Family     Family
	NLRI       string
	Attributes Attributes
}

// Withdrawal reports whether the route is withdrawn.
func (c *Change) Withdrawal() bool { return c.Attributes == Attributes{} }

// Changes is the update as changes that own their octets: first what is withdrawn, then what is announced, which wins where an UPDATE has both
// (RFC 4271 §4.3).
func (u *Update) Changes() []Change {
	if len(u.Withdrawn)+len(u.Announced) == 0 {
		return nil
	}
	return u.AppendChanges(make([]Change, 0, len(u.Withdrawn)+len(u.Announced)))
}

// AppendChanges appends Changes.
func (u *Update) AppendChanges(changes []Change) []Change {
	for _, n := range u.Withdrawn {
		changes = append(changes, Change{Family: n.Family, NLRI: string(n.Octets)})
	}
	var attributes Attributes
	for i, n := range u.Announced {
		if i == 0 || string(n.NextHop) != string(u.Announced[i-1].NextHop) {
			var scratch [512]byte
			b := append(append(scratch[:0], byte(len(n.NextHop))), n.NextHop...)
			attributes = Attributes{attributesSeen.share(append(b, u.Attributes...))}
		}
		changes = append(changes, Change{n.Family, string(n.Octets), attributes})
	}
	return changes
}

// layout is where the parts of an UPDATE begin (RFC 4271 §4.3).
//
//	 19           21                       +2
//	+------------+------------------+-----------+------------------+-------+
//	| length 16  | withdrawn routes | length 16 | path attributes  | NLRI  |
//	+------------+------------------+-----------+------------------+-------+
type layout struct{ withdrawn, withdrawnEnd, attributes, nlri int }

func layoutOf(msg []byte) (l layout, err *Error) {
	l.withdrawn = HeaderLength + 2
	l.withdrawnEnd = l.withdrawn + int(binary.BigEndian.Uint16(msg[HeaderLength:]))
	l.attributes = l.withdrawnEnd + 2
	if l.attributes > len(msg) {
		return l, listError(msg, HeaderLength, 2, "withdrawn routes length of %d octets in an UPDATE of %d", l.withdrawnEnd-l.withdrawn, len(msg))
	}
	size := int(binary.BigEndian.Uint16(msg[l.withdrawnEnd:]))
	if l.nlri = l.attributes + size; l.nlri > len(msg) {
		return l, listError(msg, l.withdrawnEnd, 2, "total path attribute length of %d octets, %d are left", size, len(msg)-l.attributes)
	}
	return l, nil
}

// listError is a malformed attribute list (RFC 4271 §6.3).
func listError(msg []byte, at, size int, format string, args ...any) *Error {
	return &Error{
		Code: UpdateError, Subcode: UpdateMalformedList, Offset: at, Octets: keep(msg[at:min(len(msg), at+size)]),
		Text: "UPDATE: " + fmt.Sprintf(format, args...),
	}
}

// ParseUpdate reads an UPDATE of our own GoBGP: its structure is checked, and its attributes are left as they are. An error is a *Error.
func ParseUpdate(msg []byte) (*Update, error) { return new(Reader).Update(msg) }

// Reader is ParseUpdate for who reads one after the other, and uses its memory again. The zero value is ready; it is not safe for concurrent use.
type Reader struct {
	Bare bool // attributes that depend on the peer need not be there: ORIGIN, AS_PATH

	filter Filter
}

// Update is what the UPDATE says; it is valid until the next one.
func (r *Reader) Update(msg []byte) (*Update, error) {
	f := &r.filter
	f.trusted, f.bare, f.session = true, r.Bare, Session{FourOctetAS: true, Internal: true}
	f.start(msg)
	if err := f.judge(); err != nil {
		return nil, err
	}
	if f.invalid != nil {
		return nil, f.invalid
	}
	f.writeAttributes()
	return &f.verdict.Update, nil
}

// AppendEndOfRIB appends the End-of-RIB marker of a family (RFC 4724 §2).
func AppendEndOfRIB(b []byte, f Family) []byte {
	b, start := begin(b, TypeUpdate)
	if f == IPv4Unicast {
		return finish(append(b, 0, 0, 0, 0), start)
	}
	b = append(b, 0, 0, 0, 6, optionalNonTransitive, attrMPUnreach, 3)
	return finish(f.append(b), start)
}
