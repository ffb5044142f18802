package dataplane

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// Rule is one line of an access list.
type Rule struct {
	Name   string // for people, beside its counter; at most 64 octets
	Action Action
	Match
}

// Action is what becomes of a frame that a rule matches. Each rule counts those frames, whatever its action.
type Action uint8

// The actions.
const (
	Allow Action = 1 + iota // it goes
	Deny                    // it is dropped
	Count                   // the next rule judges it
)

// String is the action's name in lower case.
func (a Action) String() string {
	switch a {
	case Allow:
		return "allow"
	case Deny:
		return "deny"
	case Count:
		return "count"
	}
	return fmt.Sprintf("action %d", uint8(a))
}

// Match is the frames that a rule is about: those that have all of what is given. The zero value is every frame, ARP and neighbour discovery
// among them. Ports are not in later fragments of a packet: a rule with ports does not match those.
type Match struct {
	SrcMAC, DstMAC     MAC          // zero: any
	EtherType          uint16       // zero: any; else from 0x0600
	Src, Dst           netip.Prefix // invalid: any
	Protocol           uint8        // of IPv4, or of IPv6 behind its extension headers; zero: any
	SrcPorts, DstPorts Ports        // of TCP, UDP, UDP-Lite, SCTP or DCCP
	ICMPType, ICMPCode Octet        // of ICMP (Protocol 1) or ICMPv6 (Protocol 58)
}

// Ports is a range of ports, both ends in it; zero: any.
type Ports struct{ First, Last uint16 }

// OnePort is a range of one port.
func OnePort(p uint16) Ports { return Ports{p, p} }

// Ethernet types and protocols that matches are checked against.
const (
	etherTypeIPv4 = 0x0800
	etherTypeIPv6 = 0x86dd
	protocolICMP  = 1
	protocolICMP6 = 58
)

// ported is the protocols that have ports.
var ported = map[uint8]bool{6: true, 17: true, 33: true, 132: true, 136: true}

// maxName bounds a rule's name.
const maxName = 64

// Family is the IP version that a match is about: 4 or 6, or 0 for both and for what is no IP.
func (m Match) Family() int {
	switch {
	case m.EtherType == etherTypeIPv4, m.Src.IsValid() && m.Src.Addr().Is4(), m.Dst.IsValid() && m.Dst.Addr().Is4(), m.Protocol == protocolICMP:
		return 4
	case m.EtherType == etherTypeIPv6, m.Src.IsValid(), m.Dst.IsValid(), m.Protocol == protocolICMP6:
		return 6
	}
	return 0
}

// String is the rule for people: "deny tcp to 10.0.0.0/8 port 22 (no ssh)".
func (r Rule) String() string {
	s := r.Action.String() + r.Match.String()
	if r.Name != "" {
		s += " (" + r.Name + ")"
	}
	return s
}

// String is a space and what must be there, for each; empty for any frame.
func (m Match) String() string {
	var b strings.Builder
	word := func(there bool, format string, args ...any) {
		if there {
			fmt.Fprintf(&b, " "+format, args...)
		}
	}
	word(m.EtherType != 0, "type %#04x", m.EtherType)
	word(m.Protocol != 0, "protocol %d", m.Protocol)
	word(m.ICMPType.Set, "icmp %v", m.ICMPType)
	word(m.ICMPCode.Set, "code %v", m.ICMPCode)
	word(m.SrcMAC != MAC{}, "from %v", m.SrcMAC)
	word(m.Src.IsValid(), "from %v", m.Src)
	word(m.SrcPorts != Ports{}, "from port %v", m.SrcPorts)
	word(m.DstMAC != MAC{}, "to %v", m.DstMAC)
	word(m.Dst.IsValid(), "to %v", m.Dst)
	word(m.DstPorts != Ports{}, "to port %v", m.DstPorts)
	return b.String()
}

// String is the port, or both ends with a dash.
func (p Ports) String() string {
	if p.First == p.Last {
		return fmt.Sprint(p.First)
	}
	return fmt.Sprintf("%d-%d", p.First, p.Last)
}

func (r Rule) canonical() Rule {
	r.Src, r.Dst = r.Src.Masked(), r.Dst.Masked()
	r.ICMPType, r.ICMPCode = r.ICMPType.canonical(), r.ICMPCode.canonical()
	return r
}

// Validate returns what makes the rule one that no frame could match, or no kernel hold, or nil.
func (r Rule) Validate() error {
	if r.Action < Allow || r.Action > Count {
		return fmt.Errorf("there is no %v; allow, deny and count are", r.Action)
	}
	if len(r.Name) > maxName {
		return fmt.Errorf("the name is %d octets long, at most %d are possible", len(r.Name), maxName)
	}
	if i := strings.IndexFunc(r.Name, func(c rune) bool { return c < ' ' || c == 0x7f || c == '"' || c == '\uFFFD' }); i >= 0 {
		return fmt.Errorf("the name %q has a quotation mark or what cannot be printed", r.Name)
	}
	return r.Match.validate()
}

func (m Match) validate() error {
	family := m.Family()
	ipType := map[int]uint16{4: etherTypeIPv4, 6: etherTypeIPv6}[family]
	switch {
	case m.SrcMAC[0]&1 != 0:
		return fmt.Errorf("source MAC %v is a group address, which sends nothing", m.SrcMAC)
	case m.EtherType != 0 && m.EtherType < 0x600:
		return fmt.Errorf("EtherType %#04x is a length, 0x0600 or more is needed", m.EtherType)
	case m.EtherType != 0 && ipType != 0 && m.EtherType != ipType:
		return fmt.Errorf("EtherType %#04x is not that of IPv%d, which the rest is about", m.EtherType, family)
	case m.EtherType != 0 && ipType == 0 && m.Protocol != 0:
		return fmt.Errorf("EtherType %#04x has no IP protocol", m.EtherType)
	case m.Src.IsValid() && m.Src.Addr().Is4In6(), m.Dst.IsValid() && m.Dst.Addr().Is4In6():
		return errors.New("an IPv4 prefix is written as one of IPv6")
	case m.Src.IsValid() && m.Src.Addr().Is4() != (family == 4), m.Dst.IsValid() && m.Dst.Addr().Is4() != (family == 4):
		return fmt.Errorf("%v and %v are of two families", m.Src, m.Dst)
	case m.Protocol == protocolICMP && family != 4:
		return errors.New("protocol 1 (ICMP) is of IPv4, that of IPv6 is 58")
	case m.Protocol == protocolICMP6 && family != 6:
		return errors.New("protocol 58 (ICMPv6) is of IPv6, that of IPv4 is 1")
	case (m.SrcPorts != Ports{} || m.DstPorts != Ports{}) && !ported[m.Protocol]:
		return fmt.Errorf("protocol %d has no ports; 6 (TCP), 17 (UDP), 33, 132 and 136 have", m.Protocol)
	case m.SrcPorts.First > m.SrcPorts.Last:
		return fmt.Errorf("ports %v: the first is above the last", m.SrcPorts)
	case m.DstPorts.First > m.DstPorts.Last:
		return fmt.Errorf("ports %v: the first is above the last", m.DstPorts)
	case (m.ICMPType.Set || m.ICMPCode.Set) && m.Protocol != protocolICMP && m.Protocol != protocolICMP6:
		return fmt.Errorf("protocol %d has no ICMP type; 1 (ICMP) and 58 (ICMPv6) have", m.Protocol)
	case m.ICMPCode.Set && !m.ICMPType.Set:
		return fmt.Errorf("ICMP code %v is given without a type", m.ICMPCode)
	}
	return nil
}
