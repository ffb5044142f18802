package config

import (
	"fmt"
	"slices"

	"github.com/tns-project/tns/lifecycle/policy"
)

// policiesOf is what a file of policies says.
type policiesOf struct {
	Profiles []*policy.Profile
	VNs      map[string]policy.Baseline
	Tenants  map[string]policy.Baseline
}

// baselineOf is the VN's baseline below its tenant's.
func (p *policiesOf) baselineOf(vn VN) policy.Baseline {
	own, some := p.VNs[vn.Name]
	if !some {
		own.Of = "VN " + vn.Name
	}
	if tenant, some := p.Tenants[vn.Tenant]; some && vn.Tenant != "" {
		return tenant.Join(own)
	}
	return own
}

// The most rules that a list may have: a profile's, a tenant's baseline's and its VN's go into one in the kernel.
const (
	maxProfileRules  = 500
	maxBaselineRules = 250
)

// policies checks a file of policies for these VNs.
func (c *checker) policies(raw *rawPolicies, vns []VN) *policiesOf {
	p := &policiesOf{VNs: map[string]policy.Baseline{}, Tenants: map[string]policy.Baseline{}}
	first := firsts[string]{}
	for i := range raw.Baselines {
		c.baseline(index("baselines", i), &raw.Baselines[i], vns, first, p)
	}
	names, ids := firsts[string]{}, firsts[policy.ID]{}
	for i := range raw.Profiles {
		key, r := index("profiles", i), &raw.Profiles[i]
		q := c.profile(key, r, vns)
		if q.Name != "" {
			names.once(c, q.Name, join(key, "name"), r.Name, "names are unique")
		}
		if q.Type != 0 {
			ids.once(c, q.ID, join(key, "type"), r.Type, "want another type or version")
		}
		c.fitsBaselines(key, q, p, vns)
		p.Profiles = append(p.Profiles, q)
	}
	return p
}

// baseline checks a baseline, which is a VN's or a tenant's.
func (c *checker) baseline(key string, r *rawBaseline, vns []VN, first firsts[string], p *policiesOf) {
	b := policy.Baseline{
		MaxPCP:  octet(c, join(key, "max_pcp"), r.MaxPCP, pcp),
		MaxRate: preset(c, join(key, "max_rate"), r.MaxRate, noRate),
	}
	b.MaxBurst = c.burst(join(key, "max_burst"), r.MaxBurst, "max_rate", r.MaxRate, b.MaxRate)
	at, of, into := join(key, "vn"), "", p.VNs
	switch {
	case r.VN != nil && r.Tenant != nil:
		c.report(join(key, "tenant"), r.Tenant, "given beside vn", "keep one of the two")
	case r.Tenant != nil:
		at, into = join(key, "tenant"), p.Tenants
		if name, ok := allow(c, at, r.Tenant, plainName); ok {
			if slices.ContainsFunc(vns, func(vn VN) bool { return vn.Tenant == name }) {
				of = "tenant " + name
			} else {
				c.report(at, r.Tenant, "no VN has that tenant", "want the tenant of one of vns: of nved")
			}
		}
	default:
		if name := c.vnOf(at, r.VN, vns); name != "" {
			of = "VN " + name
		}
	}
	b.Of = of
	b.FromVM = policy.Limits(of, c.rules(join(join(key, "from_vm"), "rules"), r.FromVM.Rules, maxBaselineRules))
	b.ToVM = policy.Limits(of, c.rules(join(join(key, "to_vm"), "rules"), r.ToVM.Rules, maxBaselineRules))
	if of == "" || !first.once(c, of, at, nil, "want one baseline for each") {
		return
	}
	if r.Tenant != nil {
		into[*r.Tenant] = b
	} else {
		into[*r.VN] = b
	}
}

// profile checks a profile by itself.
func (c *checker) profile(key string, r *rawProfile, vns []VN) *policy.Profile {
	q := &policy.Profile{
		Guaranteed: preset(c, join(key, "guaranteed"), r.Guaranteed, noRate),
		DSCP:       octet(c, join(key, "dscp"), r.DSCP, dscp),
		PCP:        octet(c, join(key, "pcp"), r.PCP, pcp),
		FromVM:     c.direction(join(key, "from_vm"), &r.FromVM),
		ToVM:       c.direction(join(key, "to_vm"), &r.ToVM),
	}
	q.Type, _ = need(c, join(key, "type"), r.Type, policyType)
	q.Version = preset(c, join(key, "version"), r.Version, policyVersion)
	q.Name, _ = need(c, join(key, "name"), r.Name, plainName)
	if r.VNs != nil && len(r.VNs) == 0 {
		c.report(join(key, "vns"), nil, "an empty list", "list at least one VN, or leave the key out")
	}
	seen := firsts[string]{}
	for j := range r.VNs {
		at := index(join(key, "vns"), j)
		if name := c.vnOf(at, &r.VNs[j], vns); name != "" && seen.once(c, name, at, &r.VNs[j], "list it once") {
			q.VNs = append(q.VNs, name)
		}
	}
	if most := q.ToVM.Rate.Bits; most != 0 && q.Guaranteed > most {
		c.report(join(key, "guaranteed"), r.Guaranteed, fmt.Sprintf("above to_vm.rate, %v", policy.Bits(most)), "want at most that")
	}
	return q
}

// fitsBaselines reports what a profile says against the baselines of the VNs that it says it is for. One that is for any VN may contradict
// some: there, its requests are refused.
func (c *checker) fitsBaselines(key string, q *policy.Profile, p *policiesOf, vns []VN) {
	if len(q.VNs) == 0 || !c.sound(key) || !c.sound("baselines") {
		return
	}
	for _, vn := range vns {
		if vn.Name == "" || !q.Usable(vn.Name) {
			continue
		}
		if conflict := policy.Against(q, p.baselineOf(vn)); conflict != nil {
			c.report(key, nil, conflict.Error(), fmt.Sprintf("want a profile that keeps to it, or take %s out of its vns", vn.Name))
		}
	}
}

func (c *checker) direction(key string, r *rawDirection) policy.Direction {
	d := policy.Direction{ACL: policy.ACL{Default: preset(c, join(key, "default"), r.Default, defaultAction)}}
	d.Rate.Bits = preset(c, join(key, "rate"), r.Rate, noRate)
	d.Rate.Burst = c.burst(join(key, "burst"), r.Burst, "rate", r.Rate, d.Rate.Bits)
	d.Rules = c.rules(join(key, "rules"), r.Rules, maxProfileRules)
	return d
}

// burst is what may come at once, by default a tenth of a second's worth, at least 64 KiB.
func (c *checker) burst(key string, text *string, of string, rateText *string, bits uint64) uint32 {
	n, given := allow(c, key, text, burstSize)
	switch {
	case text != nil && rateText == nil:
		c.report(key, text, "given without "+of, "want both, or none")
	case given:
		return uint32(n)
	case bits != 0:
		return uint32(min(max(bits/8/10>>10<<10, 64<<10), 1<<30))
	}
	return 0
}

// octet is a number that may be left out.
func octet(c *checker, key string, text *string, k kind[uint8]) policy.Octet {
	n, ok := allow(c, key, text, k)
	if !ok {
		return policy.Octet{}
	}
	return policy.Just(n)
}

// rules is an ACL. A rule without a name is called after its place.
func (c *checker) rules(key string, raw []rawRule, most int) []policy.Rule {
	if len(raw) > most {
		c.report(key, nil, fmt.Sprintf("%d rules", len(raw)), fmt.Sprintf("want at most %d", most))
		return nil
	}
	var rules []policy.Rule
	names := firsts[string]{}
	for i := range raw {
		at, r := index(key, i), &raw[i]
		rule := policy.Rule{Name: preset(c, join(at, "name"), r.Name, setting[string]{plainName, fmt.Sprintf("rule-%d", i+1)})}
		if c.sound(join(at, "name")) {
			names.once(c, rule.Name, join(at, "name"), &rule.Name, "names are unique in a list")
		}
		rule.Action, _ = need(c, join(at, "action"), r.Action, ruleAction)
		m := &rule.Match
		m.SourceMAC, _ = allow(c, join(at, "source_mac"), r.SourceMAC, macAddress)
		m.DestinationMAC, _ = allow(c, join(at, "destination_mac"), r.DestinationMAC, macAddress)
		m.EtherType, _ = allow(c, join(at, "ethertype"), r.EtherType, etherType)
		m.Source, _ = allow(c, join(at, "source"), r.Source, anyPrefix)
		m.Destination, _ = allow(c, join(at, "destination"), r.Destination, anyPrefix)
		m.Protocol = octet(c, join(at, "protocol"), r.Protocol, protocol)
		m.SourcePorts, _ = allow(c, join(at, "source_ports"), r.SourcePorts, portRange)
		m.DestinationPorts, _ = allow(c, join(at, "destination_ports"), r.DestinationPorts, portRange)
		m.ICMPType = octet(c, join(at, "icmp_type"), r.ICMPType, anyOctet)
		m.ICMPCode = octet(c, join(at, "icmp_code"), r.ICMPCode, anyOctet)
		if c.sound(at) {
			if err := m.Check(); err != nil {
				c.report(at, nil, err.Error(), "want a rule that frames can fit")
			}
		}
		rules = append(rules, rule)
	}
	return rules
}
