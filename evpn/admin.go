package evpn

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Route targets and route distinguishers share three layouts of six octets (RFC 4360 §3.1, §3.2, RFC 5668, RFC 4364 §4.2). The type says which:
//
//	0  | AS 16             | number 32                 |   65000:10100
//	1  | IPv4 address 32               | number 16     |   192.0.2.1:100
//	2  | AS 32                         | number 16     |   4200000000:100, or 0.65000:100 when the AS would fit 16 bits
const (
	adminAS2  = 0
	adminIPv4 = 1
	adminAS4  = 2
)

// formatAdmin is the text of six octets in that layout; ok is false for a layout that is not known.
func formatAdmin(layout byte, v [6]byte) (s string, ok bool) {
	switch layout {
	case adminAS2:
		return fmt.Sprintf("%d:%d", binary.BigEndian.Uint16(v[:2]), binary.BigEndian.Uint32(v[2:])), true
	case adminIPv4:
		return fmt.Sprintf("%s:%d", netip.AddrFrom4([4]byte(v[:4])), binary.BigEndian.Uint16(v[4:])), true
	case adminAS4:
		as, n := binary.BigEndian.Uint32(v[:4]), binary.BigEndian.Uint16(v[4:])
		if as>>16 == 0 {
			return fmt.Sprintf("0.%d:%d", as, n), true // RFC 5396 asdot+, so that it is not taken for layout 0
		}
		return fmt.Sprintf("%d:%d", as, n), true
	}
	return "", false
}

// parseAdmin reads what formatAdmin writes, and an AS above 65535 as asdot too.
func parseAdmin(s string) (layout byte, v [6]byte, ok bool) {
	admin, number, ok := strings.Cut(s, ":")
	if !ok {
		return 0, v, false
	}
	n, err := strconv.ParseUint(number, 10, 32)
	if err != nil {
		return 0, v, false
	}
	if as, err := strconv.ParseUint(admin, 10, 16); err == nil {
		binary.BigEndian.PutUint16(v[:2], uint16(as))
		binary.BigEndian.PutUint32(v[2:], uint32(n))
		return adminAS2, v, true
	}
	if n > 1<<16-1 {
		return 0, v, false
	}
	binary.BigEndian.PutUint16(v[4:], uint16(n))
	if a, err := netip.ParseAddr(admin); err == nil && a.Is4() {
		quad := a.As4()
		copy(v[:4], quad[:])
		return adminIPv4, v, true
	}
	as, ok := parseAS4(admin)
	binary.BigEndian.PutUint32(v[:4], as)
	return adminAS4, v, ok
}

// parseAS4 reads an AS number of four octets, as one number or as asdot (RFC 5396).
func parseAS4(s string) (as uint32, ok bool) {
	if high, low, dotted := strings.Cut(s, "."); dotted {
		h, errH := strconv.ParseUint(high, 10, 16)
		l, errL := strconv.ParseUint(low, 10, 16)
		return uint32(h<<16 | l), errH == nil && errL == nil
	}
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err == nil
}

// formatHex is the text of eight octets for which there is no better one: 0x and 16 digits.
func formatHex(v [8]byte) string { return "0x" + hex.EncodeToString(v[:]) }

// parseHex reads what formatHex writes.
func parseHex(s string) (v [8]byte, ok bool) {
	digits, ok := strings.CutPrefix(s, "0x")
	if !ok || len(digits) != 16 {
		return v, false
	}
	_, err := hex.Decode(v[:], []byte(digits))
	return v, err == nil
}
