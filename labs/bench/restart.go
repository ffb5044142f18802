package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/tns-project/tns/labs/bench/report"
	"github.com/tns-project/tns/labs/internal/bgp"
	"github.com/tns-project/tns/labs/internal/clab"
	"github.com/tns-project/tns/labs/internal/fdb"
	"github.com/tns-project/tns/labs/internal/frr"
	"github.com/tns-project/tns/labs/internal/manager"
	"github.com/tns-project/tns/labs/internal/wait"
)

var restartMeasure = measure{report.Measure{
	Letter: "e",
	Title:  "Start and restart of an edge, with all routes of another one standing",
	How: `e1 is a BGP speaker by hand that announces the routes to the reflector; e2 is FRR's edge, or ours. "cold start": e2's daemons are killed and its kernel's tables emptied; from before the
daemons are started until both tables have the last MAC; its CPU time is taken when all processes have nothing to do any more (as in b). "restart": of FRR, SIGTERM to zebra and bgpd, then start; of ours, "restart" is SIGTERM to nved, then start, and "restart of the engine" is SIGKILL
to the engine, which the supervisor starts again. Until e2 has its session, with its engine behind it, and both tables have all MACs. "missing at the worst" is how many of the MACs the kernel was without at the same time.`,
}, (*Bench).restarts}

// hubAddress is the reflector's.
var hubAddress = netip.MustParseAddr(hub)

// restarts measures behind each reflector. With direct sessions there is nobody to keep the routes that differs.
func (b *Bench) restarts(ctx context.Context) error {
	var problems []error
	for _, fabric := range b.Fabrics {
		if fabric == Direct {
			continue
		}
		for _, system := range []System{FRR, Ours} {
			p := Plan{System: system, Fabric: fabric, Edges: 2, VNs: vnCount, ByHand: true}
			w, err := b.start(ctx, p)
			if err == nil {
				err = b.restartsIn(ctx, w)
				problems = append(problems, b.stop(w))
			}
			if err != nil {
				b.fail(cell{what: "cold start", plan: p, size: b.Routes, unit: "s"}, err)
			}
		}
	}
	return errors.Join(problems...)
}

func (b *Bench) restartsIn(ctx context.Context, w *World) error {
	ctx, cancel := context.WithTimeout(ctx, 4*patience+time.Duration(b.Routes)*4*time.Millisecond)
	defer cancel()
	s, err := w.session(ctx, bgp.Dial, edge(0), vtep(0), hubAddress, nil)
	if err != nil {
		return err
	}
	defer s.Close()
	vms := w.vms(b.Routes)
	var octets []byte
	for i := range w.VNs {
		octets = s.AppendTo(octets, s.InclusiveMulticast(uint32(vni(i))), bgp.RouteTarget(as, uint32(vni(i))), bgp.VXLAN)
	}
	for _, v := range vms {
		octets = s.AppendTo(octets, s.MACIP(uint32(vni(v.VN)), v.mac(), netip.Addr{}), bgp.RouteTarget(as, uint32(vni(v.VN))), bgp.VXLAN)
	}
	began := time.Now()
	if err := s.Send(octets); err != nil {
		return err
	}
	seen := w.observers[1]
	whole := func(what string) error {
		at, err := seen.AwaitCount(ctx, vtep(0), b.Routes)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		b.note(cell{what: what, plan: w.Plan, size: b.Routes, unit: "s"}, report.Seconds(at.Sub(began))...)
		return nil
	}
	if err := whole("first"); err != nil {
		return err
	}

	if err := w.end(1, syscall.SIGKILL, daemons...); err != nil {
		return err
	}
	if err := w.empty(ctx, 1, vms); err != nil {
		return err
	}
	before, err := w.costs()
	if err != nil {
		return err
	}
	began = time.Now()
	if err := w.Start(edge(1)); err != nil {
		return err
	}
	if err := whole("cold start"); err != nil {
		return err
	}
	after, err := w.quiet(ctx, atMost(b.Routes))
	if err != nil {
		return err
	}
	b.note(cell{what: "cold start, CPU", plan: w.Plan, size: b.Routes, unit: "s"}, after.since(before, edge(1), inAll).Seconds())

	if w.System == Ours {
		if err := b.restart(ctx, w, "restart of the engine", func() error { return w.end(1, syscall.SIGKILL, "engine") }); err != nil {
			return err
		}
	}
	return b.restart(ctx, w, "restart", func() error {
		if err := w.end(1, syscall.SIGTERM, daemons...); err != nil {
			return err
		}
		return w.Start(edge(1))
	})
}

// daemons are the programs that make an edge.
var daemons = []string{"zebra", "bgpd", "nved"}

// restart does something to e2 and waits until all is as before.
func (b *Bench) restart(ctx context.Context, w *World, what string, do func() error) error {
	c := func(what, unit string) cell { return cell{what: what, plan: w.Plan, size: b.Routes, unit: unit} }
	if err := w.steady(ctx, 1); err != nil {
		return fmt.Errorf("before the %s: %w", what, err)
	}
	seen := w.observers[1]
	seen.Lowest(vtep(0))
	began := time.Now()
	if err := do(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if err := w.steady(ctx, 1); err != nil {
		return fmt.Errorf("after the %s: %w", what, err)
	}
	if _, err := seen.AwaitCount(ctx, vtep(0), b.Routes); err != nil {
		return fmt.Errorf("after the %s: %w", what, err)
	}
	took := time.Since(began)
	b.note(c(what, "s"), took.Seconds())
	b.note(c(what+": missing at the worst", "MACs"), float64(b.Routes-seen.Lowest(vtep(0))))
	return nil
}

// steady waits until the sessions of an edge stand.
func (w *World) steady(ctx context.Context, i int) error {
	if w.System == FRR {
		return frr.Router{Lab: w.Lab, Node: edge(i)}.WaitSessions(ctx, patience, hub)
	}
	return wait.Until(ctx, 4*patience, "the engine of "+edge(i), func() error {
		m, err := manager.New(w.Lab, edge(i), "nved")
		if err != nil {
			return err
		}
		defer m.Close()
		return m.Established(ctx, 1+1) // with the reflector, and with its own TES
	})
}

// end ends programs of an edge, nved with all its processes, and waits until they are gone.
func (w *World) end(i int, signal syscall.Signal, programs ...string) error {
	everything, err := w.Everything(edge(i))
	if err != nil {
		return err
	}
	var gone []clab.Process
	for _, p := range everything {
		if !slices.ContainsFunc(programs, p.Is) {
			continue
		}
		// The supervisor ends the others; they are killed with it where it cannot.
		if signal != syscall.SIGTERM || !p.Is("engine") && !p.Is("guard") {
			if err := syscall.Kill(p.ID, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("end %v: %w", p.Args, err)
			}
		}
		gone = append(gone, p)
	}
	if len(gone) == 0 {
		return fmt.Errorf("end %v on %s: none of them runs", programs, edge(i))
	}
	for _, p := range gone {
		if err := p.Wait(); err != nil {
			return err
		}
	}
	return nil
}

// empty takes MACs out of both tables of an edge whose daemons do not run.
func (w *World) empty(ctx context.Context, i int, vms []VM) error {
	var entries []fdb.Entry
	for _, v := range vms {
		device, err := w.writers[i].Device(v.Device)
		if err != nil {
			return err
		}
		entries = append(entries, fdb.Entry{Device: device, MAC: v.MAC, VTEP: vtep(0)})
	}
	if err := w.writers[i].Delete(entries...); err != nil {
		return err
	}
	_, err := w.observers[i].AwaitCount(ctx, vtep(0), 0)
	return err
}
