package dataplane

import (
	"fmt"
	"net/netip"
	"slices"
)

// VMPolicy is what holds for the frames of one VM in one VN, from it and to it. The zero value restricts nothing but what the association itself
// forbids: a VM uses its own MAC, also inside ARP and neighbour discovery.
//
// A frame from the VM is judged in this order: spoofed addresses, From.Rules. DSCP and PCP are set before the rules. A frame to the VM: To.Rules,
// To.Limit, and then it waits for its turn on the port. From.Limit counts what the VM sends before anything of it is dropped.
//
// To.Rules hold for broadcast and multicast too. One port has one copy of such a frame for all VMs behind it, so it goes there if the policy in
// force of any of them lets it through, or if one of them has none; DSCP, PCP, limits and guarantees are of unicast frames alone.
type VMPolicy struct {
	// Sources are the addresses that the VM may send from. A family of which there is none is not restricted; of one that is, a VM may send all
	// the same what a host needs to get and keep an address: ARP probes, DHCP from 0.0.0.0, duplicate address detection and multicast reports
	// from ::, and IPv6 link-local addresses.
	Sources   []netip.Addr
	From, To  Direction
	Guarantee uint64 // bits/s to the VM that others on its port cannot take; 0: none
	DSCP      Octet  // of IPv4 and IPv6 packets from the VM, 0 to 63
	PCP       Octet  // of frames from and to the VM, 0 to 7
}

// Direction is what holds for frames one way.
type Direction struct {
	Rules []Rule // in order; the first that allows or denies decides, and a frame that none of them decides goes
	Limit Limit
}

// Limit is a token bucket: what is above it is dropped. TCP, which is silent for 200 ms and more after such a loss, comes near the rate only where the
// burst is worth as long.
type Limit struct {
	Rate  uint64 // bits/s of frames without preamble and checksum; 0: no limit
	Burst uint32 // octets; 0: half a second's worth, at least 64 KiB
}

// The bounds of a policy.
const (
	MaxRules  = 1024 // in one direction
	MaxSource = 1024
	MinRate   = 8_000             // bits/s
	MaxRate   = 1_000_000_000_000 // bits/s
	minBurst  = 64 << 10
)

// Octet is a small number, or none.
type Octet struct {
	Value uint8
	Set   bool
}

// Some is an Octet that is set.
func Some(v uint8) Octet { return Octet{Value: v, Set: true} }

// String is the number, or "none".
func (o Octet) String() string {
	if !o.Set {
		return "none"
	}
	return fmt.Sprint(o.Value)
}

// Bare reports whether the policy asks for nothing but spoof protection.
func (p VMPolicy) Bare() bool {
	return len(p.From.Rules)+len(p.To.Rules) == 0 && p.From.Limit.Rate == 0 && p.To.Limit.Rate == 0 &&
		p.Guarantee == 0 && !p.DSCP.Set && !p.PCP.Set
}

// Canonical is the policy in the form in which equal policies are equal values: a copy, with its sources sorted and once, prefixes without host
// bits, defaults filled in, and nothing in fields that are not set.
func (p VMPolicy) Canonical() VMPolicy {
	var sources []netip.Addr
	for _, s := range p.Sources {
		sources = append(sources, s.Unmap())
	}
	slices.SortFunc(sources, netip.Addr.Compare)
	p.Sources = slices.Compact(sources)
	p.From, p.To = p.From.canonical(), p.To.canonical()
	p.DSCP, p.PCP = p.DSCP.canonical(), p.PCP.canonical()
	return p
}

func (d Direction) canonical() Direction {
	var rules []Rule
	for _, r := range d.Rules {
		rules = append(rules, r.canonical())
	}
	return Direction{Rules: rules, Limit: d.Limit.canonical()}
}

func (l Limit) canonical() Limit {
	switch {
	case l.Rate == 0:
		return Limit{}
	case l.Burst == 0:
		l.Burst = uint32(min(max(l.Rate/8/2, minBurst), 1<<32-1))
	}
	return l
}

func (o Octet) canonical() Octet {
	if !o.Set {
		return Octet{}
	}
	return o
}

// Validate returns what makes the policy one that no kernel can hold, or nil. The error names the field and what would be right.
func (p VMPolicy) Validate() error {
	if len(p.Sources) > MaxSource {
		return fmt.Errorf("there are %d sources, at most %d are possible", len(p.Sources), MaxSource)
	}
	for _, s := range p.Sources {
		if !s.IsValid() || s.IsUnspecified() || s.IsMulticast() || s.Zone() != "" {
			return fmt.Errorf("source %v is not a unicast address without a zone", s)
		}
	}
	for _, d := range []struct {
		name string
		Direction
	}{{"from the VM", p.From}, {"to the VM", p.To}} {
		if err := d.validate(); err != nil {
			return fmt.Errorf("%s: %w", d.name, err)
		}
	}
	switch limit := p.To.Limit.Rate; {
	case p.Guarantee != 0 && (p.Guarantee < MinRate || p.Guarantee > MaxRate):
		return fmt.Errorf("the guarantee of %d bit/s is outside %d to %d", p.Guarantee, uint64(MinRate), uint64(MaxRate))
	case limit != 0 && p.Guarantee > limit:
		return fmt.Errorf("the guarantee of %d bit/s is above the limit of %d to the VM", p.Guarantee, limit)
	case p.DSCP.Set && p.DSCP.Value > 63:
		return fmt.Errorf("DSCP %v is outside 0 to 63", p.DSCP)
	case p.PCP.Set && p.PCP.Value > 7:
		return fmt.Errorf("PCP %v is outside 0 to 7", p.PCP)
	}
	return nil
}

func (d Direction) validate() error {
	if len(d.Rules) > MaxRules {
		return fmt.Errorf("there are %d rules, at most %d are possible", len(d.Rules), MaxRules)
	}
	for i, r := range d.Rules {
		if err := r.Validate(); err != nil {
			return fmt.Errorf("rule %d (%v): %w", i+1, r, err)
		}
	}
	switch l := d.Limit; {
	case l.Rate == 0 && l.Burst != 0:
		return fmt.Errorf("a burst of %d octets is given without a rate", l.Burst)
	case l.Rate != 0 && (l.Rate < MinRate || l.Rate > MaxRate):
		return fmt.Errorf("the rate of %d bit/s is outside %d to %d", l.Rate, uint64(MinRate), uint64(MaxRate))
	}
	return nil
}
