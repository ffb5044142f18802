package evpn

import (
	"encoding/binary"
	"fmt"
)

// RouteDistinguisher is the eight octets of an RD (RFC 4364 §4.2).
//
//	 0               2                               6               8
//	+---------------+-------------------------------+---------------+
//	| type 16 (= 1) | administrator 32: a router-id | number 16     |
//	+---------------+-------------------------------+---------------+
type RouteDistinguisher [8]byte

// Numbers of RDs with a fixed meaning (SPEC §1, §2).
const (
	BeaconRD    uint16 = 0     // TES: its beacon; NVE: reply beacon, and responses for an unknown VN
	UnknownVNRD uint16 = 0     // NVE: responses where the VN is unknown
	DryRunRD    uint16 = 65535 // either: dry runs
)

// NewRD is the type 1 RD `id:number`.
func NewRD(id RouterID, number uint16) RouteDistinguisher {
	rd := RouteDistinguisher{1: adminIPv4}
	binary.BigEndian.PutUint32(rd[2:6], uint32(id))
	binary.BigEndian.PutUint16(rd[6:], number)
	return rd
}

// ParseRD reads "AS:number" (type 0, or type 2 where the AS is above 65535 or dotted), "a.b.c.d:number" (type 1), or the eight octets as 0x
// and 16 digits.
func ParseRD(s string) (RouteDistinguisher, error) {
	if v, ok := parseHex(s); ok {
		return v, nil
	}
	layout, v, ok := parseAdmin(s)
	if !ok {
		return RouteDistinguisher{}, fmt.Errorf("route distinguisher %q: not like 192.0.2.1:1 or 65000:1", s)
	}
	rd := RouteDistinguisher{1: layout}
	copy(rd[2:], v[:])
	return rd, nil
}

// Split returns the administrator and number of a type 1 RD; ok is false for another type.
func (rd RouteDistinguisher) Split() (id RouterID, number uint16, ok bool) {
	if rd[0] != 0 || rd[1] != adminIPv4 {
		return 0, 0, false
	}
	return RouterID(binary.BigEndian.Uint32(rd[2:6])), binary.BigEndian.Uint16(rd[6:]), true
}

// String is the text that ParseRD reads back to the same octets; a type that is not known is in hexadecimal digits.
func (rd RouteDistinguisher) String() string {
	if rd[0] == 0 {
		if s, ok := formatAdmin(rd[1], [6]byte(rd[2:])); ok {
			return s
		}
	}
	return formatHex(rd)
}

// MarshalText is the text of String.
func (rd RouteDistinguisher) MarshalText() ([]byte, error) { return []byte(rd.String()), nil }

// UnmarshalText reads what ParseRD does.
func (rd *RouteDistinguisher) UnmarshalText(text []byte) (err error) {
	*rd, err = ParseRD(string(text))
	return err
}
