package evpn

import (
	"encoding/hex"
	"fmt"
)

// VMID is a VM's identity, 16 octets (§3.3.1). The zero value is none.
type VMID [16]byte

// ParseVMID reads a UUID, with its four dashes or without any, in any case, and refuses the all-zero one.
func ParseVMID(s string) (VMID, error) {
	v, err := scanVMID(s)
	if err == nil && v.IsZero() {
		return VMID{}, fmt.Errorf("VMID %q: all zero; a VM's is not", s)
	}
	return v, err
}

// IsZero reports whether the VMID is none.
func (v VMID) IsZero() bool { return v == VMID{} }

// String is the UUID in lower case, with dashes.
func (v VMID) String() string {
	b, _ := v.AppendText(make([]byte, 0, 36))
	return string(b)
}

// AppendText appends what String returns.
func (v VMID) AppendText(b []byte) ([]byte, error) {
	from := 0
	for _, to := range [...]int{4, 6, 8, 10, 16} {
		if from > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, v[from:to])
		from = to
	}
	return b, nil
}

// MarshalText is the text of String.
func (v VMID) MarshalText() ([]byte, error) { return v.AppendText(make([]byte, 0, 36)) }

// UnmarshalText reads any UUID, also the all-zero one.
func (v *VMID) UnmarshalText(text []byte) (err error) {
	*v, err = scanVMID(string(text))
	return err
}

func scanVMID(s string) (VMID, error) {
	digits := s
	if len(s) == 36 && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-' {
		digits = s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	}
	var v VMID
	if len(digits) == 2*len(v) {
		if _, err := hex.Decode(v[:], []byte(digits)); err == nil {
			return v, nil
		}
	}
	return VMID{}, fmt.Errorf("VMID %q: not a UUID like 7b0c2f6e-5a4d-4c1e-9f3a-2d8e6b1a0c55", s)
}
