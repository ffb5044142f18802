package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"github.com/tns-project/tns/cmd/internal/build"
	"github.com/tns-project/tns/cmd/internal/supervisor"
	"github.com/tns-project/tns/config"
)

// Process is one of several processes of a daemon, which the daemon itself starts (package supervisor). H is what it hands over.
type Process[H any] struct {
	Name  string
	Short string // what it is, for --help
	// Log is how to log.
	Log func(H) (config.Log, error)
	// Build makes the parts. Of the parent's methods it calls Ready, or has a part call it, once the process does its work.
	Build func(H, *supervisor.Parent, *logrus.Entry) ([]Part, error)
}

// Command is the daemon's command that the process runs; people do not see it.
func (p Process[H]) Command(daemon string, errs io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:    p.Name,
		Short:  p.Short,
		Hidden: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return configError{fmt.Errorf("unexpected argument %q", args[0])}
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error {
			signal.Ignore(syscall.SIGHUP) // it is for the daemon, which has this process replaced if need be
			var handover H
			parent, err := supervisor.Join(&handover)
			if errors.Is(err, supervisor.ErrNoParent) {
				return configError{fmt.Errorf("%s: %w: want %s --config FILE", p.Name, err, daemon)}
			}
			if err != nil {
				return err
			}
			settings, err := p.Log(handover)
			if err != nil {
				return err
			}
			log := logrus.NewEntry(NewLog(errs, settings)).WithFields(logrus.Fields{"daemon": daemon, "process": p.Name})
			return p.serve(c.Context(), handover, parent, log)
		},
	}
}

// serve runs the parts until ctx or the supervisor ends.
func (p Process[H]) serve(ctx context.Context, handover H, parent *supervisor.Parent, log *logrus.Entry) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		<-parent.Gone()
		stop()
	}()
	preferHugePages(log)
	parts, err := p.Build(handover, parent, log)
	if err != nil {
		parent.Failed(err)
		return fmt.Errorf("%s: %w", p.Name, err)
	}
	log.WithFields(logrus.Fields{"version": build.Version(), "pid": os.Getpid()}).Info("started")
	if err := Run(ctx, parts...); err != nil {
		parent.Failed(err)
		log.WithError(err).Error("failed")
		return fmt.Errorf("%s: %w", p.Name, err)
	}
	log.Info("stopped")
	return nil
}
