package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	"github.com/tns-project/tns/cmd/internal/control"
)

// drainView is a VN that drains, or does not any more, and who is left in it.
type drainView struct {
	VN       string   `json:"vn"`
	VNI      uint32   `json:"vni"`
	Draining bool     `json:"draining"`
	Left     []vmView `json:"left"`
}

func (a *app) vnDrain() *cobra.Command {
	var vn *tnsv1.VN
	var undo bool
	c := &cobra.Command{
		Use:   "drain NAME|VNI",
		Short: "Have a virtual network take no new VMs",
		Long: `Have a virtual network of an edge take no new VMs (NVE draining), and list who is left. Those are told, and stay until their hypervisors end or
move them. Once it is empty the VN can be deleted or renumbered: change the configuration, then tnsctl reload. The mark stays, also over restarts, until --undo
or until the VN is gone.`,
		Example: "  tnsctl vn drain blue\n  tnsctl vn drain blue --undo",
		Args:    oneVN(&vn),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.ask(c.Context(), edgeFirst, func(ctx context.Context, d *control.Client) error {
				r, err := d.DrainVN(ctx, &tnsv1.DrainVNRequest{Vn: vn, Undo: undo})
				if err != nil {
					return err
				}
				v := drainView{VN: r.Vn, VNI: r.Vni, Draining: r.Draining, Left: viewVMs(r.Left)}
				if a.json {
					return printJSON(a.out, v)
				}
				if !v.Draining {
					_, err := fmt.Fprintf(a.out, "VN %s (%d) takes VMs again\n", v.VN, v.VNI)
					return err
				}
				if len(v.Left) == 0 {
					_, err := fmt.Fprintf(a.out, "VN %s (%d) takes no new VMs, and is empty\n", v.VN, v.VNI)
					return err
				}
				fmt.Fprintf(a.out, "VN %s (%d) takes no new VMs; %d are left:\n", v.VN, v.VNI, len(v.Left))
				t := newTable("VM", "TES", "STATE", "MARK")
				for _, vm := range v.Left {
					t.row(vm.VMID, vm.TES, vm.State, vm.Mark)
				}
				return t.print(a.out)
			})
		},
	}
	c.Flags().BoolVar(&undo, "undo", false, "take VMs again")
	return c
}
