package evpn

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Bounds of a credential key, in octets: at least as many as HMAC-SHA-256 has use for (RFC 2104 §3).
const (
	minCredentialKey = 32
	maxCredentialKey = 128
)

// CredentialKey is a key that the VM manager and the NVE share and the hypervisor has not (SPEC §2, Credential). However it is printed, it does not show.
type CredentialKey struct{ octets []byte }

// ParseCredentialKey reads a key from a file's text: 32 to 128 octets as hexadecimal digits, in as many lines as they like. No error shows them.
func ParseCredentialKey(text string) (CredentialKey, error) {
	digits := strings.Join(strings.Fields(text), "")
	octets, err := hex.DecodeString(digits)
	switch {
	case digits == "":
		return CredentialKey{}, errors.New("empty")
	case err != nil:
		return CredentialKey{}, errors.New("not hexadecimal digits, two an octet")
	case len(octets) < minCredentialKey || len(octets) > maxCredentialKey:
		return CredentialKey{}, fmt.Errorf("%d octets long, want %d to %d", len(octets), minCredentialKey, maxCredentialKey)
	}
	return CredentialKey{octets}, nil
}

// Equal reports whether both are the same key.
func (k CredentialKey) Equal(l CredentialKey) bool { return string(k.octets) == string(l.octets) }

// hidden is shown instead of a key.
const hidden = "(credential key)"

// String hides the key.
func (k CredentialKey) String() string { return hidden }

// Format hides it from every verb of fmt.
func (k CredentialKey) Format(f fmt.State, _ rune) { f.Write([]byte(hidden)) }

// MarshalText hides it from JSON and the like.
func (k CredentialKey) MarshalText() ([]byte, error) { return []byte(hidden), nil }
