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
	"github.com/tns-project/tns/cmd/internal/heap"
	"github.com/tns-project/tns/config"
)

// Exit statuses of a daemon. A service manager need not start one again that ended with ExitConfig.
const (
	ExitStopped = 0 // a signal, or --check found nothing
	ExitFailed  = 1 // a part failed, or could not be built
	ExitConfig  = 2 // command line or configuration wrong, or the host does not fit it
)

// Program is a daemon whose checked configuration is a C.
type Program[C any] struct {
	Name  string
	Short string // what it is, for --help
	// Load reads and checks the file; the error has all problems. Beside it stands what could be read, for CheckHost.
	Load func(file string) (C, error)
	// CheckHost finds what the host lacks, also of a file with errors; the error has all problems.
	CheckHost func(C) error
	// Log is how to log.
	Log func(C) config.Log
	// Build makes the parts, in the order in which errors are best found; nothing is advertised yet. Clean is called when they have stopped.
	Build func(C, *logrus.Entry) (parts []Part, clean func(), err error)
	// Processes are the commands of a daemon's further processes (Process.Command), if it has any.
	Processes func(errs io.Writer) []*cobra.Command
}

// Main runs the daemon and ends the process.
func (p Program[C]) Main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second signal is not caught
	os.Exit(p.Execute(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// configError is an error of kind ExitConfig.
type configError struct{ error }

// Execute runs one command line until ctx ends and returns the exit status.
func (p Program[C]) Execute(ctx context.Context, args []string, out, errs io.Writer) int {
	c := p.command(errs)
	c.SetArgs(args)
	c.SetOut(out)
	c.SetErr(errs)
	err := c.ExecuteContext(ctx)
	if err == nil {
		return ExitStopped
	}
	fmt.Fprintf(errs, "%s: %v\n", p.Name, err)
	var wrong configError
	if errors.As(err, &wrong) {
		return ExitConfig
	}
	return ExitFailed
}

func (p Program[C]) command(errs io.Writer) *cobra.Command {
	var file string
	var check bool
	c := &cobra.Command{
		Use:   p.Name + " --config FILE",
		Short: p.Short,
		Long: p.Short + `.

It stops on SIGTERM or SIGINT without telling its peers: what it advertised and what the kernel forwards stays.

Exit status: 0 stopped by a signal, or --check found nothing; 1 a part failed; 2 the command line or the configuration is wrong, or the
host does not fit it.`,
		Example:           fmt.Sprintf("  %[1]s --config /etc/tns/%[1]s.yaml --check && %[1]s --config /etc/tns/%[1]s.yaml", p.Name),
		Version:           build.Version(),
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return configError{fmt.Errorf("unexpected argument %q: want --config FILE", args[0])}
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error {
			conf, err := p.Load(file)
			if err := errors.Join(err, p.CheckHost(conf)); err != nil {
				return configError{err}
			}
			if check {
				fmt.Fprintf(c.OutOrStdout(), "%s: fine\n", file)
				return nil
			}
			return p.serve(c.Context(), conf, errs)
		},
	}
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return configError{err} })
	c.Flags().StringVar(&file, "config", "/etc/tns/"+p.Name+".yaml", "configuration `file`")
	if p.Processes != nil {
		c.AddCommand(p.Processes(errs)...)
		c.SetHelpCommand(&cobra.Command{Hidden: true})
	}
	c.Flags().BoolVar(&check, "check", false, "check the configuration and the host, print everything that is wrong, and end")
	return c
}

// serve builds the parts and runs them until ctx ends.
func (p Program[C]) serve(ctx context.Context, conf C, errs io.Writer) error {
	log := logrus.NewEntry(NewLog(errs, p.Log(conf))).WithField("daemon", p.Name)
	if p.Processes == nil { // else they have the work
		preferHugePages(log)
	}
	parts, clean, err := p.Build(conf, log)
	if err != nil {
		return err
	}
	defer clean()
	log.WithFields(logrus.Fields{"version": build.Version(), "pid": os.Getpid()}).Info("started")
	err = Run(ctx, parts...)
	if err != nil {
		log.WithError(err).Error("failed")
		return err
	}
	log.Info("stopped")
	return nil
}

func preferHugePages(log *logrus.Entry) {
	if err := heap.PreferHuge(); err != nil {
		log.WithError(err).Debug("no huge pages; a flood takes longer")
	}
}
