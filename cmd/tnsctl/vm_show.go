package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	"github.com/tns-project/tns/cmd/internal/control"
)

func (a *app) vmShow() *cobra.Command {
	var vmid, tes string
	c := &cobra.Command{
		Use:   "show UUID",
		Short: "Show one VM with its routes",
		Long: `Show one VM with its routes.

An edge may have the VM at two TESs, while it moves between them. With --json these are an array then, else one object.`,
		Example: "  tnsctl vm show 6f1c2b3a-4d5e-4f60-8192-0a1b2c3d4e5f\n  tnsctl vm show 6f1c2b3a-4d5e-4f60-8192-0a1b2c3d4e5f --tes 198.51.100.11 --json",
		Args:    oneVMID(&vmid),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.ask(c.Context(), eitherDaemon, func(ctx context.Context, d *control.Client) error {
				r, err := d.GetVM(ctx, &tnsv1.GetVMRequest{Vmid: vmid})
				if err != nil {
					return err
				}
				vms := []vmView{}
				for _, v := range viewVMs(r.Vms) {
					if tes == "" || v.TES == tes {
						vms = append(vms, v)
					}
				}
				if len(vms) == 0 {
					return control.Errorf(control.ErrNotFound, "VM %s has no association with TES %s here", vmid, tes)
				}
				if a.json && len(vms) == 1 {
					return printJSON(a.out, vms[0])
				}
				if a.json {
					return printJSON(a.out, vms)
				}
				for i, v := range vms {
					if i > 0 {
						fmt.Fprintln(a.out)
					}
					if err := a.printVM(v); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	c.Flags().StringVar(&tes, "tes", "", "only the association of this TES-ID")
	return c
}

// printVM prints a VM's facts, then its routes.
func (a *app) printVM(v vmView) error {
	facts := newTable("VM", v.VMID)
	if v.Server != "" {
		facts.row("Server", v.Server)
	}
	facts.row("TES", v.TES)
	facts.row("NVE", v.NVE)
	facts.row("State", v.State)
	facts.row("Mark", v.Mark)
	facts.row("Sequence", v.Sequence)
	facts.row("Lifetime", seconds(v.LifetimeS))
	tag := ""
	if v.Tag != nil {
		tag = v.Tag.String()
	}
	facts.row("Tag", tag)
	if err := facts.print(a.out); err != nil {
		return err
	}
	fmt.Fprintln(a.out)
	routes := newTable("VN", "VNI", "MAC", "IP", "POLICY", "ENFORCED", "ACTIVE", "TAG", "REASON")
	for _, r := range v.Routes {
		tag := ""
		if r.Tag != nil {
			tag = r.Tag.String()
		}
		routes.row(r.VN, r.VNI, r.MAC, r.IP, r.Policy, r.Enforced, yes(r.Active), tag, r.Reason)
	}
	return routes.print(a.out)
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
