package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	"github.com/tns-project/tns/cmd/internal/control"
)

// networkView is a virtual network.
type networkView struct {
	Name      string   `json:"name"`
	VNI       uint32   `json:"vni"`
	NVE       string   `json:"nve"`
	Bridge    string   `json:"bridge"`
	VXLAN     string   `json:"vxlan"`
	Ports     []string `json:"ports"`
	Imports   []string `json:"imports"`
	Exports   []string `json:"exports"`
	FloodList []string `json:"flood_list"`
	VMs       uint32   `json:"vms"`
	Active    uint32   `json:"active"`
	Tenant    string   `json:"tenant"`
	Draining  bool     `json:"draining"`

	Reservations []reservationView `json:"reservations"`
	Tags         []networkTagView  `json:"tags"`
}

// reservationView is how much of something is reserved; a limit of 0 is none.
type reservationView struct {
	Resource string `json:"resource"`
	TES      string `json:"tes"`
	Tenant   string `json:"tenant"`
	Used     uint64 `json:"used"`
	Limit    uint64 `json:"limit"`
}

// reservationsOf is a VN's reservations, and the MACs of the VN itself: 3, or 3/10 where there is a limit.
func reservationsOf(n *tnsv1.Network) (all []reservationView, macs string) {
	all, macs = []reservationView{}, "0"
	for _, r := range n.Reservations {
		all = append(all, reservationView{r.Resource, r.Tes, r.Tenant, r.Used, r.Limit})
		if r.Resource == "macs" && r.Tenant == "" {
			macs = part(r.Used, r.Limit)
		}
	}
	return all, macs
}

// vmsOf is the VMs of a VN with their limit, if there is one.
func vmsOf(n *tnsv1.Network) string {
	for _, r := range n.Reservations {
		if r.Resource == "vms" && r.Tes == "" {
			return part(r.Used, r.Limit)
		}
	}
	return fmt.Sprint(n.Vms)
}

func part(used, limit uint64) string {
	if limit == 0 {
		return fmt.Sprint(used)
	}
	return fmt.Sprintf("%d/%d", used, limit)
}

// list is never null in JSON.
func list(l []string) []string { return append([]string{}, l...) }

func (a *app) vn() *cobra.Command {
	c := &cobra.Command{Use: "vn", Short: "Ask about virtual networks"}
	group(c)
	c.AddCommand(&cobra.Command{
		Use:     "list",
		Short:   "List the virtual networks",
		Example: "  tnsctl vn list",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.ask(c.Context(), edgeFirst, func(ctx context.Context, d *control.Client) error {
				r, err := d.ListVNs(ctx, &tnsv1.ListVNsRequest{})
				if err != nil {
					return err
				}
				networks := []networkView{}
				t := newTable("NAME", "VNI", "NVE", "BRIDGE", "VXLAN", "PORTS", "VMS", "MACS", "ACTIVE", "TAGS", "FLOOD LIST")
				for _, n := range r.Networks {
					reservations, macs := reservationsOf(n)
					networks = append(networks, networkView{
						Name: n.Name, VNI: n.Vni, NVE: n.Nve, Bridge: n.Bridge, VXLAN: n.Vxlan, Ports: list(n.Ports),
						Imports: list(n.Imports), Exports: list(n.Exports), FloodList: list(n.FloodList), VMs: n.Vms, Active: n.Active,
						Tenant: n.Tenant, Draining: n.Draining, Reservations: reservations, Tags: viewTags(n.Tags),
					})
					name := n.Name
					if n.Draining {
						name += " (draining)"
					}
					t.row(name, n.Vni, n.Nve, n.Bridge, n.Vxlan, join(n.Ports), vmsOf(n), macs, n.Active, tagsText(n.Tags), join(n.FloodList))
				}
				return a.show(networks, t)
			})
		},
	})
	c.AddCommand(a.vnRetag())
	c.AddCommand(a.vnDrain())
	return c
}

// oneVN takes a virtual network, by name or VNI, as the only argument.
func oneVN(vn **tnsv1.VN) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) (err error) {
		if len(args) != 1 {
			return fmt.Errorf("%s: want a VN, by name or VNI, as the only argument", c.CommandPath())
		}
		if *vn, err = parseVN(args[0]); err != nil {
			return fmt.Errorf("%s %s: %w", c.CommandPath(), args[0], err)
		}
		return nil
	}
}
