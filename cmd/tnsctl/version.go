package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	"github.com/tns-project/tns/cmd/internal/build"
	"github.com/tns-project/tns/cmd/internal/control"
)

// versionView is this program and the daemon that it finds.
type versionView struct {
	Version   string      `json:"version"`
	GoVersion string      `json:"go_version"`
	Daemon    *daemonView `json:"daemon"` // null when none answers
}

// daemonView is a running daemon.
type daemonView struct {
	Daemon    string     `json:"daemon"`
	ID        string     `json:"id"`
	Version   string     `json:"version"`
	GoVersion string     `json:"go_version"`
	Started   *time.Time `json:"started"`
}

func (a *app) version() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version of this program and of the daemon",
		Long:    "Print the version of this program and of the daemon. Without --api and $TNS_API it is no failure if no daemon runs here; with one\nof them the program's own version is printed all the same.",
		Example: "  tnsctl version --json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			v := versionView{Version: build.Version(), GoVersion: build.Go()}
			t := newTable("PROGRAM", "ID", "VERSION", "GO", "STARTED")
			t.row("tnsctl", "", v.Version, v.GoVersion, "")
			err := a.ask(c.Context(), eitherDaemon, func(ctx context.Context, d *control.Client) error {
				r, err := d.Version(ctx, &tnsv1.VersionRequest{})
				if err != nil {
					return err
				}
				v.Daemon = &daemonView{Daemon: r.Daemon, ID: r.Id, Version: r.Version, GoVersion: r.GoVersion, Started: instant(r.Started)}
				t.row(r.Daemon, r.Id, r.Version, r.GoVersion, day(v.Daemon.Started))
				return nil
			})
			missed := err != nil && a.api != ""
			if missed && exitStatus(err) != exitNoAnswer {
				return err
			}
			if shown := a.show(v, t); shown != nil || !missed {
				return shown
			}
			return outcome{err.Error(), exitNoAnswer}
		},
	}
}
