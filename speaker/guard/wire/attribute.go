package wire

import (
	"encoding/binary"
	"fmt"
)

// Attribute flags (RFC 4271 §4.3); the lower four bits are unused and ignored.
const (
	flagOptional   = 0x80
	flagTransitive = 0x40
	flagPartial    = 0x20
	flagExtended   = 0x10 // length of two octets
)

// Flags that an attribute must have, as to optional and transitive.
const (
	wellKnown             = flagTransitive
	optionalTransitive    = flagOptional | flagTransitive
	optionalNonTransitive = flagOptional
)

// Path attributes that are known here.
const (
	attrOrigin          = 1
	attrASPath          = 2
	attrNextHop         = 3
	attrMED             = 4
	attrLocalPref       = 5
	attrAtomicAggregate = 6
	attrAggregator      = 7
	attrCommunities     = 8
	attrOriginatorID    = 9
	attrClusterList     = 10
	attrMPReach         = 14
	attrMPUnreach       = 15
	attrExtended        = 16
	attrAS4Path         = 17
	attrAS4Aggregator   = 18
	attrPMSITunnel      = 22
	attrTunnelEncap     = 23
	attrIPv6Extended    = 25
	attrAIGP            = 26
	attrLinkState       = 29
	attrLarge           = 32
	attrPrefixSID       = 40
)

// attribute is one path attribute, as offsets into the message.
//
//	start                             value      end
//	+----------+---------+-----------+----------+
//	| flags 8  | type 8  | length 8  | value    |    length 16 with flagExtended
//	+----------+---------+-----------+----------+
type attribute struct {
	flags, typ        byte
	start, value, end int
}

func (a *attribute) name() string {
	if rules[a.typ].name != "" {
		return rules[a.typ].name
	}
	return fmt.Sprintf("attribute %d", a.typ)
}

// splitAttributes appends the attributes of msg[from:to] to list. Where the last one does not fit (RFC 7606 §4), ok is false and cut is what there is of
// it: its offset, and its type unless that is cut off too.
func splitAttributes(list []attribute, msg []byte, from, to int) (_ []attribute, cut attribute, ok bool) {
	for at := from; at < to; {
		a := attribute{start: at, value: at + 3, end: to}
		if to-at >= 2 {
			a.flags, a.typ = msg[at], msg[at+1]
		}
		extended := a.flags&flagExtended != 0
		if extended {
			a.value++
		}
		if a.value > to {
			return list, a, false
		}
		length := int(msg[at+2])
		if extended {
			length = int(binary.BigEndian.Uint16(msg[at+2:]))
		}
		if a.value+length > to {
			return list, a, false
		}
		a.end = a.value + length
		list = append(list, a)
		at = a.end
	}
	return list, attribute{}, true
}

// appendAttribute appends an attribute in the one form that there is for it: unused flags and those that it must not have are clear, and the length has
// two octets only where it needs them.
func appendAttribute(b []byte, flags, typ byte, value []byte) []byte {
	return append(appendAttributeHeader(b, flags, typ, len(value)), value...)
}

func appendAttributeHeader(b []byte, flags, typ byte, length int) []byte {
	flags = plainFlags(flags)
	if length > 255 {
		return append(b, flags|flagExtended, typ, byte(length>>8), byte(length))
	}
	return append(b, flags, typ, byte(length))
}

// plainFlags are the flags that mean something: partial does on optional transitive attributes only (RFC 4271 §4.3).
func plainFlags(flags byte) byte {
	if flags&optionalTransitive != optionalTransitive {
		flags &^= flagPartial
	}
	return flags & (flagOptional | flagTransitive | flagPartial)
}
