package dataplane_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/dataplane/dataplanetest"
)

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func addrs(list ...string) (all []netip.Addr) {
	for _, s := range list {
		all = append(all, netip.MustParseAddr(s))
	}
	return all
}

func TestRuleIsValidated(t *testing.T) {
	for _, c := range []struct {
		name  string
		match dataplane.Match
		wrong string // part of the error; empty: none
	}{
		{"any frame", dataplane.Match{}, ""},
		{"ARP", dataplane.Match{EtherType: 0x0806}, ""},
		{"a length for a type", dataplane.Match{EtherType: 0x05ff}, "EtherType 0x05ff is a length, 0x0600 or more"},
		{"a group as source", dataplane.Match{SrcMAC: dataplane.MAC{1}}, "01:00:00:00:00:00 is a group address"},
		{"a group as destination", dataplane.Match{DstMAC: dataplane.MAC{1}}, ""},
		{"TCP of both families", dataplane.Match{Protocol: 6, DstPorts: dataplane.Ports{First: 1, Last: 1023}}, ""},
		{"IPv4 in IPv6's type", dataplane.Match{EtherType: 0x86dd, Src: prefix("10.0.0.0/8")}, "EtherType 0x86dd is not that of IPv4"},
		{"a protocol of ARP", dataplane.Match{EtherType: 0x0806, Protocol: 6}, "EtherType 0x0806 has no IP protocol"},
		{"two families", dataplane.Match{Src: prefix("10.0.0.0/8"), Dst: prefix("fd00::/8")}, "two families"},
		{"IPv4 written as IPv6", dataplane.Match{Src: prefix("::ffff:10.0.0.0/104")}, "written as one of IPv6"},
		{"ICMP of IPv6", dataplane.Match{Dst: prefix("fd00::/8"), Protocol: 1}, "two families"},
		{"ICMP to a type", dataplane.Match{Protocol: 1, ICMPType: dataplane.Some(0)}, ""},
		{"ICMPv6 of IPv4", dataplane.Match{EtherType: 0x0800, Protocol: 58}, "protocol 58 (ICMPv6) is of IPv6"},
		{"ICMP of IPv6's type", dataplane.Match{EtherType: 0x86dd, Protocol: 1}, "not that of IPv4"},
		{"ports of no protocol", dataplane.Match{DstPorts: dataplane.OnePort(22)}, "protocol 0 has no ports; 6 (TCP), 17 (UDP)"},
		{"ports of ICMP", dataplane.Match{Protocol: 1, SrcPorts: dataplane.OnePort(22)}, "protocol 1 has no ports"},
		{"a range backwards", dataplane.Match{Protocol: 6, SrcPorts: dataplane.Ports{First: 9, Last: 8}}, "ports 9-8: the first is above the last"},
		{"an ICMP type of TCP", dataplane.Match{Protocol: 6, ICMPType: dataplane.Some(8)}, "protocol 6 has no ICMP type"},
		{"a code without a type", dataplane.Match{Protocol: 58, ICMPCode: dataplane.Some(1)}, "ICMP code 1 is given without a type"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := dataplane.VMPolicy{To: dataplane.Direction{Rules: []dataplane.Rule{{Action: dataplane.Deny, Match: c.match}}}}
			err := p.Validate()
			if c.wrong == "" && err != nil || c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong) || !strings.Contains(err.Error(), "to the VM: rule 1")) {
				t.Errorf("error %v, want one of rule 1 to the VM with %q", err, c.wrong)
			}
		})
	}
}

func TestPolicyIsValidated(t *testing.T) {
	rules := make([]dataplane.Rule, dataplane.MaxRules+1)
	for i := range rules {
		rules[i].Action = dataplane.Count
	}
	for _, c := range []struct {
		name   string
		policy dataplane.VMPolicy
		wrong  string
	}{
		{"nothing", dataplane.VMPolicy{}, ""},
		{"everything", dataplanetest.Web(), ""},
		{"an unspecified source", dataplane.VMPolicy{Sources: addrs("0.0.0.0")}, "source 0.0.0.0 is not a unicast address"},
		{"a multicast source", dataplane.VMPolicy{Sources: addrs("fd00::1", "ff02::1")}, "source ff02::1 is not a unicast address"},
		{"a source with a zone", dataplane.VMPolicy{Sources: addrs("fe80::1%eth0")}, "without a zone"},
		{"no action", dataplane.VMPolicy{From: dataplane.Direction{Rules: []dataplane.Rule{{}}}}, "from the VM: rule 1 (action 0): there is no action 0; allow, deny and count are"},
		{"too many rules", dataplane.VMPolicy{From: dataplane.Direction{Rules: rules}}, "there are 1025 rules, at most 1024"},
		{"a name with a line end", dataplane.VMPolicy{From: dataplane.Direction{Rules: []dataplane.Rule{{Action: dataplane.Deny, Name: "a\nb"}}}}, "cannot be printed"},
		{"a name with a quotation mark", dataplane.VMPolicy{From: dataplane.Direction{Rules: []dataplane.Rule{{Action: dataplane.Deny, Name: `a"`}}}}, "quotation mark"},
		{"a long name", dataplane.VMPolicy{From: dataplane.Direction{Rules: []dataplane.Rule{{Action: dataplane.Deny, Name: strings.Repeat("x", 65)}}}}, "65 octets long"},
		{"a rate too low", dataplane.VMPolicy{From: dataplane.Direction{Limit: dataplane.Limit{Rate: 7999}}}, "rate of 7999 bit/s is outside 8000 to"},
		{"a burst alone", dataplane.VMPolicy{To: dataplane.Direction{Limit: dataplane.Limit{Burst: 1}}}, "burst of 1 octets is given without a rate"},
		{"a guarantee too high", dataplane.VMPolicy{Guarantee: 1e13}, "guarantee of 10000000000000 bit/s is outside"},
		{"a guarantee above the limit", dataplane.VMPolicy{Guarantee: 2e6, To: dataplane.Direction{Limit: dataplane.Limit{Rate: 1e6}}}, "above the limit of 1000000"},
		{"a DSCP of seven bits", dataplane.VMPolicy{DSCP: dataplane.Some(64)}, "DSCP 64 is outside 0 to 63"},
		{"a PCP of four bits", dataplane.VMPolicy{PCP: dataplane.Some(8)}, "PCP 8 is outside 0 to 7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := dataplanetest.Policed(10100, dataplane.MAC{2}, "blue1", c.policy).Validate()
			if c.wrong == "" && err != nil || c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)) {
				t.Errorf("error %v, want one with %q", err, c.wrong)
			}
		})
	}
}

// What asks for the same is equal and has one digest, however it is written; what does not, has another.
func TestPoliciesAreEqualByWhatTheyAsk(t *testing.T) {
	rule := func(r dataplane.Rule) dataplane.VMPolicy {
		r.Action = dataplane.Deny
		return dataplane.VMPolicy{From: dataplane.Direction{Rules: []dataplane.Rule{r}}}
	}
	limit := func(l dataplane.Limit) dataplane.VMPolicy {
		return dataplane.VMPolicy{From: dataplane.Direction{Limit: l}}
	}
	equal := [][2]dataplane.VMPolicy{
		{{Sources: addrs("10.0.0.2", "fd00::1", "10.0.0.1")}, {Sources: addrs("fd00::1", "10.0.0.1", "10.0.0.2", "10.0.0.1", "::ffff:10.0.0.2")}},
		{rule(dataplane.Rule{Match: dataplane.Match{Src: prefix("10.1.2.3/8")}}), rule(dataplane.Rule{Match: dataplane.Match{Src: prefix("10.0.0.0/8")}})},
		{limit(dataplane.Limit{Rate: 8e6}), limit(dataplane.Limit{Rate: 8e6, Burst: 500_000})},
		{{DSCP: dataplane.Octet{Value: 3}}, {}},
		{{Sources: []netip.Addr{}, From: dataplane.Direction{Rules: []dataplane.Rule{}}}, {}},
	}
	for _, pair := range equal {
		a, b := dataplanetest.Policed(10100, dataplane.MAC{2}, "blue1", pair[0]), dataplanetest.Policed(10100, dataplane.MAC{2}, "blue1", pair[1])
		if !a.Equal(b) || pair[0].Digest() != pair[1].Digest() {
			t.Errorf("%+v and %+v are different", pair[0], pair[1])
		}
	}

	different := []dataplane.VMPolicy{
		{}, {Sources: addrs("10.0.0.1")}, {Sources: addrs("10.0.0.1", "10.0.0.2")}, dataplanetest.Web(),
		rule(dataplane.Rule{}), rule(dataplane.Rule{Name: "x"}), {To: rule(dataplane.Rule{}).From},
		{From: dataplane.Direction{Rules: []dataplane.Rule{{Action: dataplane.Allow}}}},
		rule(dataplane.Rule{Match: dataplane.Match{SrcMAC: dataplane.MAC{2}}}), rule(dataplane.Rule{Match: dataplane.Match{DstMAC: dataplane.MAC{2}}}),
		rule(dataplane.Rule{Match: dataplane.Match{EtherType: 0x800}}), rule(dataplane.Rule{Match: dataplane.Match{Protocol: 6}}),
		rule(dataplane.Rule{Match: dataplane.Match{Src: prefix("0.0.0.0/0")}}), rule(dataplane.Rule{Match: dataplane.Match{Dst: prefix("0.0.0.0/0")}}),
		rule(dataplane.Rule{Match: dataplane.Match{Src: prefix("::/0")}}),
		rule(dataplane.Rule{Match: dataplane.Match{Protocol: 6, SrcPorts: dataplane.OnePort(1)}}), rule(dataplane.Rule{Match: dataplane.Match{Protocol: 6, DstPorts: dataplane.OnePort(1)}}),
		rule(dataplane.Rule{Match: dataplane.Match{Protocol: 1, ICMPType: dataplane.Some(0)}}),
		rule(dataplane.Rule{Match: dataplane.Match{Protocol: 1, ICMPType: dataplane.Some(0), ICMPCode: dataplane.Some(0)}}),
		limit(dataplane.Limit{Rate: 1e6}), limit(dataplane.Limit{Rate: 1e6, Burst: 1}), {To: limit(dataplane.Limit{Rate: 1e6}).From},
		{Guarantee: 1e6}, {DSCP: dataplane.Some(0)}, {PCP: dataplane.Some(0)}, {DSCP: dataplane.Some(1)},
	}
	seen := map[dataplane.Digest]int{}
	for i, p := range different {
		if j, taken := seen[p.Digest()]; taken {
			t.Errorf("%+v and %+v have one digest", different[j], p)
		}
		seen[p.Digest()] = i
	}
}

func TestEntriesOfPolicies(t *testing.T) {
	e := dataplanetest.Policed(10100, dataplane.MAC{2, 0, 0, 0, 0, 1}, "blue1", dataplanetest.Web())
	prepared, moved, other := e, e, e
	prepared.InForce = false
	moved.LocalPort = "blue2"
	other.Policy = new(dataplane.VMPolicy)
	for _, o := range []dataplane.Entry{prepared, moved, other} {
		if e.Equal(o) {
			t.Errorf("%v and %v are equal", e, o)
		}
	}
	if got := e.Listed(); !got.Equal(e) || got.Policy != nil || got.Digest != dataplanetest.Web().Digest() {
		t.Errorf("listed as %+v", got)
	}
	want := "policy 02:00:00:00:00:01 in 10100 " + dataplanetest.Web().Digest().String()[:8] + " on blue1 not in force"
	if prepared.String() != want {
		t.Errorf("%q, want %q", prepared, want)
	}
	for _, bad := range []struct {
		change func(e *dataplane.Entry)
		wrong  string
	}{
		{func(e *dataplane.Entry) { e.MAC = dataplane.MAC{1} }, "the MAC is not a unicast address"},
		{func(e *dataplane.Entry) { e.LocalPort = "" }, "the VM's port is needed"},
		{func(e *dataplane.Entry) { e.Policy = nil }, "the policy is missing"},
		{func(e *dataplane.Entry) { e.Policy = &dataplane.VMPolicy{PCP: dataplane.Some(9)} }, "PCP 9"},
	} {
		b := e
		bad.change(&b)
		if err := b.Validate(); err == nil || !strings.Contains(err.Error(), bad.wrong) {
			t.Errorf("error %v, want one with %q", err, bad.wrong)
		}
	}
}

// The reconciler writes a policy that changed, does not write it again when it is asked for what is there, and takes what the kernel lists by
// digest for what it is.
func TestReconcilerComparesPoliciesByDigest(t *testing.T) {
	twin := dataplanetest.New()
	if err := twin.Ensure(t.Context(), dataplanetest.Networks()); err != nil {
		t.Fatal(err)
	}
	e := dataplanetest.Policed(10100, dataplane.MAC{2, 0, 0, 0, 0, 1}, "blue1", dataplanetest.Web())
	want := map[dataplane.Key]dataplane.Entry{e.Key: e}
	dataplanetest.Apply(t, twin, []dataplane.Entry{e}, nil)
	have, err := twin.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if set, del := dataplane.Diff(want, have); len(set)+len(del) != 0 {
		t.Errorf("to set %v, to delete %v; want nothing", set, del)
	}
	changed := e
	changed.InForce = false
	want[e.Key] = changed
	if set, _ := dataplane.Diff(want, have); len(set) != 1 || set[0].Policy == nil {
		t.Errorf("to set %v, want the policy, with all that it says", set)
	}
}

// In one Apply a policy comes into force before the entries that let frames through, and goes out of force after they are gone.
func TestPoliciesAreInForceAsLongAsFramesGo(t *testing.T) {
	twin := dataplanetest.New()
	if err := twin.Ensure(t.Context(), dataplanetest.Networks()); err != nil {
		t.Fatal(err)
	}
	mac1, mac2 := dataplane.MAC{2, 0, 0, 0, 0, 1}, dataplane.MAC{2, 0, 0, 0, 0, 2}
	in, out := dataplanetest.Policed(10100, mac1, "blue1", dataplanetest.Web()), dataplanetest.Prepared(10100, mac2, "blue2", dataplanetest.Web())
	forwarded := dataplanetest.Local(10100, mac1, "blue1")
	gone := dataplanetest.Local(10100, mac2, "blue2")
	twin.Log()
	twin.Apply(t.Context(), []dataplane.Entry{forwarded, out, in}, []dataplane.Key{in.Key, gone.Key})
	want := []string{"set " + in.String(), "set " + forwarded.String(), "del " + gone.Key.String(), "set " + out.String(), "del " + in.Key.String()}
	if got := twin.Log(); !slices.Equal(got, want) {
		t.Errorf("in the order\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
