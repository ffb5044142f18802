package policy

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

// Matches and frames of a small world, so that they meet often.
var (
	macs     = []MAC{{}, {2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}}
	prefixes = []netip.Prefix{{}, prefix("0.0.0.0/0"), prefix("10.0.0.0/8"), prefix("10.0.0.0/31"), prefix("10.0.0.1/32"), prefix("::/0"), prefix("2001:db8::/127"), prefix("2001:db8::1/128")}
	ranges   = []Ports{{}, {1, 65535}, {80, 80}, {80, 90}, {85, 443}, {443, 443}}
	octets   = []Octet{{}, Just(0), Just(8), Just(128)}

	matches = rapid.Custom(func(t *rapid.T) Match {
		m := Match{
			SourceMAC: rapid.SampledFrom(macs).Draw(t, "source MAC"), DestinationMAC: rapid.SampledFrom(macs).Draw(t, "destination MAC"),
			EtherType: rapid.SampledFrom([]uint16{0, 0, IPv4, ARP, IPv6, 0x88cc}).Draw(t, "EtherType"),
			Source:    rapid.SampledFrom(prefixes).Draw(t, "source"), Destination: rapid.SampledFrom(prefixes).Draw(t, "destination"),
			Protocol: rapid.SampledFrom([]Octet{{}, {}, Just(50), Just(ICMP), Just(TCP), Just(UDP), Just(ICMPv6)}).Draw(t, "protocol"),
		}
		switch m.Protocol {
		case Just(TCP), Just(UDP):
			m.SourcePorts, m.DestinationPorts = rapid.SampledFrom(ranges).Draw(t, "source ports"), rapid.SampledFrom(ranges).Draw(t, "destination ports")
		case Just(ICMP), Just(ICMPv6):
			if m.ICMPType = rapid.SampledFrom(octets).Draw(t, "type"); m.ICMPType.Set {
				m.ICMPCode = rapid.SampledFrom(octets).Draw(t, "code")
			}
		}
		return m
	}).Filter(func(m Match) bool { return m.Check() == nil })

	frames = rapid.Custom(func(t *rapid.T) Frame {
		f := Frame{
			SourceMAC: rapid.SampledFrom(macs[1:]).Draw(t, "source MAC"), DestinationMAC: rapid.SampledFrom(macs[1:]).Draw(t, "destination MAC"),
			EtherType: rapid.SampledFrom([]uint16{IPv4, IPv4, IPv6, IPv6, ARP, 0x88cc}).Draw(t, "EtherType"),
		}
		addresses := map[uint16][]netip.Addr{
			IPv4: {netip.MustParseAddr("10.0.0.0"), netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.9.9.9"), netip.MustParseAddr("192.0.2.1")},
			IPv6: {netip.MustParseAddr("2001:db8::"), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("fe80::1")},
		}[f.EtherType]
		if addresses == nil {
			return f
		}
		f.Source, f.Destination = rapid.SampledFrom(addresses).Draw(t, "source"), rapid.SampledFrom(addresses).Draw(t, "destination")
		f.Protocol = rapid.SampledFrom([]uint8{50, ICMP, TCP, UDP, ICMPv6}).Draw(t, "protocol")
		whole := rapid.Bool().Draw(t, "whole")
		f.HasPorts, f.HasType = whole && (f.Protocol == TCP || f.Protocol == UDP), whole && (f.Protocol == ICMP || f.Protocol == ICMPv6)
		if f.HasPorts {
			ports := []uint16{0, 1, 79, 80, 85, 90, 100, 443, 444}
			f.SourcePort, f.DestinationPort = rapid.SampledFrom(ports).Draw(t, "source port"), rapid.SampledFrom(ports).Draw(t, "destination port")
		}
		if f.HasType {
			f.ICMPType, f.ICMPCode = rapid.SampledFrom([]uint8{0, 8, 9, 128}).Draw(t, "type"), rapid.SampledFrom([]uint8{0, 8, 9}).Draw(t, "code")
		}
		return f
	})

	lists = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Rule {
		return Rule{"r", rapid.SampledFrom([]Action{Allow, Deny, Count}).Draw(t, "action"), matches.Draw(t, "match")}
	}), 0, 4)
)

func TestIntersectionIsWhatFitsBoth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, f := matches.Draw(t, "a"), matches.Draw(t, "b"), frames.Draw(t, "frame")
		both, ok := a.Intersect(b)
		if got, want := ok && both.Fits(&f), a.Fits(&f) && b.Fits(&f); got != want {
			t.Fatalf("%v and %v have %v, %v; the frame fits it: %v, want %v", a, b, both, ok, got, want)
		}
		if back, okBack := b.Intersect(a); ok != okBack || ok && back != both {
			t.Fatalf("the other way round it is %v", back)
		}
		if ok && both.Check() != nil {
			t.Fatalf("%v: %v", both, both.Check())
		}
	})
}

func TestWhatCoversFitsAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, f := matches.Draw(t, "a"), matches.Draw(t, "b"), frames.Draw(t, "frame")
		if a.Covers(b) && b.Fits(&f) && !a.Fits(&f) {
			t.Fatalf("%v covers %v, but not the frame", a, b)
		}
		if both, ok := a.Intersect(b); ok && (!a.Covers(both) || !b.Covers(both)) {
			t.Fatalf("%v covers what it shares with %v: %v, the other %v", a, b, a.Covers(both), b.Covers(both))
		}
	})
}

// What the baseline decides, the merged ACL decides so, whatever the profile says: it never lets through what is denied there.
func TestMergedNeverLetsThroughWhatTheBaselineDenies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := Baseline{Of: "VN blue", FromVM: Limits("VN blue", lists.Draw(t, "baseline"))}
		tenant := Baseline{Of: "tenant acme", FromVM: Limits("tenant acme", lists.Draw(t, "tenant"))}
		p := profile("p", 5, lists.Draw(t, "profile")...)
		p.FromVM.Default = rapid.SampledFrom([]Action{Allow, Deny}).Draw(t, "default")
		f := frames.Draw(t, "frame")
		merged, _ := Merge(tenant.Join(b), p).FromVM.Decide(&f)
		want, by := decide(tenant, &f)
		if by == nil {
			want, by = decide(b, &f)
		}
		if by == nil {
			want, _ = p.FromVM.Decide(&f)
		}
		if merged != want {
			t.Fatalf("merged: %v, want %v", merged, want)
		}
		if alone, _ := Merge(b, nil).FromVM.Decide(&f); alone != func() Action { a, _ := decide(b, &f); return a }() {
			t.Fatalf("without a profile: %v", alone)
		}
	})
}

func decide(b Baseline, f *Frame) (Action, *Rule) {
	a := ACL{Default: Allow}
	for _, l := range b.FromVM {
		a.Rules = append(a.Rules, l.Rule)
	}
	return a.Decide(f)
}

// A profile that the check lets pass gets every word of its own: no frame meets a rule of the baseline that says otherwise.
func TestCheckMissesNoContradiction(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := Baseline{Of: "VN blue", FromVM: Limits("VN blue", lists.Draw(t, "baseline"))}
		p, q := profile("p", 5, lists.Draw(t, "profile")...), profile("q", 6, lists.Draw(t, "other profile")...)
		f := frames.Draw(t, "frame")
		says, by := p.FromVM.Decide(&f)
		if base, baseBy := decide(b, &f); Against(p, b) == nil && by != nil && baseBy != nil && base != says {
			t.Fatalf("%v says %v, the baseline's %v says %v, and nobody objects", by, says, baseBy, base)
		}
		if other, otherBy := q.FromVM.Decide(&f); Between(p, q) == nil && by != nil && otherBy != nil && other != says {
			t.Fatalf("%v says %v, the other's %v says %v, and nobody objects", by, says, otherBy, other)
		}
		if (Between(p, q) == nil) != (Between(q, p) == nil) {
			t.Fatal("the one contradicts the other, and not the reverse")
		}
	})
}

// Caps hold whatever a profile says; one that the check lets pass gets all that it says.
func TestCaps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := Baseline{Of: "VN blue", MaxRate: rapid.SampledFrom([]uint64{0, 1e6, 1e9}).Draw(t, "cap"), MaxPCP: rapid.SampledFrom([]Octet{{}, Just(0), Just(3)}).Draw(t, "PCP cap")}
		p := profile("p", 5)
		p.FromVM.Rate.Bits = rapid.SampledFrom([]uint64{0, 1e5, 1e6, 1e7}).Draw(t, "rate")
		p.Guaranteed = rapid.SampledFrom([]uint64{0, 1e5, 1e10}).Draw(t, "guaranteed")
		p.PCP = rapid.SampledFrom([]Octet{{}, Just(0), Just(3), Just(7)}).Draw(t, "PCP")
		e := Merge(b, p)
		if b.MaxRate != 0 && (e.FromVM.Rate.Bits == 0 || e.FromVM.Rate.Bits > b.MaxRate || e.ToVM.Rate.Bits != b.MaxRate || e.Guaranteed > b.MaxRate) {
			t.Fatalf("above the cap: %+v", e)
		}
		if b.MaxPCP.Set && (!e.PCP.Set || e.PCP.Value > b.MaxPCP.Value) {
			t.Fatalf("above the highest priority: %+v", e)
		}
		if Against(p, b) == nil && (e.PCP.Value != p.PCP.Value || e.Guaranteed != p.Guaranteed || p.FromVM.Rate.Bits != 0 && e.FromVM.Rate != p.FromVM.Rate) {
			t.Fatalf("nobody objects, and the profile gets less: %+v", e)
		}
	})
}
