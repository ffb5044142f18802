package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tns-project/tns/cmd/internal/control"
)

// answerTime is how long a question that a daemon answers from memory may take.
const answerTime = 10 * time.Second

// app is one run of the program.
type app struct {
	in       io.Reader
	out, err io.Writer

	api  string
	json bool

	parsed bool // the command line made sense; errors from here on are not about it
}

// run runs one command line and returns the exit status.
func run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	a := &app{in: in, out: out, err: errs}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	err := root.ExecuteContext(ctx)
	if err != nil && !a.parsed {
		err = usageError{err}
	}
	a.report(err, a.json || slices.Contains(args, "--json"))
	return exitStatus(err)
}

// report tells an error on standard error, and in JSON if that was asked for and nothing has been printed yet.
func (a *app) report(err error, asJSON bool) {
	if err == nil {
		return
	}
	text := err.Error()
	if !strings.HasPrefix(text, "tnsctl ") { // the errors of cobra and ours about a command name it
		text = "tnsctl: " + text
	}
	fmt.Fprintln(a.err, text)
	var told outcome
	if asJSON && !errors.As(err, &told) {
		printJSON(a.out, struct {
			Error      string `json:"error"`
			ExitStatus int    `json:"exit_status"`
		}{err.Error(), exitStatus(err)})
	}
}

func (a *app) root() *cobra.Command {
	c := &cobra.Command{
		Use:   "tnsctl",
		Short: "Ask tesd and nved, and tell tesd what a VM does",
		Long: `tnsctl asks tesd (on a hypervisor) and nved (on an edge), and tells tesd what a VM does.

It finds the daemon at --api, else at $TNS_API, else at the socket in ` + control.Directory + ` of whichever daemon runs here.
Where both do, nved is asked for the forwarding table, VNs, policies and a reload, and tesd for all else.

Exit status: 0 done, 1 refused or failed, 2 usage, 3 no daemon, no session or no answer by the time-out.`,
		Example: `  tnsctl vm associate --vm 6f1c2b3a-4d5e-4f60-8192-0a1b2c3d4e5f --nic vn=blue,mac=02:00:00:00:00:01,ip=10.1.0.1
  tnsctl vm list
  tnsctl --api unix:///run/tns/nved.sock fdb --json
  gobgp -u 127.0.0.1 global rib -a evpn -j | tnsctl decode`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		PersistentPreRun:  func(*cobra.Command, []string) { a.parsed = true },
	}
	group(c)
	c.PersistentFlags().StringVar(&a.api, "api", os.Getenv("TNS_API"), "control API of the daemon, as unix:///path (default $TNS_API, else the daemon that runs here)")
	c.PersistentFlags().BoolVar(&a.json, "json", false, "print JSON: one object or array")
	c.AddCommand(a.vm(), a.vn(), a.fdb(), a.sessions(), a.policies(), a.events(), a.credential(), a.decode(), a.resync(), a.reload(), a.version())
	return c
}

// group makes a command that only holds others: without one of them it is a usage error that lists them.
func group(c *cobra.Command) {
	c.Args = func(c *cobra.Command, args []string) error {
		names := []string{}
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() && sub.Name() != "help" {
				names = append(names, sub.Name())
			}
		}
		want := fmt.Sprintf("want one of %s (see %s --help)", strings.Join(names, ", "), c.CommandPath())
		if len(args) > 0 {
			return fmt.Errorf("%s %s: no such command: %s", c.CommandPath(), args[0], want)
		}
		return fmt.Errorf("%s …: the command is missing: %s", c.CommandPath(), want)
	}
	c.RunE = func(*cobra.Command, []string) error { return nil }
}

// Where to look for a daemon that can answer, in this order.
var (
	eitherDaemon = []string{control.TES, control.NVE}
	edgeFirst    = []string{control.NVE, control.TES}
)

// dial connects to the daemon: the one that --api or $TNS_API names, else the first of these that runs here.
func (a *app) dial(ctx context.Context, daemons []string) (*control.Client, error) {
	address := a.api
	if address == "" {
		address = control.Find(daemons...)
	}
	return control.Dial(ctx, address)
}

// ask connects and asks what the daemon answers from memory.
func (a *app) ask(ctx context.Context, daemons []string, question func(context.Context, *control.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	c, err := a.dial(ctx, daemons)
	if err != nil {
		return err
	}
	defer c.Close()
	return question(ctx, c)
}
