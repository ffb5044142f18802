package policy

import (
	"net/netip"
	"strings"
	"testing"
)

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func tcp(port uint16) Match {
	return Match{Protocol: Just(TCP), DestinationPorts: Ports{port, port}}
}

func TestMatchesThatNoFrameFits(t *testing.T) {
	for name, c := range map[string]struct {
		m    Match
		want string // "" if it is sound
	}{
		"any frame":                   {Match{}, ""},
		"an EtherType of its own":     {Match{EtherType: 0x88cc}, ""},
		"ports of tcp":                {tcp(80), ""},
		"a type and a code":           {Match{Protocol: Just(ICMP), ICMPType: Just(3), ICMPCode: Just(4)}, ""},
		"two families":                {Match{Source: prefix("10.0.0.0/8"), Destination: prefix("2001:db8::/32")}, "two families"},
		"host bits":                   {Match{Source: netip.PrefixFrom(netip.MustParseAddr("10.0.0.1"), 8)}, "10.0.0.0/8"},
		"IPv4 in IPv6":                {Match{Source: netip.PrefixFrom(netip.MustParseAddr("::ffff:10.0.0.1"), 128)}, "written as IPv6"},
		"ARP with a protocol":         {Match{EtherType: ARP, Protocol: Just(TCP)}, "do not go together"},
		"ICMP over IPv6":              {Match{EtherType: IPv6, Protocol: Just(ICMP)}, "do not go together"},
		"ICMPv6 from an IPv4 address": {Match{Source: prefix("10.0.0.0/8"), Protocol: Just(ICMPv6)}, "do not go together"},
		"ports without a protocol":    {Match{SourcePorts: Ports{1, 2}}, "ports belong"},
		"ports of icmp":               {Match{Protocol: Just(ICMP), SourcePorts: Ports{1, 2}}, "ports belong"},
		"an empty range":              {Match{Protocol: Just(TCP), SourcePorts: Ports{2, 1}}, "no range"},
		"port 0":                      {Match{Protocol: Just(TCP), SourcePorts: Ports{0, 1}}, "no range"},
		"protocol 0":                  {Match{Protocol: Just(0)}, "protocol 0"},
		"a length for an EtherType":   {Match{EtherType: 0x5ff}, "a length"},
		"a group that sends":          {Match{SourceMAC: MAC{1, 0, 0x5e}}, "group address"},
		"a type of tcp":               {Match{Protocol: Just(TCP), ICMPType: Just(8)}, "an ICMP type belongs"},
		"a code without a type":       {Match{Protocol: Just(ICMP), ICMPCode: Just(0)}, "an ICMP code belongs"},
	} {
		err := c.m.Check()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestFrames(t *testing.T) {
	web := Frame{
		SourceMAC: MAC{2, 0, 0, 0, 0, 1}, DestinationMAC: MAC{2, 0, 0, 0, 0, 2}, EtherType: IPv4,
		Source: netip.MustParseAddr("10.0.0.1"), Destination: netip.MustParseAddr("10.0.0.2"), Protocol: TCP, HasPorts: true, SourcePort: 40000, DestinationPort: 80,
	}
	fragment := web
	fragment.HasPorts, fragment.SourcePort, fragment.DestinationPort = false, 0, 0
	arp := Frame{EtherType: ARP}
	ping := Frame{EtherType: IPv6, Source: netip.MustParseAddr("2001:db8::1"), Destination: netip.MustParseAddr("2001:db8::2"), Protocol: ICMPv6, HasType: true, ICMPType: 128}
	for name, c := range map[string]struct {
		m    Match
		f    Frame
		want bool
	}{
		"anything":                          {Match{}, arp, true},
		"a port":                            {tcp(80), web, true},
		"another port":                      {tcp(81), web, false},
		"a range":                           {Match{Protocol: Just(TCP), SourcePorts: Ports{32768, 65535}}, web, true},
		"a later fragment has no port":      {tcp(80), fragment, false},
		"a later fragment has a protocol":   {Match{Protocol: Just(TCP)}, fragment, true},
		"a prefix":                          {Match{Source: prefix("10.0.0.0/24")}, web, true},
		"the same prefix, the other end":    {Match{Source: prefix("10.0.0.2/32")}, web, false},
		"all of IPv4 is no ARP":             {Match{Source: prefix("0.0.0.0/0")}, arp, false},
		"all of IPv4 is no IPv6":            {Match{Source: prefix("0.0.0.0/0")}, ping, false},
		"a MAC":                             {Match{SourceMAC: MAC{2, 0, 0, 0, 0, 1}}, web, true},
		"the other MAC":                     {Match{DestinationMAC: MAC{2, 0, 0, 0, 0, 1}}, web, false},
		"an echo request":                   {Match{Protocol: Just(ICMPv6), ICMPType: Just(128)}, ping, true},
		"ICMP of IPv4 is not that of IPv6":  {Match{Protocol: Just(ICMP)}, ping, false},
		"a type that the frame has not":     {Match{Protocol: Just(ICMPv6), ICMPType: Just(129)}, ping, false},
		"a code that the type makes decide": {Match{Protocol: Just(ICMPv6), ICMPType: Just(128), ICMPCode: Just(1)}, ping, false},
	} {
		if got := c.m.Fits(&c.f); got != c.want {
			t.Errorf("%s: %v fits: %v, want %v", name, c.m, got, c.want)
		}
	}
}

func allow(name string, m Match) Rule { return Rule{name, Allow, m} }
func deny(name string, m Match) Rule  { return Rule{name, Deny, m} }

// profile is one with these rules from the VM.
func profile(name string, id uint32, rules ...Rule) *Profile {
	p := &Profile{ID: ID{Type: id}, Name: name}
	p.FromVM.Rules = rules
	return p
}

func blue(rules ...Rule) Baseline {
	return Baseline{Of: "VN blue", FromVM: Limits("VN blue", rules)}
}

func TestAgainstTheBaseline(t *testing.T) {
	tenant := Baseline{Of: "tenant acme", MaxPCP: Just(3), MaxRate: 1e9, ToVM: Limits("tenant acme", []Rule{deny("ssh", tcp(22))})}
	toVM := profile("admin", 9)
	toVM.ToVM.Rules = []Rule{allow("in", tcp(22))}
	urgent, fast, sure := profile("urgent", 7), profile("fast", 8), profile("sure", 8)
	urgent.PCP, fast.ToVM.Rate.Bits, sure.Guaranteed = Just(5), 10e9, 2e9
	for name, c := range map[string]struct {
		p    *Profile
		b    Baseline
		want string // "" if there is none
	}{
		"no rules at all": {profile("p", 5), blue(), ""},
		"it allows what is denied": {
			profile("mailer", 5, allow("out", tcp(25))), blue(deny("smtp", tcp(25))),
			`rule "out" (allow protocol tcp destination_ports 25) of profile mailer (5): from the VM, it allows what is denied by rule "smtp" (deny protocol tcp destination_ports 25) of the baseline of VN blue`,
		},
		"it allows more than what is denied": {profile("p", 5, allow("all", Match{})), blue(deny("smtp", tcp(25))), `rule "all" (allow any)`},
		"it allows some of what is denied":   {profile("p", 5, allow("one", Match{Source: prefix("10.0.0.1/32")})), blue(deny("net", Match{Source: prefix("10.0.0.0/8")})), `rule "net"`},
		"it denies what must be allowed":     {profile("p", 5, deny("arp", Match{EtherType: ARP})), blue(allow("arp", Match{EtherType: ARP})), "it denies what is allowed by"},
		"it allows something else":           {profile("p", 5, allow("web", tcp(80))), blue(deny("smtp", tcp(25))), ""},
		"it denied that before":              {profile("p", 5, deny("no mail", tcp(25)), allow("all", Match{})), blue(deny("smtp", tcp(25))), ""},
		"it denied that after":               {profile("p", 5, allow("all", Match{}), deny("no mail", tcp(25))), blue(deny("smtp", tcp(25))), `rule "all"`},
		"the baseline allowed it before":     {profile("p", 5, allow("mail", tcp(25))), blue(allow("relay", Match{Protocol: Just(TCP)}), deny("smtp", tcp(25))), ""},
		"it counts what is denied":           {profile("p", 5, Rule{"n", Count, tcp(25)}), blue(deny("smtp", tcp(25))), ""},
		"the baseline counts":                {profile("p", 5, allow("mail", tcp(25))), blue(Rule{"n", Count, tcp(25)}), ""},
		"a priority above the tenant's cap":  {urgent, tenant, "pcp 5 of profile urgent (7): above the highest of the baseline of tenant acme, 3"},
		"a rate above the tenant's cap":      {fast, tenant, "rate to the VM 10Gbit of profile fast (8): above the highest of the baseline of tenant acme, 1Gbit"},
		"more is guaranteed than is allowed": {sure, tenant, "guaranteed rate 2Gbit of profile sure (8)"},
		"the other direction":                {toVM, tenant, `to the VM, it allows what is denied by rule "ssh"`},
		"the VN cannot allow what its tenant denies": {
			toVM, tenant.Join(Baseline{Of: "VN blue", ToVM: Limits("VN blue", []Rule{allow("ssh", tcp(22))})}), "of the baseline of tenant acme",
		},
		"the lower of two caps":           {urgent, tenant.Join(Baseline{Of: "VN blue", MaxPCP: Just(2)}), "of VN blue, 2"},
		"the lower of two caps is first":  {urgent, tenant.Join(Baseline{Of: "VN blue", MaxPCP: Just(6)}), "of tenant acme, 3"},
		"a VN without a cap has tenant's": {urgent, tenant.Join(Baseline{Of: "VN blue"}), "of tenant acme, 3"},
	} {
		c1 := Against(c.p, c.b)
		switch {
		case c.want == "" && c1 != nil:
			t.Errorf("%s: %v", name, c1)
		case c.want != "" && (c1 == nil || !strings.Contains(c1.Error(), c.want)):
			t.Errorf("%s: %v, want %q", name, c1, c.want)
		}
	}
}

func TestBetweenTwoAttachments(t *testing.T) {
	web, shut := profile("web", 5, allow("web", tcp(80))), profile("shut", 6, deny("web", Match{Protocol: Just(TCP)}))
	c := Between(web, shut)
	want := `rule "web" (allow protocol tcp destination_ports 80) of profile web (5): from the VM, it allows what is denied by rule "web" (deny protocol tcp) of profile shut (6)`
	if c == nil || c.Error() != want {
		t.Errorf("%v, want %s", c, want)
	}
	if c := Between(shut, web); c == nil || !strings.HasPrefix(c.Error(), `rule "web" (deny`) {
		t.Errorf("the other way round: %v", c)
	}
	for name, pair := range map[string][2]*Profile{
		"one has none": {web, nil}, "the same profile": {web, web}, "about other things": {web, profile("mail", 7, deny("mail", tcp(25)))},
		"the same view": {web, profile("www", 7, allow("http", tcp(80)))},
	} {
		if c := Between(pair[0], pair[1]); c != nil {
			t.Errorf("%s: %v", name, c)
		}
	}
}

func TestMerge(t *testing.T) {
	p := profile("web", 5, allow("web", tcp(80)))
	p.FromVM.Default = Deny
	p.FromVM.Rate, p.Guaranteed, p.PCP, p.DSCP = Rate{50e6, 1 << 20}, 10e6, Just(4), Just(46)
	b := blue(deny("smtp", tcp(25)))
	b.MaxRate, b.MaxBurst, b.MaxPCP = 100e6, 1<<16, Just(5)
	e := Merge(b, p)
	if e.Rules() != 2 || e.FromVM.Rules[0].Name != "smtp" || e.FromVM.Default != Deny || e.FromVM.Rate != (Rate{50e6, 1 << 20}) || e.PCP != Just(4) || e.DSCP != Just(46) || e.Guaranteed != 10e6 {
		t.Errorf("merged: %+v", e)
	}
	if e.ToVM.Rate != (Rate{100e6, 1 << 16}) || e.ToVM.Default != Allow {
		t.Errorf("what the profile leaves open: %+v", e.ToVM)
	}
	if none := Merge(b, nil); none.Profile != nil || none.PCP != Just(0) || none.FromVM.Rate != (Rate{100e6, 1 << 16}) || len(none.FromVM.Rules) != 1 || none.FromVM.Default != Allow {
		t.Errorf("without a profile: %+v", none)
	}
	if nothing := Merge(Baseline{}, nil); nothing.Rules() != 0 || nothing.PCP.Set || nothing.FromVM.Rate != (Rate{}) {
		t.Errorf("nothing: %+v", nothing)
	}
	if len(p.FromVM.Rules) != 1 {
		t.Errorf("the profile itself has changed: %+v", p)
	}
}

func TestWords(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{ID{5, 0}.String(), "5"}, {ID{5, 2}.String(), "5:2"}, {Bits(1500e3).String(), "1500kbit"}, {Bits(7).String(), "7bit"},
		{Match{
			SourceMAC: MAC{2, 0, 0, 0, 0, 1}, DestinationMAC: MAC{2, 0, 0, 0, 0, 2}, EtherType: IPv6, Source: prefix("2001:db8::/32"), Destination: prefix("::/0"),
			Protocol: Just(ICMPv6), ICMPType: Just(128), ICMPCode: Just(0),
		}.String(), "source_mac 02:00:00:00:00:01 destination_mac 02:00:00:00:00:02 ethertype ipv6 source 2001:db8::/32 destination ::/0 protocol icmpv6 icmp_type 128 icmp_code 0"},
		{Match{EtherType: 0x88cc, Protocol: Just(50), SourcePorts: Ports{1, 9}}.String(), "ethertype 0x88cc protocol 50 source_ports 1-9"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
	p := Profile{VNs: []string{"blue"}}
	if !p.Usable("blue") || p.Usable("red") || !(&Profile{}).Usable("red") {
		t.Error("a profile is usable where it may not be, or not where it may")
	}
}
