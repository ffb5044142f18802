package evpn

import (
	"encoding/hex"
	"fmt"
	"net"
)

// MAC is an Ethernet address, as on the wire.
type MAC [6]byte

// ParseMAC reads six colon- or dash-separated octets and refuses group (multicast) and all-zero addresses.
func ParseMAC(s string) (MAC, error) {
	m, err := readMAC(s)
	if err != nil {
		return MAC{}, err
	}
	if err := m.Check(); err != nil {
		return MAC{}, err
	}
	return m, nil
}

// Check tells why a VM cannot have the address: it is a group address, or all zero.
func (m MAC) Check() error {
	switch {
	case m.IsZero():
		return fmt.Errorf("MAC %s: all zero; a VM's address is not", m)
	case m.IsGroup():
		return fmt.Errorf("MAC %s: a group (multicast) address; a VM's has an even first octet", m)
	}
	return nil
}

// IsGroup reports whether the group (multicast) bit is set.
func (m MAC) IsGroup() bool { return m[0]&1 == 1 }

// IsZero reports whether all octets are zero, as in the key of a type 3 route.
func (m MAC) IsZero() bool { return m == MAC{} }

// String is the six octets in lower case, colon-separated.
func (m MAC) String() string {
	b, _ := m.AppendText(make([]byte, 0, 17))
	return string(b)
}

// AppendText appends what String returns.
func (m MAC) AppendText(b []byte) ([]byte, error) { return appendOctets(b, m[:]), nil }

// MarshalText is the text of String.
func (m MAC) MarshalText() ([]byte, error) { return m.AppendText(make([]byte, 0, 17)) }

// UnmarshalText reads any address, also those that ParseMAC refuses.
func (m *MAC) UnmarshalText(text []byte) (err error) {
	*m, err = readMAC(string(text))
	return err
}

func readMAC(s string) (MAC, error) {
	hw, err := net.ParseMAC(s)
	if err != nil || len(hw) != len(MAC{}) || s[2] != ':' && s[2] != '-' {
		return MAC{}, fmt.Errorf("MAC %q: not six octets like 02:00:00:00:00:01", s)
	}
	return MAC(hw), nil
}

// appendOctets appends octets in lower case, colon-separated.
func appendOctets(b, octets []byte) []byte {
	for i := range octets {
		if i > 0 {
			b = append(b, ':')
		}
		b = hex.AppendEncode(b, octets[i:i+1])
	}
	return b
}
