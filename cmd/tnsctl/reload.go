package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	"github.com/tns-project/tns/cmd/internal/control"
)

// reloadView is what became of a reload.
type reloadView struct {
	Changed   bool     `json:"changed"`
	Problems  []string `json:"problems"`
	ElapsedMS int64    `json:"elapsed_ms"`
}

const (
	reloadTime = time.Minute            // the longest time that a reload takes, going back included
	tellPause  = 100 * time.Millisecond // before the daemon is asked again what became of it
)

func (a *app) reload() *cobra.Command {
	return &cobra.Command{
		Use:   "reload",
		Short: "Have nved read its configuration again",
		Long: `Have nved read its configuration again, and the files that it names, and wait until it works with it. No neighbour and no VM notices. A
configuration that cannot be taken over leaves everything as it was: each problem is told, and the exit status is 1.`,
		Example: "  tnsctl reload",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(c.Context(), reloadTime)
			defer cancel()
			r, err := a.reloadAndWait(ctx)
			if err != nil {
				return err
			}
			v := reloadView{Changed: r.Changed, Problems: list(r.Problems), ElapsedMS: r.Elapsed.AsDuration().Milliseconds()}
			switch {
			case len(r.Problems) > 0:
				if a.json {
					if err := printJSON(a.out, v); err != nil {
						return err
					}
				}
				return outcome{"the configuration is not reloaded; all is as it was:\n  " + strings.Join(r.Problems, "\n  "), exitRefused}
			case a.json:
				return printJSON(a.out, v)
			case !r.Changed:
				_, err = fmt.Fprintln(a.out, "nothing has changed")
			default:
				_, err = fmt.Fprintf(a.out, "reloaded in %d ms\n", v.ElapsedMS)
			}
			return err
		},
	}
}

// reloadAndWait asks for a reload. If it is carried out the process that was asked is replaced: then its successor tells.
func (a *app) reloadAndWait(ctx context.Context) (*tnsv1.ReloadResponse, error) {
	before, err := a.askReload(ctx, true)
	if err != nil {
		return nil, err
	}
	r, err := a.askReload(ctx, false)
	for asked := err; err != nil || r.Running; {
		if err != nil && !errors.Is(err, control.ErrNoDaemon) && !errors.Is(err, control.ErrNoAnswer) {
			return nil, err
		}
		select {
		case <-time.After(tellPause):
		case <-ctx.Done():
			return nil, control.Errorf(control.ErrNoAnswer, "no daemon tells within %v what became of the reload: %v", reloadTime, asked)
		}
		if r, err = a.askReload(ctx, true); err == nil && r.Number <= before.Number {
			return nil, control.Errorf(control.ErrNoAnswer, "the daemon went away before it reloaded: %v", asked)
		}
	}
	return r, nil
}

func (a *app) askReload(ctx context.Context, onlyTell bool) (*tnsv1.ReloadResponse, error) {
	d, err := a.dial(ctx, edgeFirst)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Reload(ctx, &tnsv1.ReloadRequest{OnlyTell: onlyTell})
}
