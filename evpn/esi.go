package evpn

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// ESI is an Ethernet segment identifier (RFC 7432 §5); the zero value is a single-homed one.
type ESI [10]byte

// ParseESI reads ten colon-separated octets.
func ParseESI(s string) (ESI, error) {
	var e ESI
	octets := strings.Split(s, ":")
	if len(octets) != len(e) {
		return ESI{}, fmt.Errorf("ESI %q: not ten octets like 00:01:02:03:04:05:06:07:08:09", s)
	}
	for i, o := range octets {
		if n, err := hex.Decode(e[i:i+1], []byte(o)[:min(len(o), 2)]); err != nil || n != 1 || len(o) != 2 {
			return ESI{}, fmt.Errorf("ESI %q: octet %q is not two hexadecimal digits", s, o)
		}
	}
	return e, nil
}

// String is the ten octets in lower case, colon-separated.
func (e ESI) String() string { return string(appendOctets(make([]byte, 0, 29), e[:])) }

// MarshalText is the text of String.
func (e ESI) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// UnmarshalText reads what ParseESI does.
func (e *ESI) UnmarshalText(text []byte) (err error) {
	*e, err = ParseESI(string(text))
	return err
}
