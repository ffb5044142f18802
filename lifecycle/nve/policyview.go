package nve

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/policy"
)

// PolicyView is what a profile, or none, comes to in a VN, and where.
type PolicyView struct {
	VN      string
	VNI     evpn.VNI
	Profile *policy.Profile // nil: none
	MACs    []evpn.MAC      // that it holds for, sorted
	Active  int             // of these, those that frames are forwarded for
	FromVM  []RuleView      // in the order of the kernel
	ToVM    []RuleView
}

// RuleView is a rule for people.
type RuleView struct {
	Name, Action string
	Match        string // in the words of the file
	Of           string // whose it is: `profile web (100:1)`, `VN blue`, `tenant acme`
}

// Policies asks the loop for what is in the kernel, by VN and profile, and for the conflicts of each profile with VNs that it may be used in.
func (e *Edge) Policies(ctx context.Context) (views []PolicyView, conflicts map[policy.ID][]string, err error) {
	err = e.ask(ctx, func() {
		views = e.viewPolicies()
		conflicts = map[policy.ID][]string{}
		for _, v := range keysOf(e.vns, cmp.Compare) {
			for id := range e.config.Profiles {
				asked := &evpn.Policy{Type: id.Type, Version: id.Version}
				if r, _, _ := e.rulingOf(e.vns[v], asked); r != nil && r.conflict != nil {
					conflicts[id] = append(conflicts[id], fmt.Sprintf("VN %s: %v", e.vns[v].Name, r.conflict))
				}
			}
		}
	})
	return views, conflicts, err
}

func (e *Edge) viewPolicies() []PolicyView {
	all := map[*ruling]*PolicyView{}
	for _, k := range keysOf(e.stations, compareStations) {
		st := e.stations[k]
		if !st.policy.asks() {
			continue
		}
		r := st.policy.ruling
		view := all[r]
		if view == nil {
			view = &PolicyView{
				VN: st.vn.Name, VNI: st.vn.VNI, Profile: r.Profile,
				FromVM: viewRules(r, st.vn.Baseline.FromVM, &r.FromVM), ToVM: viewRules(r, st.vn.Baseline.ToVM, &r.ToVM),
			}
			all[r] = view
		}
		view.MACs = append(view.MACs, k.MAC)
		if st.local() != "" {
			view.Active++
		}
	}
	views := make([]PolicyView, 0, len(all))
	for _, v := range all {
		views = append(views, *v)
	}
	id := func(p *policy.Profile) policy.ID {
		if p == nil {
			return policy.ID{}
		}
		return p.ID
	}
	slices.SortFunc(views, func(a, b PolicyView) int {
		x, y := id(a.Profile), id(b.Profile)
		return cmp.Or(cmp.Compare(a.VNI, b.VNI), cmp.Compare(x.Type, y.Type), cmp.Compare(x.Version, y.Version))
	})
	return views
}

// viewRules is the rules of a direction, of which the first are the baseline's, and the one that its default is.
func viewRules(r *ruling, limits []policy.Limit, d *policy.Direction) []RuleView {
	var rules []RuleView
	for i := range d.Rules {
		of := r.String()
		if i < len(limits) {
			of = limits[i].Of
		}
		rules = append(rules, RuleView{d.Rules[i].Name, d.Rules[i].Action.String(), d.Rules[i].Match.String(), of})
	}
	if d.Default == policy.Deny {
		rules = append(rules, RuleView{DefaultRule, policy.Deny.String(), policy.Match{}.String(), r.String()})
	}
	return rules
}

// enforcedText is what the kernel has for a record's MAC, for people; empty if nothing.
func (e *Edge) enforcedText(r *record, st *station) string {
	switch {
	case st == nil || !st.policy.asks():
		return ""
	case st.active() != nil && st.active() != r: // the policy is another record's
		return ""
	case st.policed:
		return st.policy.ruling.String() + ", in force"
	}
	return st.policy.ruling.String() + ", prepared"
}
