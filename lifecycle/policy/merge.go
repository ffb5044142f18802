package policy

import "fmt"

// Enforced is what holds for one attachment of a VM: a baseline, and a profile if there is one.
type Enforced struct {
	Profile      *Profile // nil: none
	FromVM, ToVM Direction
	Guaranteed   uint64
	DSCP, PCP    Octet
}

// Merge puts a baseline and a profile (nil: none) together. The baseline's rules come first, so that none of the profile's is asked about
// a frame that they decide; the lower limit holds. A VM without a profile may do what its baseline does not deny.
func Merge(b Baseline, p *Profile) Enforced {
	e := Enforced{Profile: p}
	if p != nil {
		e.FromVM, e.ToVM, e.Guaranteed, e.DSCP, e.PCP = p.FromVM, p.ToVM, p.Guaranteed, p.DSCP, p.PCP
	}
	e.FromVM = under(b.FromVM, b, e.FromVM)
	e.ToVM = under(b.ToVM, b, e.ToVM)
	if b.MaxRate != 0 {
		e.Guaranteed = min(e.Guaranteed, b.MaxRate)
	}
	if b.MaxPCP.Set {
		e.PCP = Just(min(e.PCP.Value, b.MaxPCP.Value)) // none is 0
	}
	return e
}

// under is a direction below the limits of a baseline.
func under(limits []Limit, b Baseline, d Direction) Direction {
	rules := make([]Rule, 0, len(limits)+len(d.Rules))
	for _, l := range limits {
		rules = append(rules, l.Rule)
	}
	d.Rules = append(rules, d.Rules...)
	if b.MaxRate != 0 && (d.Rate.Bits == 0 || d.Rate.Bits > b.MaxRate) {
		d.Rate = Rate{b.MaxRate, b.MaxBurst}
	}
	return d
}

// Rules is the number of ACL rules of both directions.
func (e *Enforced) Rules() int { return len(e.FromVM.Rules) + len(e.ToVM.Rules) }

// Bits is a rate in bits a second.
type Bits uint64

// String is the rate in the largest unit that it is a whole number of: 10Mbit.
func (b Bits) String() string {
	for _, unit := range []struct {
		name string
		bits Bits
	}{{"Gbit", 1e9}, {"Mbit", 1e6}, {"kbit", 1e3}} {
		if b != 0 && b%unit.bits == 0 {
			return fmt.Sprintf("%d%s", b/unit.bits, unit.name)
		}
	}
	return fmt.Sprintf("%dbit", uint64(b))
}
