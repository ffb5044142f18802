package main

import (
	"context"

	"github.com/spf13/cobra"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	"github.com/tns-project/tns/cmd/internal/control"
)

// resyncView counts what a pass did.
type resyncView struct {
	Sent    uint32 `json:"sent"`
	Set     uint32 `json:"set"`
	Removed uint32 `json:"removed"`
}

func (a *app) resync() *cobra.Command {
	return &cobra.Command{
		Use:     "resync",
		Short:   "Compare everything again: tesd sends its routes, nved goes over the kernel's tables",
		Example: "  tnsctl --api unix:///run/tns/nved.sock resync",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.ask(c.Context(), eitherDaemon, func(ctx context.Context, d *control.Client) error {
				r, err := d.Resync(ctx, &tnsv1.ResyncRequest{})
				if err != nil {
					return err
				}
				v := resyncView{Sent: r.Sent, Set: r.Set, Removed: r.Removed}
				t := newTable("ROUTES SENT", "ENTRIES SET", "ENTRIES REMOVED")
				t.row(v.Sent, v.Set, v.Removed)
				return a.show(v, t)
			})
		},
	}
}
