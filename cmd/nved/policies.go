package main

import (
	"cmp"
	"context"
	"slices"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	api "github.com/tns-project/tns/cmd/internal/backend"
	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/lifecycle/nve"
	"github.com/tns-project/tns/lifecycle/policy"
)

// ListPolicies is the profiles of the file, the access lists with what the kernel counted, and the bindings that name profiles.
func (b *backend) ListPolicies(ctx context.Context, _ *tnsv1.ListPoliciesRequest) (*tnsv1.ListPoliciesResponse, error) {
	vms, err := b.vms(ctx, nil)
	if err != nil {
		return nil, err
	}
	views, conflicts, err := b.edge.Policies(ctx)
	if err != nil {
		return nil, err
	}
	r := &tnsv1.ListPoliciesResponse{Policies: api.Policies(vms), Profiles: b.viewProfiles(views, conflicts)}
	var keys []dataplane.Key
	for _, v := range views {
		keys = append(keys, keysOf(v)...)
	}
	var counters map[dataplane.Key]dataplane.Counters
	if len(keys) > 0 { // none would mean all
		counters = b.table.Counters(keys...)
	}
	for _, v := range views {
		r.Rules = append(r.Rules, viewRules(v, counters)...)
	}
	return r, nil
}

// keysOf is the entries of a policy.
func keysOf(v nve.PolicyView) []dataplane.Key {
	var keys []dataplane.Key
	for _, mac := range v.MACs {
		keys = append(keys, dataplane.Key{Kind: dataplane.Policy, VNI: dataplane.VNI(v.VNI), MAC: dataplane.MAC(mac)})
	}
	return keys
}

func (b *backend) viewProfiles(views []nve.PolicyView, conflicts map[policy.ID][]string) []*tnsv1.PolicyProfile {
	if b.config.Policies == nil {
		return nil
	}
	var all []*tnsv1.PolicyProfile
	for _, p := range b.config.Policies.Profiles {
		view := &tnsv1.PolicyProfile{
			Policy: viewID(p.ID), Name: p.Name, Vns: p.VNs, Rules: uint32(p.Rules()), RateFromVm: p.FromVM.Rate.Bits, RateToVm: p.ToVM.Rate.Bits,
			Guaranteed: p.Guaranteed, Dscp: viewOctet(p.DSCP), Pcp: viewOctet(p.PCP), Conflicts: conflicts[p.ID],
		}
		for _, v := range views {
			if v.Profile != nil && v.Profile.ID == p.ID {
				view.Macs += uint32(len(v.MACs))
				view.Active += uint32(v.Active)
			}
		}
		all = append(all, view)
	}
	slices.SortFunc(all, func(a, b *tnsv1.PolicyProfile) int {
		return cmp.Or(cmp.Compare(a.Policy.Id, b.Policy.Id), cmp.Compare(a.Policy.Version, b.Policy.Version))
	})
	return all
}

// viewRules is the rules of a policy, each with the sum of what its MACs' entries counted.
func viewRules(v nve.PolicyView, counters map[dataplane.Key]dataplane.Counters) []*tnsv1.PolicyRule {
	var all []*tnsv1.PolicyRule
	for _, way := range []struct {
		toVM  bool
		rules []nve.RuleView
		of    func(dataplane.Counters) []dataplane.Counted
	}{
		{false, v.FromVM, func(c dataplane.Counters) []dataplane.Counted { return c.From }},
		{true, v.ToVM, func(c dataplane.Counters) []dataplane.Counted { return c.To }},
	} {
		for i, rule := range way.rules {
			view := &tnsv1.PolicyRule{Vn: v.VN, Vni: uint32(v.VNI), ToVm: way.toVM, Name: rule.Name, Action: rule.Action, Match: rule.Match, Of: rule.Of}
			if v.Profile != nil {
				view.Policy = viewID(v.Profile.ID)
			}
			for _, k := range keysOf(v) {
				if hits := way.of(counters[k]); i < len(hits) {
					view.Frames += hits[i].Frames
					view.Octets += hits[i].Octets
				}
			}
			all = append(all, view)
		}
	}
	return all
}

func viewID(id policy.ID) *tnsv1.Policy {
	return &tnsv1.Policy{Id: id.Type, Version: uint32(id.Version)}
}

func viewOctet(o policy.Octet) *uint32 {
	if !o.Set {
		return nil
	}
	return new(uint32(o.Value))
}
