package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	"github.com/tns-project/tns/cmd/internal/control"
)

// policiesView is the profiles of an edge, what they come to in its VNs, and who names them. tesd knows the latter only.
type policiesView struct {
	Profiles []profileView `json:"profiles"`
	Rules    []ruleView    `json:"rules"`
	Uses     []policyView  `json:"uses"`
}

// profileView is a profile of the file. Rates are bits a second, 0 for none.
type profileView struct {
	Policy     string   `json:"policy"`
	Name       string   `json:"name"`
	VNs        []string `json:"vns"` // none: any
	Rules      uint32   `json:"rules"`
	RateFromVM uint64   `json:"rate_from_vm"`
	RateToVM   uint64   `json:"rate_to_vm"`
	Guaranteed uint64   `json:"guaranteed"`
	DSCP       *uint32  `json:"dscp"` // null: none
	PCP        *uint32  `json:"pcp"`
	MACs       uint32   `json:"macs"`
	Active     uint32   `json:"active"`
	Conflicts  []string `json:"conflicts"`
}

// ruleView is a rule of a profile's access list in a VN, and what fitted it.
type ruleView struct {
	Policy    string `json:"policy"` // "": no profile
	VN        string `json:"vn"`
	VNI       uint32 `json:"vni"`
	Direction string `json:"direction"` // from_vm or to_vm
	Name      string `json:"name"`
	Action    string `json:"action"`
	Match     string `json:"match"`
	Of        string `json:"of"`
	Frames    uint64 `json:"frames"`
	Octets    uint64 `json:"octets"`
}

// policyView is a binding that names a profile.
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
		Use:   "policies",
		Short: "List the policy profiles, their rules and hits, and who uses them",
		Long: `List the policy profiles, their rules and hits, and who uses them.

The first table is the profiles of the edge's file, and for how many MACs they hold. The second is the access lists in the kernel, by VN and profile, those of the
VN's baseline first, with the frames that fitted each rule, of all MACs together. The last is the bindings that name a profile; on a hypervisor there is no other.`,
		Example: "  tnsctl policies\n  tnsctl policies --json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.ask(c.Context(), edgeFirst, func(ctx context.Context, d *control.Client) error {
				r, err := d.ListPolicies(ctx, &tnsv1.ListPoliciesRequest{})
				if err != nil {
					return err
				}
				v := viewPolicies(r)
				if a.json {
					return printJSON(a.out, v)
				}
				return a.printPolicies(v)
			})
		},
	}
}

func viewPolicies(r *tnsv1.ListPoliciesResponse) policiesView {
	v := policiesView{Profiles: []profileView{}, Rules: []ruleView{}, Uses: []policyView{}}
	for _, p := range r.Profiles {
		v.Profiles = append(v.Profiles, profileView{
			Policy: policyWords(p.Policy), Name: p.Name, VNs: append([]string{}, p.Vns...), Rules: p.Rules,
			RateFromVM: p.RateFromVm, RateToVM: p.RateToVm, Guaranteed: p.Guaranteed, DSCP: p.Dscp, PCP: p.Pcp,
			MACs: p.Macs, Active: p.Active, Conflicts: append([]string{}, p.Conflicts...),
		})
	}
	for _, p := range r.Rules {
		direction := "from_vm"
		if p.ToVm {
			direction = "to_vm"
		}
		v.Rules = append(v.Rules, ruleView{
			Policy: policyWords(p.Policy), VN: p.Vn, VNI: p.Vni, Direction: direction, Name: p.Name, Action: p.Action, Match: p.Match, Of: p.Of,
			Frames: p.Frames, Octets: p.Octets,
		})
	}
	for _, u := range r.Policies {
		v.Uses = append(v.Uses, policyView{
			Policy: policyWords(u.Policy), VMID: u.Vmid, TES: u.Tes, VN: u.Vn, VNI: u.Vni, MAC: u.Mac, IP: u.Ip, Active: u.Active,
		})
	}
	return v
}

// printPolicies prints the tables that have something in them, or that of who uses what.
func (a *app) printPolicies(v policiesView) error {
	profiles := newTable("POLICY", "NAME", "VNS", "RULES", "FROM-VM", "TO-VM", "GUARANTEED", "DSCP", "PCP", "MACS", "ACTIVE")
	var conflicts []string
	for _, p := range v.Profiles {
		vns := strings.Join(p.VNs, ",")
		if vns == "" {
			vns = "any"
		}
		profiles.row(p.Policy, p.Name, vns, p.Rules, bits(p.RateFromVM), bits(p.RateToVM), bits(p.Guaranteed), maybe(p.DSCP), maybe(p.PCP), p.MACs, p.Active)
		for _, c := range p.Conflicts {
			conflicts = append(conflicts, fmt.Sprintf("%s is refused in %s", p.Name, c))
		}
	}
	rules := newTable("POLICY", "VN", "DIRECTION", "RULE", "ACTION", "MATCH", "OF", "FRAMES", "OCTETS")
	for _, r := range v.Rules {
		rules.row(r.Policy, r.VN, r.Direction, r.Name, r.Action, r.Match, r.Of, r.Frames, r.Octets)
	}
	uses := newTable("POLICY", "VM", "TES", "VN", "VNI", "MAC", "IP", "ACTIVE")
	for _, u := range v.Uses {
		uses.row(u.Policy, u.VMID, u.TES, u.VN, u.VNI, u.MAC, u.IP, yes(u.Active))
	}
	for _, t := range []*table{profiles, rules} {
		if len(t.rows) == 0 {
			continue
		}
		if err := t.print(a.out); err != nil {
			return err
		}
		if t == profiles {
			for _, c := range conflicts {
				fmt.Fprintln(a.out, c)
			}
		}
		fmt.Fprintln(a.out)
	}
	return uses.print(a.out)
}

// bits is a rate in the largest unit that it is a whole number of, "" for none.
func bits(n uint64) string {
	if n == 0 {
		return ""
	}
	for _, unit := range []struct {
		name string
		bits uint64
	}{{"Gbit", 1e9}, {"Mbit", 1e6}, {"kbit", 1e3}} {
		if n%unit.bits == 0 {
			return fmt.Sprintf("%d%s", n/unit.bits, unit.name)
		}
	}
	return fmt.Sprintf("%dbit", n)
}

// maybe is a number, "" for none.
func maybe(n *uint32) string {
	if n == nil {
		return ""
	}
	return fmt.Sprint(*n)
}
