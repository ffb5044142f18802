package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/tns-project/tns/lifecycle/policy"
)

// The kinds of values and the defaults of the file of policies.
var (
	policyType    = number[uint32]("a number", 1, policy.MaxType)
	policyVersion = setting[uint8]{number[uint8]("a number", 0, 255), 0}
	dscp          = number[uint8]("a number", 0, 63)
	pcp           = number[uint8]("a number", 0, 7)
	anyOctet      = number[uint8]("a number", 0, 255)
	noRate        = setting[uint64]{rate(8_000, 1_000_000_000_000), 0}
	burstSize     = size(2<<10, 1<<30)
	ruleAction    = word([]string{"allow", "deny", "count"}, policy.Allow, policy.Deny, policy.Count)
	defaultAction = setting[policy.Action]{word([]string{"allow", "deny"}, policy.Allow, policy.Deny), policy.Allow}
)

// plainName is a name that people read, of a profile, a rule or a tenant.
var plainName = kind[string]{
	"a name of 1 to 64 octets without space, comma or quotation mark",
	func(s string) (string, error) {
		switch {
		case s == "":
			return s, errors.New("empty")
		case len(s) > 64:
			return s, fmt.Errorf("%d octets long", len(s))
		case strings.ContainsAny(s, ",\"\uFFFD") || strings.ContainsFunc(s, notPlain):
			return s, errors.New("holds a comma, a space, a quotation mark or an unprintable character")
		}
		return s, nil
	},
}

// policyID is TYPE or TYPE:VERSION, as tnsctl takes it.
var policyID = kind[policy.ID]{
	"TYPE or TYPE:VERSION of a profile, such as 100 or 100:2",
	func(s string) (id policy.ID, err error) {
		typ, version, versioned := strings.Cut(s, ":")
		if id.Type, err = policyType.parse(typ); err != nil {
			return id, fmt.Errorf("type %q: %w", typ, err)
		}
		if versioned {
			if id.Version, err = policyVersion.parse(version); err != nil {
				return id, fmt.Errorf("version %q: %w", version, err)
			}
		}
		return id, nil
	},
}

// rate is a number of bits a second within bounds, written as a whole number of a unit.
func rate(least, most uint64) kind[uint64] {
	return kind[uint64]{
		fmt.Sprintf("a rate with its unit (kbit, Mbit, Gbit), from %v to %v", policy.Bits(least), policy.Bits(most)),
		func(s string) (uint64, error) {
			for _, unit := range []struct {
				name string
				bits uint64
			}{{"kbit", 1e3}, {"Mbit", 1e6}, {"Gbit", 1e9}} {
				digits, ok := strings.CutSuffix(s, unit.name)
				if !ok {
					continue
				}
				n, err := strconv.ParseUint(digits, 10, 64)
				switch {
				case errors.Is(err, strconv.ErrRange) || err == nil && n > most/unit.bits:
					return 0, fmt.Errorf("above the bound %v", policy.Bits(most))
				case err != nil || len(digits) > 1 && digits[0] == '0':
					return 0, errors.New("not a rate")
				case n*unit.bits < least:
					return 0, fmt.Errorf("below the bound %v", policy.Bits(least))
				}
				return n * unit.bits, nil
			}
			if _, err := strconv.ParseFloat(s, 64); err == nil {
				return 0, errors.New("has no unit")
			}
			return 0, errors.New("not a rate")
		},
	}
}

var macAddress = kind[policy.MAC]{
	"a MAC address such as 02:00:00:00:00:01",
	func(s string) (m policy.MAC, err error) {
		a, err := net.ParseMAC(s)
		if err != nil || len(a) != len(m) {
			return m, errors.New("not a MAC address")
		}
		m = policy.MAC(a)
		if m == (policy.MAC{}) {
			return m, errors.New("the address of nobody")
		}
		return m, nil
	},
}

// anyPrefix is a prefix, or an address, which is that of one host.
var anyPrefix = kind[netip.Prefix]{
	"a prefix such as 10.0.0.0/8 or 2001:db8::/32, or an address",
	func(s string) (netip.Prefix, error) {
		if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
			return netip.PrefixFrom(a, a.BitLen()), nil
		}
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return p, errors.New("neither a prefix nor an address")
		}
		return p, nil
	},
}

var etherType = kind[uint16]{
	"ipv4, arp, ipv6, or a number from 0x0600 to 0xffff",
	func(s string) (uint16, error) {
		if n, ok := policy.EtherTypes[s]; ok {
			return n, nil
		}
		n, err := strconv.ParseUint(s, 0, 16)
		switch {
		case err != nil:
			return 0, errors.New("no EtherType")
		case n < 0x600:
			return 0, errors.New("a length, no EtherType")
		}
		return uint16(n), nil
	},
}

var protocol = kind[uint8]{
	"tcp, udp, sctp, icmp, icmpv6, or a number from 1 to 255",
	func(s string) (uint8, error) {
		if n, ok := policy.Protocols[s]; ok {
			return n, nil
		}
		n, err := number[uint8]("", 1, 255).parse(s)
		if err != nil {
			return 0, errors.New("no protocol")
		}
		return n, nil
	},
}

var portRange = kind[policy.Ports]{
	"a port such as 80, or a range such as 8000-8999, from 1 to 65535",
	func(s string) (p policy.Ports, err error) {
		first, last, ranged := strings.Cut(s, "-")
		if !ranged {
			last = first
		}
		port := number[uint16]("", 1, 65535)
		if p.First, err = port.parse(first); err == nil {
			p.Last, err = port.parse(last)
		}
		switch {
		case err != nil:
			return p, errors.New("neither a port nor a range of ports")
		case p.First > p.Last:
			return p, errors.New("its first port is above the last")
		}
		return p, nil
	},
}
