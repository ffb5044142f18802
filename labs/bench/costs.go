package main

import (
	"context"
	"path/filepath"
	"time"

	"github.com/tns-project/tns/labs/internal/usage"
)

// costs is what the processes of a world have used, by node and program, and of each node in all.
type costs map[[2]string]usage.Usage

// inAll stands for all programs of a node.
const inAll = ""

// costs reads them.
func (w *World) costs() (costs, error) {
	all := make(costs)
	for _, node := range w.Topology.NodeNames() {
		processes, err := w.Everything(node)
		if err != nil {
			return nil, err
		}
		for _, p := range processes {
			u, err := usage.Of(p.ID)
			if err != nil {
				continue // it has ended
			}
			name := filepath.Base(p.Args[0])
			switch {
			case name == "nved" && len(p.Args) > 1 && (p.Args[1] == "engine" || p.Args[1] == "guard"):
				name = p.Args[1]
			case name == "nved":
				name = "supervisor"
			case name == "cat":
				continue // of the lab's
			}
			for _, n := range []string{name, inAll} {
				sum := all[[2]string{node, n}]
				sum.CPU, sum.RSS, sum.Peak = sum.CPU+u.CPU, sum.RSS+u.RSS, sum.Peak+u.Peak
				all[[2]string{node, n}] = sum
			}
		}
	}
	return all, nil
}

// Processes are quiet when they use less than this of a CPU, all of a world together, for so long.
const (
	quietFor = 500 * time.Millisecond
	quietCPU = 0.1
)

// quiet waits until the processes of a world have nothing to do any more, and returns what they have used: what counts may be done before all is done. Sessions
// that stand use something for ever, as does a daemon that polls, so it does not wait longer than atMost.
func (w *World) quiet(ctx context.Context, atMost time.Duration) (now costs, err error) {
	until, end := context.WithTimeout(ctx, atMost)
	defer end()
	for {
		before, err := w.costs()
		if err != nil {
			return nil, err
		}
		began := time.Now()
		over := waitFor(until, quietFor)
		now, err := w.costs()
		if err != nil {
			return nil, err
		}
		if over != nil || now.total()-before.total() < time.Duration(quietCPU*float64(time.Since(began))) {
			return now, ctx.Err()
		}
	}
}

// restTime is how long processes that are quiet are left alone until they have given back what memory they do not need.
const restTime = 5 * time.Second

// rested waits until processes are quiet, and restTime more.
func (w *World) rested(ctx context.Context, atMost time.Duration) (costs, error) {
	if _, err := w.quiet(ctx, atMost); err != nil {
		return nil, err
	}
	if err := waitFor(ctx, restTime); err != nil {
		return nil, err
	}
	return w.costs()
}

// waitFor lets time pass.
func waitFor(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// total is the CPU time of all nodes.
func (c costs) total() (sum time.Duration) {
	for k, u := range c {
		if k[1] == inAll {
			sum += u.CPU
		}
	}
	return sum
}

// since is what was used since before.
func (c costs) since(before costs, node, program string) time.Duration {
	k := [2]string{node, program}
	return c[k].CPU - before[k].CPU
}

// roles are the nodes whose costs are told, and the programs on them: of FRR, of ours, of reflectors.
var roles = []struct {
	node, name string
	programs   []string
}{
	{"e1", "the edge that announces", []string{"bgpd", "zebra", "guard", "engine", "supervisor"}},
	{"rr", "the reflector", []string{"bgpd", "reflector"}},
	{"e2", "the edge that receives", []string{"bgpd", "zebra", "guard", "engine", "supervisor"}},
}

// noteCosts notes CPU time and memory since before, for each edge and the reflector, and for each program there.
func (b *Bench) noteCosts(p Plan, size int, before, after costs) {
	for _, r := range roles {
		if _, ok := after[[2]string{r.node, inAll}]; !ok {
			continue
		}
		b.note(cell{what: "CPU of " + r.name, plan: p, size: size, unit: "s"}, after.since(before, r.node, inAll).Seconds())
		b.note(cell{what: "peak memory of " + r.name, plan: p, size: size, unit: "MB"}, megabytes(after[[2]string{r.node, inAll}].Peak))
		for _, program := range r.programs {
			if u, ok := after[[2]string{r.node, program}]; ok && r.node != "rr" {
				b.note(cell{what: "CPU of " + r.name + ": " + program, plan: p, size: size, unit: "s"}, after.since(before, r.node, program).Seconds())
				b.note(cell{what: "peak memory of " + r.name + ": " + program, plan: p, size: size, unit: "MB"}, megabytes(u.Peak))
			}
		}
	}
}

func megabytes(octets int64) float64 { return float64(octets) / (1 << 20) }
