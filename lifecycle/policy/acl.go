package policy

import (
	"fmt"
	"net/netip"
)

// Action is what a rule does with a frame that fits.
type Action uint8

const (
	Allow Action = iota // and looks no further
	Deny                // and looks no further
	Count               // and goes on with the next rule
)

// String is the action in the file's word.
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

// Rule is one line of an ACL. Its hits are counted whatever it does.
type Rule struct {
	Name   string // for people; unique in its list
	Action Action
	Match
}

// String is the rule for people: `"smtp" (deny protocol tcp destination_ports 25)`.
func (r Rule) String() string { return fmt.Sprintf("%q (%s %s)", r.Name, r.Action, r.Match) }

// ACL is rules in their order, and what becomes of frames that none of them decides: Allow or Deny.
type ACL struct {
	Rules   []Rule
	Default Action
}

// Frame is what a rule can see of a frame.
type Frame struct {
	SourceMAC, DestinationMAC   MAC
	EtherType                   uint16
	Source, Destination         netip.Addr // invalid: it is not IP
	Protocol                    uint8
	HasPorts                    bool // TCP, UDP or SCTP, and not a later fragment
	SourcePort, DestinationPort uint16
	HasType                     bool // ICMP or ICMPv6, and not a later fragment
	ICMPType, ICMPCode          uint8
}

// Fits reports whether the frame is one of those that the match is about.
func (m Match) Fits(f *Frame) bool {
	ip := f.EtherType == IPv4 || f.EtherType == IPv6
	mac := func(want, is MAC) bool { return want == MAC{} || want == is }
	in := func(want netip.Prefix, is netip.Addr) bool { return !want.IsValid() || ip && want.Contains(is) }
	port := func(want Ports, is uint16) bool {
		return want == Ports{} || f.HasPorts && want.First <= is && is <= want.Last
	}
	octet := func(want Octet, has bool, is uint8) bool { return !want.Set || has && want.Value == is }
	if types, some := m.etherTypes(); some {
		known := false
		for _, t := range types {
			known = known || t == f.EtherType
		}
		if !known {
			return false
		}
	}
	return mac(m.SourceMAC, f.SourceMAC) && mac(m.DestinationMAC, f.DestinationMAC) &&
		in(m.Source, f.Source) && in(m.Destination, f.Destination) && octet(m.Protocol, ip, f.Protocol) &&
		port(m.SourcePorts, f.SourcePort) && port(m.DestinationPorts, f.DestinationPort) &&
		octet(m.ICMPType, f.HasType, f.ICMPType) && octet(m.ICMPCode, f.HasType, f.ICMPCode)
}

// Decide is what becomes of a frame, Allow or Deny, and the rule that says so; nil: the default does.
func (a ACL) Decide(f *Frame) (Action, *Rule) {
	for i := range a.Rules {
		if r := &a.Rules[i]; r.Action != Count && r.Fits(f) {
			return r.Action, r
		}
	}
	return a.Default, nil
}
