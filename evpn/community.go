package evpn

import (
	"encoding/hex"
	"fmt"
)

// ExtendedCommunity is the eight octets of an extended community (RFC 4360 §2): type, sub-type, value.
type ExtendedCommunity [8]byte

// MarshalText is the eight octets as 0x and 16 digits.
func (c ExtendedCommunity) MarshalText() ([]byte, error) { return []byte(formatHex(c)), nil }

// UnmarshalText reads what MarshalText writes.
func (c *ExtendedCommunity) UnmarshalText(text []byte) error {
	v, ok := parseHex(string(text))
	if !ok {
		return fmt.Errorf("extended community %q: not 0x and 16 hexadecimal digits", text)
	}
	*c = v
	return nil
}

// LargeCommunity is a large community (RFC 8092).
type LargeCommunity struct{ Global, Data1, Data2 uint32 }

// String is the canonical form of RFC 8092 §5: three decimal numbers, colon-separated.
func (l LargeCommunity) String() string { return fmt.Sprintf("%d:%d:%d", l.Global, l.Data1, l.Data2) }

// EncapsulationVXLAN is the encapsulation extended community for VXLAN, tunnel type 8 (RFC 8365 §11, RFC 9012).
//
//	 0        1        2                 6                8
//	+--------+--------+-----------------+----------------+
//	| 0x03   | 0x0c   | reserved        | tunnel type 16 |
//	+--------+--------+-----------------+----------------+
var EncapsulationVXLAN = ExtendedCommunity{0x03, 0x0c, 0, 0, 0, 0, 0, 8}

// SignallingType is the type octet of our extended communities: transitive, experimental (RFC 7153), even (SPEC §2).
//
//	 0        1           2                                            8
//	+--------+-----------+--------------------------------------------+
//	| 0x88   | sub-type  | value: 48 bits, most significant bit first |
//	+--------+-----------+--------------------------------------------+
const SignallingType = 0x88

// Signalling reports whether the community is of type 0x88.
func (c ExtendedCommunity) Signalling() bool { return c[0] == SignallingType }

// Subtype is the sub-type of a community of type 0x88.
type Subtype uint8

// The sub-types of SPEC §2.
const (
	SubtypeOp          Subtype = 0x01
	SubtypeVMIDa       Subtype = 0x02
	SubtypeVMIDb       Subtype = 0x03
	SubtypeVMIDc       Subtype = 0x04
	SubtypePolicy      Subtype = 0x05
	SubtypeResult      Subtype = 0x07
	SubtypeLocalTag    Subtype = 0x08
	SubtypeLease       Subtype = 0x09
	SubtypeEcho        Subtype = 0x0c
	SubtypeVNNameA     Subtype = 0x0e
	SubtypeVNNameB     Subtype = 0x0f
	SubtypeDigest      Subtype = 0x10
	SubtypeEdge        Subtype = 0x11
	SubtypeCredentialA Subtype = 0x14
	SubtypeCredentialB Subtype = 0x15
	SubtypeCredentialC Subtype = 0x16
	SubtypeExpiry      Subtype = 0x17

	// criticalBit of a sub-type that is not known makes the message malformed, else it is ignored.
	criticalBit Subtype = 0x80
)

// value is the six octets of a community of type 0x88 as a number of 48 bits.
type value uint64

const allBits value = 1<<48 - 1

// subtypes holds, by sub-type, the name and the bits that are not reserved. A sub-type without a name is not known.
var subtypes = [...]struct {
	name string
	bits value
}{
	SubtypeOp:          {"OP", allBits &^ (1 << 32)},
	SubtypeVMIDa:       {"VMID-a", allBits},
	SubtypeVMIDb:       {"VMID-b", allBits},
	SubtypeVMIDc:       {"VMID-c", allBits},
	SubtypePolicy:      {"POLICY", allBits &^ 0xff},
	SubtypeResult:      {"RESULT", allBits},
	SubtypeLocalTag:    {"LOCAL-TAG", allBits &^ 0xffff},
	SubtypeLease:       {"LEASE", allBits},
	SubtypeEcho:        {"ECHO", allBits &^ 0xffffffff},
	SubtypeVNNameA:     {"VN-NAME-a", allBits},
	SubtypeVNNameB:     {"VN-NAME-b", allBits},
	SubtypeDigest:      {"DIGEST", allBits},
	SubtypeEdge:        {"EDGE", allBits &^ (0xff << 32)},
	SubtypeCredentialA: {"CREDENTIAL-a", allBits},
	SubtypeCredentialB: {"CREDENTIAL-b", allBits},
	SubtypeCredentialC: {"CREDENTIAL-c", allBits},
	SubtypeExpiry:      {"EXPIRY", allBits &^ 0xffff},
}

// Known reports whether SPEC §2 gives the sub-type a meaning.
func (s Subtype) Known() bool { return int(s) < len(subtypes) && subtypes[s].name != "" }

// String is SPEC's name, or the number.
func (s Subtype) String() string {
	if s.Known() {
		return subtypes[s].name
	}
	return "sub-type 0x" + hex.EncodeToString([]byte{byte(s)})
}

// community is the community of type 0x88 with that value.
func (s Subtype) community(v value) ExtendedCommunity {
	return ExtendedCommunity{SignallingType, byte(s), byte(v >> 40), byte(v >> 32), byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}
}

// split takes a community apart, of whatever type.
func (c ExtendedCommunity) split() (Subtype, value) {
	return Subtype(c[1]), value(c[2])<<40 | value(c[3])<<32 | value(c[4])<<24 | value(c[5])<<16 | value(c[6])<<8 | value(c[7])
}

// octets are the six octets of the value.
func (v value) octets() [6]byte {
	return [6]byte{byte(v >> 40), byte(v >> 32), byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}
}

// valueOf is the value of six octets.
func valueOf(b []byte) value {
	_ = b[5]
	return value(b[0])<<40 | value(b[1])<<32 | value(b[2])<<24 | value(b[3])<<16 | value(b[4])<<8 | value(b[5])
}
