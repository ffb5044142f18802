package policy

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// EtherTypes of IP.
const (
	IPv4 uint16 = 0x0800
	ARP  uint16 = 0x0806
	IPv6 uint16 = 0x86dd
)

// Protocols of IP that ports or types belong to.
const (
	ICMP   uint8 = 1
	TCP    uint8 = 6
	UDP    uint8 = 17
	ICMPv6 uint8 = 58
	SCTP   uint8 = 132
)

// Octet is a number that may be left out.
type Octet struct {
	Set   bool
	Value uint8
}

// Just is the number n.
func Just(n uint8) Octet { return Octet{true, n} }

// Ports is a range of ports, both ends included; zero is any port, and what has none.
type Ports struct{ First, Last uint16 }

// MAC is an Ethernet address; zero is any.
type MAC [6]byte

// Match is which frames a rule is about: those that fit all that is given. What is zero is not looked at. It is comparable.
type Match struct {
	SourceMAC, DestinationMAC     MAC
	EtherType                     uint16
	Source, Destination           netip.Prefix // of one family, which is the frame's then
	Protocol                      Octet        // of IPv4, or of IPv6 behind its extension headers; not 0
	SourcePorts, DestinationPorts Ports        // of TCP, UDP or SCTP
	ICMPType, ICMPCode            Octet        // of ICMP or ICMPv6
}

// Check tells what keeps any frame from fitting, or makes the match one that cannot be put into force; nil if nothing does.
func (m Match) Check() error {
	ports := m.SourcePorts != Ports{} || m.DestinationPorts != Ports{}
	for _, p := range []netip.Prefix{m.Source, m.Destination} {
		switch {
		case p == netip.Prefix{}:
		case p != p.Masked():
			return fmt.Errorf("%s has bits set after the first %d, as %s has not", p, p.Bits(), p.Masked())
		case p.Addr().Is4In6():
			return fmt.Errorf("%s is an IPv4 address written as IPv6", p)
		}
	}
	for _, p := range []Ports{m.SourcePorts, m.DestinationPorts} {
		if (p != Ports{}) && (p.First == 0 || p.First > p.Last) {
			return fmt.Errorf("%d-%d is no range of ports", p.First, p.Last)
		}
	}
	switch {
	case m.Source.IsValid() && m.Destination.IsValid() && m.Source.Addr().Is4() != m.Destination.Addr().Is4():
		return fmt.Errorf("%s and %s are of two families", m.Source, m.Destination)
	case m.Protocol == Just(0):
		return errors.New("protocol 0 is that of no packet")
	case m.SourceMAC[0]&1 != 0:
		return fmt.Errorf("source MAC %s is a group address, which sends nothing", m.SourceMAC)
	case m.EtherType != 0 && m.EtherType < 0x600:
		return fmt.Errorf("EtherType %#04x is a length, not 0x0600 or more", m.EtherType)
	case ports && (!m.Protocol.Set || m.Protocol.Value != TCP && m.Protocol.Value != UDP && m.Protocol.Value != SCTP):
		return errors.New("ports belong to the protocols tcp, udp and sctp")
	case (m.ICMPType.Set || m.ICMPCode.Set) && (!m.Protocol.Set || m.Protocol.Value != ICMP && m.Protocol.Value != ICMPv6):
		return errors.New("an ICMP type belongs to the protocols icmp and icmpv6")
	case m.ICMPCode.Set && !m.ICMPType.Set:
		return errors.New("an ICMP code belongs to an ICMP type")
	}
	if types, some := m.etherTypes(); some && len(types) == 0 {
		return errors.New("its EtherType, addresses and protocol do not go together")
	}
	return nil
}

// etherTypes is the EtherTypes that can fit, in all; some is false when any can.
func (m Match) etherTypes() (types []uint16, some bool) {
	limit := func(to ...uint16) {
		if !some {
			types, some = to, true
			return
		}
		var both []uint16
		for _, t := range types {
			for _, u := range to {
				if t == u {
					both = append(both, t)
				}
			}
		}
		types = both
	}
	if m.EtherType != 0 {
		limit(m.EtherType)
	}
	for _, p := range []netip.Prefix{m.Source, m.Destination} {
		if p.IsValid() && p.Addr().Is4() {
			limit(IPv4)
		} else if p.IsValid() {
			limit(IPv6)
		}
	}
	switch {
	case !m.Protocol.Set:
	case m.Protocol.Value == ICMP:
		limit(IPv4)
	case m.Protocol.Value == ICMPv6:
		limit(IPv6)
	default:
		limit(IPv4, IPv6)
	}
	return types, some
}

// Intersect is the frames that fit both; ok is false when there are none. Both must be sound ([Match.Check]).
func (m Match) Intersect(o Match) (both Match, ok bool) {
	ok = true
	both.SourceMAC = either(m.SourceMAC, o.SourceMAC, &ok)
	both.DestinationMAC = either(m.DestinationMAC, o.DestinationMAC, &ok)
	both.EtherType = either(m.EtherType, o.EtherType, &ok)
	both.Source = narrower(m.Source, o.Source, &ok)
	both.Destination = narrower(m.Destination, o.Destination, &ok)
	both.Protocol = either(m.Protocol, o.Protocol, &ok)
	both.SourcePorts = inBoth(m.SourcePorts, o.SourcePorts, &ok)
	both.DestinationPorts = inBoth(m.DestinationPorts, o.DestinationPorts, &ok)
	both.ICMPType = either(m.ICMPType, o.ICMPType, &ok)
	both.ICMPCode = either(m.ICMPCode, o.ICMPCode, &ok)
	if types, some := both.etherTypes(); some && len(types) == 0 {
		ok = false
	}
	return both, ok
}

// Covers reports whether every frame that fits o fits m. Both must be sound.
func (m Match) Covers(o Match) bool {
	both, ok := m.Intersect(o)
	if !ok {
		return false
	}
	// What only says the EtherType that the rest implies makes no difference.
	if both.EtherType != o.EtherType {
		types, some := o.etherTypes()
		if !some || len(types) != 1 || types[0] != both.EtherType {
			return false
		}
		both.EtherType = o.EtherType
	}
	return both == o
}

// either is the one that is given, or both if they are equal.
func either[T comparable](a, b T, ok *bool) T {
	var none T
	switch {
	case a == none:
		return b
	case b != none && a != b:
		*ok = false
	}
	return a
}

func narrower(a, b netip.Prefix, ok *bool) netip.Prefix {
	switch {
	case !a.IsValid():
		return b
	case !b.IsValid():
		return a
	case !a.Overlaps(b):
		*ok = false
	case b.Bits() > a.Bits():
		return b
	}
	return a
}

func inBoth(a, b Ports, ok *bool) Ports {
	if a == (Ports{}) {
		return b
	}
	if b == (Ports{}) {
		return a
	}
	p := Ports{max(a.First, b.First), min(a.Last, b.Last)}
	*ok = *ok && p.First <= p.Last
	return p
}

// String is the match in the words of the file, "any" for every frame.
func (m Match) String() string {
	var parts []string
	add := func(set bool, name string, value any) {
		if set {
			parts = append(parts, fmt.Sprintf("%s %v", name, value))
		}
	}
	add(m.SourceMAC != MAC{}, "source_mac", m.SourceMAC)
	add(m.DestinationMAC != MAC{}, "destination_mac", m.DestinationMAC)
	add(m.EtherType != 0, "ethertype", etherTypeText(m.EtherType))
	add(m.Source.IsValid(), "source", m.Source)
	add(m.Destination.IsValid(), "destination", m.Destination)
	add(m.Protocol.Set, "protocol", protocolText(m.Protocol.Value))
	add(m.SourcePorts != Ports{}, "source_ports", m.SourcePorts)
	add(m.DestinationPorts != Ports{}, "destination_ports", m.DestinationPorts)
	add(m.ICMPType.Set, "icmp_type", m.ICMPType.Value)
	add(m.ICMPCode.Set, "icmp_code", m.ICMPCode.Value)
	if parts == nil {
		return "any"
	}
	return strings.Join(parts, " ")
}

// String is the address as aa:bb:cc:dd:ee:ff.
func (m MAC) String() string { return net.HardwareAddr(m[:]).String() }

// String is the range as 80 or 8000-8999.
func (p Ports) String() string {
	if p.First == p.Last {
		return fmt.Sprint(p.First)
	}
	return fmt.Sprintf("%d-%d", p.First, p.Last)
}

// EtherTypes and Protocols are the numbers that have a name in files and in print.
var (
	EtherTypes = map[string]uint16{"ipv4": IPv4, "arp": ARP, "ipv6": IPv6}
	Protocols  = map[string]uint8{"icmp": ICMP, "tcp": TCP, "udp": UDP, "icmpv6": ICMPv6, "sctp": SCTP}
)

func etherTypeText(t uint16) string {
	for name, n := range EtherTypes {
		if n == t {
			return name
		}
	}
	return fmt.Sprintf("%#04x", t)
}

func protocolText(p uint8) string {
	for name, n := range Protocols {
		if n == p {
			return name
		}
	}
	return fmt.Sprint(p)
}
