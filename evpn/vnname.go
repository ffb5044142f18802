package evpn

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// VNName is VN-NAME: the first 96 bits of SHA-256 of the VN Name.
//
//	VN-NAME-a | octets 0-5  |
//	VN-NAME-b | octets 6-11 |
type VNName [12]byte

// HashVNName is the VNName of a VN Name.
func HashVNName(name string) VNName {
	sum := sha256.Sum256([]byte(name))
	return VNName(sum[:12])
}

// String is the twelve octets in hexadecimal digits; the name itself cannot be had back.
func (n VNName) String() string { return hex.EncodeToString(n[:]) }

// MarshalText is the text of String.
func (n VNName) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (n *VNName) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != len(n) {
		return fmt.Errorf("VN-NAME %q: not 24 hexadecimal digits", text)
	}
	*n = VNName(b)
	return nil
}

func (n *VNName) append(cs []ExtendedCommunity) []ExtendedCommunity {
	return append(cs, SubtypeVNNameA.community(valueOf(n[0:6])), SubtypeVNNameB.community(valueOf(n[6:12])))
}

func readVNName(a, b value) (n VNName) {
	first, second := a.octets(), b.octets()
	copy(n[0:], first[:])
	copy(n[6:], second[:])
	return n
}
