package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	"github.com/tns-project/tns/cmd/internal/control"
)

// storyView is one VM's story.
type storyView struct {
	VMID   string      `json:"vmid"`
	VMs    []vmView    `json:"vms"` // its associations now
	Events []eventView `json:"events"`
}

func (a *app) vmExplain() *cobra.Command {
	var vmid string
	return &cobra.Command{
		Use:     "explain UUID",
		Short:   "Tell one VM's story: each request, answer, FDB write and fabric route",
		Example: "  tnsctl vm explain 6f1c2b3a-4d5e-4f60-8192-0a1b2c3d4e5f",
		Args:    oneVMID(&vmid),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.ask(c.Context(), eitherDaemon, func(ctx context.Context, d *control.Client) error {
				r, err := d.ExplainVM(ctx, &tnsv1.ExplainVMRequest{Vmid: vmid})
				if err != nil {
					return err
				}
				s := storyView{VMID: vmid, VMs: viewVMs(r.Vms), Events: []eventView{}}
				for _, e := range r.Events {
					s.Events = append(s.Events, viewEvent(e))
				}
				if a.json {
					return printJSON(a.out, s)
				}
				for _, v := range s.VMs {
					if err := a.printVM(v); err != nil {
						return err
					}
					fmt.Fprintln(a.out)
				}
				return eventTable(s.Events, false).print(a.out)
			})
		},
	}
}
