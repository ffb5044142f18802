package backend

import (
	"cmp"
	"slices"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
)

// Policies is the profiles that the routes of VMs name, sorted by profile; within one in the order of the VMs.
func Policies(vms []*tnsv1.VM) []*tnsv1.PolicyUse {
	var uses []*tnsv1.PolicyUse
	for _, v := range vms {
		for _, r := range v.Routes {
			if r.Policy != nil {
				uses = append(uses, &tnsv1.PolicyUse{
					Policy: r.Policy, Vmid: v.Vmid, Tes: v.Tes, Vn: r.Vn, Vni: r.Vni, Mac: r.Mac, Ip: r.Ip, Active: r.Active,
				})
			}
		}
	}
	slices.SortStableFunc(uses, func(a, b *tnsv1.PolicyUse) int {
		return cmp.Or(cmp.Compare(a.Policy.Id, b.Policy.Id), cmp.Compare(a.Policy.Version, b.Policy.Version))
	})
	return uses
}
