package main

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/tns-project/tns/evpn"
)

// The names of the specification, by their numbers on the wire.
var (
	wireOps      = []string{0: "op 0", 1: "PRE-ASSOCIATE", 2: "ASSOCIATE", 3: "SUSPEND", 4: "RESUME", 5: "EMIGRATE", 6: "TERMINATE"}
	wireStates   = []string{"Null", "Pre-associated", "Associated", "Suspended", "Emigrating", "Terminated"}
	wireStatuses = []string{"SUCCESS", "FAIL", "FAIL, previous association kept", "PENDING"}
	wireFormats  = []string{1: "IPv4", 2: "IPv6", 3: "MAC", 4: "local", 5: "UUID"}
	wireTags     = []string{"untagged", "802.1Q"}
	wireResults  = []string{"applied", "failed"}
)

// wireWord is a name, or the number where there is none.
func wireWord[N ~uint8 | ~uint32](names []string, n N) string {
	if uint64(n) < uint64(len(names)) && names[n] != "" {
		return names[n]
	}
	return fmt.Sprintf("unknown %d", n)
}

// describers print the value of each sub-type: the six octets after type and sub-type (SPEC §2).
var describers = map[byte]struct {
	name string
	text func(v []byte) string
}{
	0x01: {"OP", describeOp},
	0x02: {"VMID-a", func(v []byte) string { return "octets 0-5 " + hex.EncodeToString(v) }},
	0x03: {"VMID-b", func(v []byte) string { return "octets 6-11 " + hex.EncodeToString(v) }},
	0x04: {"VMID-c", func(v []byte) string {
		return fmt.Sprintf("octets 12-15 %x, route %d of %d", v[:4], v[4], v[5])
	}},
	0x05: {"POLICY", func(v []byte) string {
		return fmt.Sprintf("profile %d version %d, VMID format %s", uint32(v[0])<<16|uint32(v[1])<<8|uint32(v[2]), v[3], wireWord(wireFormats, v[4]))
	}},
	0x07: {"RESULT", describeResult},
	0x08: {"LOCAL-TAG", describeTag},
	0x09: {"LEASE", func(v []byte) string {
		return fmt.Sprintf("lifetime %s, counter %d", time.Duration(binary.BigEndian.Uint16(v))*time.Second, binary.BigEndian.Uint32(v[2:]))
	}},
	0x0c: {"ECHO", func(v []byte) string { return fmt.Sprintf("change %d %s", v[0], wireWord(wireResults, v[1])) }},
	0x0e: {"VN-NAME", func(v []byte) string { return "hash, octets 0-5 " + hex.EncodeToString(v) }},
	0x0f: {"VN-NAME", func(v []byte) string { return "hash, octets 6-11 " + hex.EncodeToString(v) }},
	0x10: {"DIGEST", func(v []byte) string {
		return fmt.Sprintf("%d live requests, CRC-32C %x", binary.BigEndian.Uint16(v), v[2:])
	}},
	0x11: {"EDGE", func(v []byte) string {
		return fmt.Sprintf("flags %#x, session address %d.%d.%d.%d", v[0], v[2], v[3], v[4], v[5])
	}},
	0x14: {"CREDENTIAL", func(v []byte) string {
		return fmt.Sprintf("key %d, tag octets 0-3 %x", binary.BigEndian.Uint16(v), v[2:])
	}},
	0x15: {"CREDENTIAL", func(v []byte) string { return "tag octets 4-9 " + hex.EncodeToString(v) }},
	0x16: {"CREDENTIAL", func(v []byte) string { return "tag octets 10-15 " + hex.EncodeToString(v) }},
	0x17: {"EXPIRY", func(v []byte) string {
		return time.Unix(int64(binary.BigEndian.Uint32(v)), 0).UTC().Format(time.RFC3339)
	}},
}

// describe is a community in words, well formed or not.
func describe(c evpn.ExtendedCommunity) decodedPart {
	p := decodedPart{Octets: hex.EncodeToString(c[:])}
	if c[0] != signallingType {
		p.Name, p.Text = fmt.Sprintf("type 0x%02x", c[0]), "not a community of ours"
		return p
	}
	if d, ok := describers[c[1]]; ok {
		p.Name, p.Text = d.name, d.text(c[2:])
		return p
	}
	p.Name, p.Text = fmt.Sprintf("sub-type 0x%02x", c[1]), "unknown, to be ignored"
	if c[1]&0x80 != 0 {
		p.Text = "unknown, to be refused"
	}
	return p
}

func describeOp(v []byte) string {
	s := wireWord(wireOps, v[0]&0xf)
	if version := v[0] >> 4; version != 1 {
		s = fmt.Sprintf("version %d, %s", version, s)
	}
	flags := []string{}
	for _, f := range []struct {
		bit  byte
		name string
	}{{8, "M"}, {4, "K"}, {2, "D"}, {1, "reserved"}} {
		if v[1]&f.bit != 0 {
			flags = append(flags, f.name)
		}
	}
	s += " from " + wireWord(wireStates, v[1]>>4)
	if len(flags) > 0 {
		s += ", flags " + strings.Join(flags, " ")
	}
	return fmt.Sprintf("%s, sequence %d", s, binary.BigEndian.Uint32(v[2:]))
}

func describeResult(v []byte) string {
	return fmt.Sprintf("%s, state %s%s, acknowledged sequence %d",
		wireWord(wireStatuses, v[0]>>4), wireWord(wireStates, v[0]&0xf), describeReason(v[1]), binary.BigEndian.Uint32(v[2:]))
}

func describeReason(n byte) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", reason %d %s", n, evpn.Reason(n))
}

func describeTag(v []byte) string {
	s := wireWord(wireTags, v[0])
	if v[0] != 0 {
		tci := binary.BigEndian.Uint16(v[1:])
		s += fmt.Sprintf(" vid %d pcp %d ps %d", tci&0xfff, tci>>12&7, tci>>15)
	}
	return fmt.Sprintf("%s, change %d", s, v[3])
}

// describeMirror is a large community in words if it is a mirror (SPEC §2).
func describeMirror(l evpn.LargeCommunity) (decodedPart, bool) {
	p := decodedPart{Octets: fmt.Sprintf("%d:%d:%d", l.Global, l.Data1, l.Data2), Name: "mirror"}
	switch n := l.Data1 % 100000; l.Data1 / 100000 {
	case 1:
		m := ""
		if n%10 == 1 {
			m = ", flags M"
		}
		p.Text = fmt.Sprintf("request %s from %s%s, sequence %d", wireWord(wireOps, n/10%100), wireWord(wireStates, n/1000), m, l.Data2)
	case 2:
		p.Text = fmt.Sprintf("response %s, state %s%s, acknowledged sequence %d",
			wireWord(wireStatuses, n/100%10), wireWord(wireStates, n/1000), describeReason(byte(n%100)), l.Data2)
	default:
		return decodedPart{}, false
	}
	return p, true
}
