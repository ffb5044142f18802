package main

import (
	"context"

	"github.com/spf13/cobra"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	"github.com/tns-project/tns/cmd/internal/control"
)

// policyView is a profile and a binding that names it.
type policyView struct {
	Policy string `json:"policy"`
	VMID   string `json:"vmid"`
	TES    string `json:"tes"`
	VN     string `json:"vn"`
	VNI    uint32 `json:"vni"`
	MAC    string `json:"mac"`
	IP     string `json:"ip"`
	Active bool   `json:"active"`
}

func (a *app) policies() *cobra.Command {
	return &cobra.Command{
		Use:     "policies",
		Short:   "List the policy profiles in use and who uses them",
		Example: "  tnsctl policies",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.ask(c.Context(), edgeFirst, func(ctx context.Context, d *control.Client) error {
				r, err := d.ListPolicies(ctx, &tnsv1.ListPoliciesRequest{})
				if err != nil {
					return err
				}
				uses := []policyView{}
				t := newTable("POLICY", "VM", "TES", "VN", "VNI", "MAC", "IP", "ACTIVE")
				for _, u := range r.Policies {
					v := policyView{
						Policy: policyWords(u.Policy), VMID: u.Vmid, TES: u.Tes, VN: u.Vn, VNI: u.Vni, MAC: u.Mac, IP: u.Ip, Active: u.Active,
					}
					uses = append(uses, v)
					t.row(v.Policy, v.VMID, v.TES, v.VN, v.VNI, v.MAC, v.IP, yes(v.Active))
				}
				return a.show(uses, t)
			})
		},
	}
}
