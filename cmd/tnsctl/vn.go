package main

import (
	"context"

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
				t := newTable("NAME", "VNI", "NVE", "BRIDGE", "VXLAN", "PORTS", "VMS", "ACTIVE", "FLOOD LIST")
				for _, n := range r.Networks {
					networks = append(networks, networkView{
						Name: n.Name, VNI: n.Vni, NVE: n.Nve, Bridge: n.Bridge, VXLAN: n.Vxlan, Ports: list(n.Ports),
						Imports: list(n.Imports), Exports: list(n.Exports), FloodList: list(n.FloodList), VMs: n.Vms, Active: n.Active,
					})
					t.row(n.Name, n.Vni, n.Nve, n.Bridge, n.Vxlan, join(n.Ports), n.Vms, n.Active, join(n.FloodList))
				}
				return a.show(networks, t)
			})
		},
	})
	return c
}
