// Command run deploys a lab in network namespaces, works in it and takes it down again.
//
//	run demo DIR                deploy DIR/topology.clab.yml, run DIR/run.sh in it, destroy it
//	run deploy DIR              deploy it and leave it running
//	run exec DIR NODE COMMAND…  run a command in a node of a running lab
//	run destroy DIR             end every process of the lab and remove its namespaces
//
// Where the topology asks for FRR, FRR is not installed and DIR has a without-frr.clab.yml, demo takes that one.
//
// Flags before the verb: -name (default the topology's; a demo adds its process number), -topology, -bin, -time.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/tns-project/tns/labs/internal/clab"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	err := run(ctx, os.Args[1:])
	stop()
	var exit *exec.ExitError
	switch {
	case errors.Is(err, flag.ErrHelp), errors.Is(err, errUsage):
		os.Exit(2)
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		os.Exit(exit.ExitCode()) // the command has said why
	case err != nil:
		fmt.Fprintln(os.Stderr, "run:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("usage")

// lab is what the command line names.
type lab struct {
	topology *clab.Topology
	options  clab.Options
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	name := flags.String("name", "", "name of this run (default the topology's)")
	file := flags.String("topology", "topology.clab.yml", "topology file in DIR")
	binaries := flags.String("bin", "bin", "directory with tesd, nved and tnsctl")
	limit := flags.Duration("time", 5*time.Minute, "longest time that demo may take")
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: run [flags] demo|deploy|destroy DIR, run [flags] exec DIR NODE COMMAND…")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() < 2 {
		flags.Usage()
		return errUsage
	}
	verb, dir, rest := flags.Arg(0), flags.Arg(1), flags.Args()[2:]
	topology, err := load(dir, *file)
	if err != nil {
		return err
	}
	l := lab{topology: topology, options: clab.Options{Name: *name}}
	if l.options.Name == "" {
		l.options.Name = topology.Name
		if verb == "demo" {
			l.options.Name += fmt.Sprint("-", os.Getpid())
		}
	}
	if l.options.Binaries, err = filepath.Abs(*binaries); err != nil {
		return err
	}
	l.options.State = filepath.Join(os.TempDir(), "tns-labs", l.options.Name)
	if err := os.MkdirAll(l.options.State, 0o755); err != nil {
		return err
	}
	switch {
	case verb == "demo" && len(rest) == 0:
		ctx, cancel := context.WithTimeout(ctx, *limit)
		defer cancel()
		return l.demo(ctx, dir)
	case verb == "deploy" && len(rest) == 0:
		return l.deploy(ctx)
	case verb == "exec" && len(rest) >= 2:
		return l.exec(ctx, rest[0], rest[1:])
	case verb == "destroy" && len(rest) == 0:
		return errors.Join(clab.Clear(l.topology, l.options), os.RemoveAll(l.options.State))
	}
	flags.Usage()
	return errUsage
}

// load reads the topology, or its substitute where FRR is missing.
func load(dir, file string) (*clab.Topology, error) {
	topology, err := clab.Load(filepath.Join(dir, file))
	if err != nil {
		return nil, err
	}
	if substitute := filepath.Join(dir, "without-frr.clab.yml"); topology.NeedsFRR() && !clab.HasFRR() {
		if _, err := os.Stat(substitute); err != nil {
			return nil, fmt.Errorf("%s needs FRR's zebra and bgpd, which are not installed", filepath.Join(dir, file))
		}
		return clab.Load(substitute)
	}
	return topology, nil
}

// deploy leaves the lab running.
func (l lab) deploy(ctx context.Context) error {
	l.options.Detached = true
	if _, err := clab.Deploy(ctx, l.topology, l.options); err != nil {
		return err
	}
	fmt.Printf("%s is up; its nodes' logs are below %s\n", l.options.Name, l.options.State)
	return nil
}

func (l lab) exec(ctx context.Context, node string, argv []string) error {
	deployed, err := clab.Attach(l.topology, l.options)
	if err != nil {
		return err
	}
	if _, ok := l.topology.Nodes[node]; !ok {
		return fmt.Errorf("exec: no node %s in %s, it has %v", node, l.topology.Name, l.topology.NodeNames())
	}
	c := deployed.Command(ctx, node, argv...)
	return syscall.Exec(c.Path, c.Args, c.Environ()) // in the place of this process: the terminal is the command's
}

// demo runs the lab's script in a lab of its own and takes the lab down however the script ends.
func (l lab) demo(ctx context.Context, dir string) (err error) {
	deployed, err := clab.Deploy(ctx, l.topology, l.options)
	if err != nil {
		return err
	}
	defer func() {
		if err == nil {
			err = os.RemoveAll(l.options.State)
		} else {
			fmt.Fprintln(os.Stderr, "run: the nodes' logs are below", l.options.State)
		}
		err = errors.Join(err, deployed.Destroy())
	}()
	script := exec.CommandContext(ctx, filepath.Join(dir, "run.sh"))
	script.Env = append(os.Environ(), "LAB="+l.options.State, "PATH="+l.options.Binaries+":"+os.Getenv("PATH"))
	script.Stdout, script.Stderr = os.Stdout, os.Stderr
	script.Cancel = func() error { return script.Process.Signal(syscall.SIGTERM) }
	script.WaitDelay = 5 * time.Second
	if err := script.Run(); ctx.Err() != nil {
		return fmt.Errorf("%s: stopped: %w", script.Path, context.Cause(ctx))
	} else if err != nil {
		return err
	}
	return nil
}
