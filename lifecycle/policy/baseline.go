package policy

import (
	"cmp"
	"slices"
)

// Baseline is what holds in a whole VN, or in all VNs of a tenant, for VMs without a profile too. No profile may contradict it.
type Baseline struct {
	Of           string // for people: `VN blue`, `tenant acme`
	FromVM, ToVM []Limit
	MaxPCP       Octet  // the highest priority of a profile; without a profile's, frames have priority 0 then
	MaxRate      uint64 // bits a second, each way; 0: none
	MaxBurst     uint32 // octets, of VMs that only MaxRate limits
	PCPOf        string // whose MaxPCP is, if not Of's
	RateOf       string // whose MaxRate is, if not Of's
}

// Limit is a rule of a baseline, and whose.
type Limit struct {
	Rule
	Of string
}

// Limits is rules as the limits of whoever they belong to.
func Limits(of string, rules []Rule) []Limit {
	limits := make([]Limit, len(rules))
	for i, r := range rules {
		limits[i] = Limit{r, of}
	}
	return limits
}

// Join is both at once: the rules of b, then those of o, and the lower caps. So a VN cannot allow what its tenant denies.
func (b Baseline) Join(o Baseline) Baseline {
	j := b
	if j.Of == "" {
		j.Of = o.Of
	}
	j.FromVM = slices.Concat(b.FromVM, o.FromVM)
	j.ToVM = slices.Concat(b.ToVM, o.ToVM)
	j.PCPOf, j.RateOf = b.pcpOf(), b.rateOf()
	if o.MaxPCP.Set && (!b.MaxPCP.Set || o.MaxPCP.Value < b.MaxPCP.Value) {
		j.MaxPCP, j.PCPOf = o.MaxPCP, o.pcpOf()
	}
	if o.MaxRate != 0 && (b.MaxRate == 0 || o.MaxRate < b.MaxRate) {
		j.MaxRate, j.MaxBurst, j.RateOf = o.MaxRate, o.MaxBurst, o.rateOf()
	}
	return j
}

func (b *Baseline) pcpOf() string { return cmp.Or(b.PCPOf, b.Of) }

func (b *Baseline) rateOf() string { return cmp.Or(b.RateOf, b.Of) }
