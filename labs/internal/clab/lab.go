package clab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tns-project/tns/labs/internal/netns"
)

// Options of a deployment.
type Options struct {
	Name     string // of this run, part of every namespace's name; default the topology's
	State    string // directory that it may fill: one directory per node with pid, start script and logs
	Binaries string // directory that goes first in the nodes' PATH
	Detached bool   // outlive this process; else the nodes end with it, however it ends
	Idle     bool   // do not start what the nodes run
}

// Lab is a deployed topology. Its methods may be called by several goroutines.
type Lab struct {
	Topology *Topology
	options  Options
	machines map[string]*machine
}

// Deploy brings a topology up. On an error nothing is left behind.
func Deploy(ctx context.Context, t *Topology, o Options) (*Lab, error) {
	if o.Name == "" {
		o.Name = t.Name
	}
	l := &Lab{Topology: t, options: o, machines: make(map[string]*machine)}
	for _, step := range []func(context.Context) error{l.makeMachines, l.connect, l.exec, l.startAll} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(fmt.Errorf("deploy %s: %w", o.Name, err), l.Destroy())
		}
	}
	return l, nil
}

// Attach finds a lab that another process has deployed with Detached.
func Attach(t *Topology, o Options) (*Lab, error) {
	if o.Name == "" {
		o.Name = t.Name
	}
	l := &Lab{Topology: t, options: o, machines: make(map[string]*machine)}
	for _, name := range t.NodeNames() {
		m := &machine{name: name, dir: filepath.Join(o.State, name)}
		text, err := os.ReadFile(filepath.Join(m.dir, "pid"))
		if err != nil {
			return nil, fmt.Errorf("attach to %s: it is not deployed (%w)", o.Name, err)
		}
		if m.pid, err = strconv.Atoi(strings.TrimSpace(string(text))); err != nil {
			return nil, fmt.Errorf("attach to %s: %w", o.Name, err)
		}
		if m.netns, err = netns.Open(l.NamespaceName(name)); err != nil {
			return nil, fmt.Errorf("attach to %s: %w", o.Name, err)
		}
		l.machines[name] = m
	}
	return l, nil
}

// Destroy ends every process of the lab and removes its namespaces, also of a lab that came up in part.
func (l *Lab) Destroy() error {
	var problems []error
	for _, m := range l.machines {
		problems = append(problems, m.halt())
	}
	return errors.Join(problems...)
}

// Clear ends and removes whatever is there of a deployment that another process made, whole or in part.
func Clear(t *Topology, o Options) error {
	if o.Name == "" {
		o.Name = t.Name
	}
	var problems []error
	for _, name := range t.NodeNames() {
		m := &machine{name: name, dir: filepath.Join(o.State, name)}
		if text, err := os.ReadFile(filepath.Join(m.dir, "pid")); err == nil {
			m.pid, _ = strconv.Atoi(strings.TrimSpace(string(text)))
		}
		problems = append(problems, m.halt(), netns.Remove(o.Name+"-"+name), os.RemoveAll(m.dir))
	}
	return errors.Join(problems...)
}

// NamespaceName is the name of a node's network namespace on the machine.
func (l *Lab) NamespaceName(node string) string { return l.options.Name + "-" + node }

// Namespace is the network namespace of a node.
func (l *Lab) Namespace(node string) *netns.Namespace { return l.machine(node).netns }

// Dir is the directory of a node on the machine; the logs are there.
func (l *Lab) Dir(node string) string { return l.machine(node).dir }

// Command is a command to be run inside a node. When the context ends, it and what it has started are killed.
func (l *Lab) Command(ctx context.Context, node string, argv ...string) *exec.Cmd {
	inside := l.machine(node).command(argv...)
	c := exec.CommandContext(ctx, inside.Args[0], inside.Args[1:]...)
	c.Env = append(os.Environ(), "PATH="+l.options.Binaries+":"+os.Getenv("PATH"))
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // nsenter forks: its child is to end with it
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = time.Second
	return c
}

// Output runs a command inside a node and returns what it writes to standard output. If it fails, the error has what it
// wrote to standard error, or else to standard output.
func (l *Lab) Output(ctx context.Context, node string, argv ...string) (string, error) {
	var stdout, stderr strings.Builder
	c := l.Command(ctx, node, argv...)
	c.Stdout, c.Stderr = &stdout, &stderr
	if err := c.Run(); err != nil {
		why := stderr.String()
		if why == "" {
			why = stdout.String()
		}
		return stdout.String(), fmt.Errorf("on %s: %s: %w: %s", node, strings.Join(argv, " "), err, strings.TrimSpace(why))
	}
	return stdout.String(), nil
}

// Start runs what the node is there to run, after a Kill.
func (l *Lab) Start(node string) error { return l.machine(node).run("/bin/sh /run/lab/start") }

// machine finds a node; a name that is not in the topology is a mistake of the program.
func (l *Lab) machine(node string) *machine {
	m, ok := l.machines[node]
	if !ok {
		panic("no node " + node + " in lab " + l.options.Name)
	}
	return m
}

func (l *Lab) makeMachines(ctx context.Context) error {
	for _, name := range l.Topology.NodeNames() {
		m := &machine{name: name, dir: filepath.Join(l.options.State, name)}
		var err error
		if m.netns, err = netns.Create(l.NamespaceName(name)); err != nil {
			return err
		}
		l.machines[name] = m
		if err := os.MkdirAll(m.dir, 0o755); err != nil {
			return err
		}
		script := startScript(l.Topology.Nodes[name], l.options.Binaries)
		if err := os.WriteFile(filepath.Join(m.dir, "start"), []byte(script), 0o755); err != nil {
			return err
		}
	}
	return l.each(ctx, func(m *machine) error {
		var binds []bind
		for _, s := range l.Topology.Nodes[m.name].Binds {
			b, err := l.Topology.bind(s)
			if err != nil {
				return err
			}
			binds = append(binds, b)
		}
		return m.boot(binds, l.options.Detached)
	})
}

func (l *Lab) connect(context.Context) error {
	for _, link := range l.Topology.Links {
		a := netns.Endpoint{Namespace: l.Namespace(link.A.Node), Interface: link.A.Interface}
		b := netns.Endpoint{Namespace: l.Namespace(link.B.Node), Interface: link.B.Interface}
		if err := netns.Connect(a, b); err != nil {
			return err
		}
	}
	return nil
}

// exec runs the commands of each node's `exec`, in one shell each node.
func (l *Lab) exec(ctx context.Context) error {
	return l.each(ctx, func(m *machine) error {
		commands := l.Topology.Nodes[m.name].Exec
		if len(commands) == 0 {
			return nil
		}
		return m.run("set -e\n" + strings.Join(commands, "\n"))
	})
}

func (l *Lab) startAll(ctx context.Context) error {
	if l.options.Idle {
		return nil
	}
	return l.each(ctx, func(m *machine) error { return l.Start(m.name) })
}

// each does something to all machines at once.
func (l *Lab) each(ctx context.Context, f func(*machine) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for _, m := range l.machines {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return f(m)
		})
	}
	return group.Wait()
}

// Path is how a file of a node is reached from outside, while the node is up: sockets in its /run, for instance.
func (l *Lab) Path(node, name string) string {
	return fmt.Sprintf("/proc/%d/root%s", l.machine(node).pid, name)
}
