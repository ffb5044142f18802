package policy

import "fmt"

// Conflict is two policies that cannot both hold (§3.3.1, CONFLICT POLICIES).
type Conflict struct {
	A, B string // the two sides: a rule or a value, and whose it is
	Why  string // what is wrong between them
}

// Error reads `rule "x" (…) of profile p: what is wrong with rule "y" (…) of the baseline of VN blue`.
func (c *Conflict) Error() string { return fmt.Sprintf("%s: %s %s", c.A, c.Why, c.B) }

// Against is what a profile says against a baseline, or nil: it allows what the baseline denies, or the reverse, in so many words; or
// wants more than the baseline grants. What only the profile's default decides contradicts nothing, nor what an earlier rule of the same
// list decides otherwise, if it does so alone.
func Against(p *Profile, b Baseline) *Conflict {
	for _, way := range []struct {
		name   string
		rules  []Rule
		limits []Limit
	}{{"from the VM", p.FromVM.Rules, b.FromVM}, {"to the VM", p.ToVM.Rules, b.ToVM}} {
		limits := make([]Rule, len(way.limits))
		for i, l := range way.limits {
			limits[i] = l.Rule
		}
		if i, j, found := contradiction(way.rules, limits); found {
			l := way.limits[j]
			return &Conflict{
				ruleOf(way.rules[i], p), fmt.Sprintf("rule %v of the baseline of %s", l.Rule, l.Of),
				fmt.Sprintf("%s, it %s what is %s by", way.name, says(way.rules[i].Action), done(l.Action)),
			}
		}
	}
	cap := func(what string, value, most any, of string) *Conflict {
		return &Conflict{
			fmt.Sprintf("%s %v of profile %v", what, value, p), fmt.Sprintf("the baseline of %s, %v", of, most), "above the highest of",
		}
	}
	switch {
	case b.MaxPCP.Set && p.PCP.Set && p.PCP.Value > b.MaxPCP.Value:
		return cap("pcp", p.PCP.Value, b.MaxPCP.Value, b.pcpOf())
	case b.MaxRate != 0 && p.FromVM.Rate.Bits > b.MaxRate:
		return cap("rate from the VM", Bits(p.FromVM.Rate.Bits), Bits(b.MaxRate), b.rateOf())
	case b.MaxRate != 0 && p.ToVM.Rate.Bits > b.MaxRate:
		return cap("rate to the VM", Bits(p.ToVM.Rate.Bits), Bits(b.MaxRate), b.rateOf())
	case b.MaxRate != 0 && p.Guaranteed > b.MaxRate:
		return cap("guaranteed rate", Bits(p.Guaranteed), Bits(b.MaxRate), b.rateOf())
	}
	return nil
}

// Between is what two profiles say against each other, or nil: on one attachment of a VM to a VN the one forbids what on another the
// other allows, in so many words, so that the VM need only take the other way.
func Between(p, q *Profile) *Conflict {
	if p == nil || q == nil || p.ID == q.ID {
		return nil
	}
	for _, way := range []struct {
		name string
		a, b []Rule
	}{{"from the VM", p.FromVM.Rules, q.FromVM.Rules}, {"to the VM", p.ToVM.Rules, q.ToVM.Rules}} {
		if i, j, found := contradiction(way.a, way.b); found {
			return &Conflict{
				ruleOf(way.a[i], p), ruleOf(way.b[j], q), fmt.Sprintf("%s, it %s what is %s by", way.name, says(way.a[i].Action), done(way.b[j].Action)),
			}
		}
	}
	return nil
}

// contradiction finds two rules of which one allows frames that the other denies, in lists that are both to hold.
func contradiction(a, b []Rule) (i, j int, found bool) {
	for i := range a {
		for j := range b {
			if a[i].Action == Count || b[j].Action == Count || a[i].Action == b[j].Action {
				continue
			}
			both, overlap := a[i].Intersect(b[j].Match)
			if overlap && !decidedBefore(a[:i], both, b[j].Action) && !decidedBefore(b[:j], both, a[i].Action) {
				return i, j, true
			}
		}
	}
	return 0, 0, false
}

// decidedBefore reports whether one of the rules does that with all frames of the match, so that a later rule is not asked.
func decidedBefore(rules []Rule, m Match, does Action) bool {
	for _, r := range rules {
		if r.Action == does && r.Covers(m) {
			return true
		}
	}
	return false
}

func ruleOf(r Rule, p *Profile) string { return fmt.Sprintf("rule %v of profile %v", r, p) }

func says(a Action) string {
	if a == Allow {
		return "allows"
	}
	return "denies"
}

func done(a Action) string {
	if a == Allow {
		return "allowed"
	}
	return "denied"
}
