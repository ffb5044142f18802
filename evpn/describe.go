package evpn

import (
	"encoding/hex"
	"fmt"
	"time"
)

// Describe tells a community of type 0x88 in words, such as "OP associate base null M seq 1700000000"; ok is false for another type. Values
// are told as they are, defined or not; the pieces of VMID, VN-NAME and CREDENTIAL as their octets.
func Describe(c ExtendedCommunity) (text string, ok bool) {
	if !c.Signalling() {
		return "", false
	}
	sub, v := c.split()
	octets := c[2:]
	switch sub {
	case SubtypeOp:
		ver, op, base, flags, sequence := readOp(v)
		text = "OP " + describeOp(op, base, flags, sequence)
		if ver != version {
			text += fmt.Sprintf(" version %d", ver)
		}
		return text, true
	case SubtypeVMIDc:
		return fmt.Sprintf("%v %x route %d of %d", sub, octets[:4], octets[4], octets[5]), true
	case SubtypePolicy:
		p := readPolicy(v)
		return fmt.Sprintf("POLICY %d:%d %s", p.Type, p.Version, formatWords.format(p.Format)), true
	case SubtypeResult:
		return "RESULT " + describeResult(readResult(v)), true
	case SubtypeLocalTag:
		return "LOCAL-TAG " + readLocalTag(v).String(), true
	case SubtypeLease:
		l := readLease(v)
		return fmt.Sprintf("LEASE %d s counter %d", l.Lifetime, l.Counter), true
	case SubtypeEcho:
		e, result := readEcho(v)
		return fmt.Sprintf("ECHO change %d %s", e.Change, echoWords.format(result)), true
	case SubtypeDigest:
		d := readDigest(v)
		return fmt.Sprintf("DIGEST %d live crc %08x", d.Live, d.CRC), true
	case SubtypeEdge:
		e, _ := DecodeEdge([]ExtendedCommunity{c})
		if e.Express {
			return fmt.Sprintf("EDGE %v express", e.Addr()), true
		}
		return fmt.Sprintf("EDGE %v", e.Addr()), true
	case SubtypeCredentialA:
		return fmt.Sprintf("%v key %d %x", sub, uint16(v>>32), octets[2:]), true
	case SubtypeExpiry:
		return "EXPIRY " + time.Unix(int64(readExpiry(v)), 0).UTC().Format(time.RFC3339), true
	}
	return sub.String() + " " + hex.EncodeToString(octets), true
}

var (
	formatWords = words{"format", []string{FormatIPv4: "IPv4", FormatIPv6: "IPv6", FormatMAC: "MAC", FormatLocal: "local", FormatUUID: "UUID"}}
	echoWords   = words{"result", []string{"applied", "failed"}}
)

// String tells the community in words where they are known: type 0x88 as Describe does, route targets, encapsulation and MAC mobility; anything
// else as 0x and 16 digits.
func (c ExtendedCommunity) String() string {
	if text, ok := Describe(c); ok {
		return text
	}
	if rt, ok := c.RouteTarget(); ok {
		return "RT " + rt.String()
	}
	if m, ok := c.MACMobility(); ok {
		if m.Sticky {
			return fmt.Sprintf("mobility %d sticky", m.Sequence)
		}
		return fmt.Sprintf("mobility %d", m.Sequence)
	}
	if c == EncapsulationVXLAN {
		return "encapsulation VXLAN"
	}
	return formatHex(c)
}

// String is the tag for people: "untagged" or "802.1Q vid 100 pcp 3", then the change number.
func (t LocalTag) String() string {
	var s string
	switch t.Type {
	case TagNone:
		s = "untagged"
	case TagDot1Q:
		s = fmt.Sprintf("802.1Q vid %d pcp %d", t.VID, t.PCP)
	default:
		s = fmt.Sprintf("type %d vid %d pcp %d", t.Type, t.VID, t.PCP)
	}
	if t.PS {
		s += " ps"
	}
	return fmt.Sprintf("%s change %d", s, t.Change)
}

func describeOp(op Op, base State, flags Flags, sequence uint32) string {
	s := fmt.Sprintf("%v base %v", op, base)
	if flags != 0 {
		s += " " + flags.String()
	}
	return fmt.Sprintf("%s seq %d", s, sequence)
}

func describeResult(status Status, state State, reason Reason, sequence uint32) string {
	s := fmt.Sprintf("%v state %v", status, state)
	if reason != ReasonNone {
		s += fmt.Sprintf(" reason %d (%v)", uint8(reason), reason)
	}
	return fmt.Sprintf("%s seq %d", s, sequence)
}
