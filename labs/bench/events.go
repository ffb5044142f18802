package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/tns-project/tns/labs/bench/report"
)

// vnCount is how many VNs the worlds have where nothing else is said.
const vnCount = 4

var eventsMeasure = measure{report.Measure{
	Letter: "a",
	Title:  "One event, from its cause to the entry in another edge's kernel",
	How: `A VM comes, is in both tables of the other edge's kernel (when the kernel notifies of it, by its own clock), goes, and is gone; then the next, in turns between the systems. FRR's clock starts before
the system call that puts the MAC on its port in the local kernel, ours before the call of tesd's control API: so ours has one BGP session more on the way. "answered" is the time until SUCCESS is back at
the VM manager. Every fifth time the same MAC comes and goes once more, as that of a server that is local to nved, as FRR's MACs are to it: ours starts before the call of nved's control API that makes nved
read its configuration again, which has the server, or has it no more. There FRR's figures are those of all its events.`,
}, (*Bench).events}

// events measures single events in each fabric.
func (b *Bench) events(ctx context.Context) error {
	for _, fabric := range b.Fabrics {
		worlds, err := b.startBoth(ctx, Plan{Fabric: fabric, Edges: 2, VNs: vnCount})
		for _, s := range b.alternately(ctx, worlds, b.Events, (*World).eventOrTwo) {
			b.note(cell{what: "add", plan: s.plan, unit: "ms"}, report.Milliseconds(s.times["add"]...)...)
			b.note(cell{what: "delete", plan: s.plan, unit: "ms"}, report.Milliseconds(s.times["delete"]...)...)
			local := map[System][2]string{FRR: {"add", "delete"}, Ours: {"add, local server", "delete, local server"}}[s.plan.System]
			b.note(cell{what: "add, local server", plan: s.plan, unit: "ms"}, report.Milliseconds(s.times[local[0]]...)...)
			b.note(cell{what: "delete, local server", plan: s.plan, unit: "ms"}, report.Milliseconds(s.times[local[1]]...)...)
			if answered := s.times["answered"]; answered != nil {
				b.note(cell{what: "answered", plan: s.plan, unit: "ms"}, report.Milliseconds(answered...)...)
			}
		}
		if err := errors.Join(err, b.stopAll(worlds)); err != nil {
			return err
		}
	}
	return nil
}

// event has the n-th VM come and go at the first edge.
func (w *World) event(ctx context.Context, n int, times map[string][]time.Duration) error {
	v := w.vm(n+1, n%w.Ports)
	began := time.Now()
	if err := w.add(ctx, 0, v); err != nil {
		return err
	}
	answered := time.Since(began)
	at, err := w.observers[1].Await(ctx, v.Device, v.MAC, vtep(0))
	if err != nil {
		return err
	}
	times["add"] = append(times["add"], at.Sub(began))
	if w.System == Ours {
		times["answered"] = append(times["answered"], answered)
	}

	began = time.Now()
	if err := w.remove(ctx, 0, v); err != nil {
		return err
	}
	if at, err = w.observers[1].Await(ctx, v.Device, v.MAC, netip.Addr{}); err != nil {
		return err
	}
	times["delete"] = append(times["delete"], at.Sub(began))
	return nil
}

// eventOrTwo is event, and at ours now and then the same MAC's as that of a server.
func (w *World) eventOrTwo(ctx context.Context, n int, times map[string][]time.Duration) error {
	if err := w.event(ctx, n, times); err != nil || w.System != Ours || n%serverEvery != 0 {
		return err
	}
	return w.serverEvent(ctx, w.vm(n+1, n%w.Ports), times)
}

// serverEvery is of how many events one is also that of a server.
const serverEvery = 5

// serverEvent has the first edge's configuration have a VM's MAC as that of a server, and have it no more.
func (w *World) serverEvent(ctx context.Context, v VM, times map[string][]time.Duration) error {
	for _, step := range []struct {
		what, servers string
		at            netip.Addr
	}{
		{"add, local server", fmt.Sprintf("servers: [{name: server, vm: %s, nics: [{vn: %s, port: %s, mac: %s}]}]\n", v.uuid(), vn(v.VN), port(v.VN), v.mac()), vtep(0)},
		{"delete, local server", "", netip.Addr{}},
	} {
		if err := os.WriteFile(filepath.Join(w.Topology.Dir, edge(0)+".conf"), []byte(w.nved(0)+step.servers), 0o644); err != nil {
			return err
		}
		began := time.Now()
		if err := w.managers[edge(0)].Reload(ctx); err != nil {
			return err
		}
		at, err := w.observers[1].Await(ctx, v.Device, v.MAC, step.at)
		if err != nil {
			return err
		}
		times[step.what] = append(times[step.what], at.Sub(began))
	}
	return nil
}

// series is what was measured of one world.
type series struct {
	plan  Plan
	times map[string][]time.Duration
}

// alternately does something n times in each world, in turns. A world in which it fails is noted so and not asked again.
func (b *Bench) alternately(ctx context.Context, worlds []*World, n int, do func(w *World, ctx context.Context, i int, times map[string][]time.Duration) error) (whole []series) {
	times, failed := make([]map[string][]time.Duration, len(worlds)), make([]bool, len(worlds))
	for i := range n {
		for j, w := range worlds {
			if failed[j] {
				continue
			}
			if times[j] == nil {
				times[j] = make(map[string][]time.Duration)
			}
			limited, cancel := context.WithTimeout(ctx, patience)
			if err := do(w, limited, i, times[j]); err != nil {
				failed[j] = true
				b.fail(cell{what: fmt.Sprintf("%d of %d", i+1, n), plan: w.Plan}, err)
			}
			cancel()
		}
	}
	for j, w := range worlds {
		if !failed[j] {
			whole = append(whole, series{w.Plan, times[j]})
		}
	}
	return whole
}

// startBoth starts the worlds of a plan, of FRR and of ours. One that does not come up is noted so; that is no error.
func (b *Bench) startBoth(ctx context.Context, p Plan) (worlds []*World, err error) {
	for _, p.System = range []System{FRR, Ours} {
		w, err := b.start(ctx, p)
		if err != nil {
			b.fail(cell{what: "start", plan: p}, err)
			continue
		}
		worlds = append(worlds, w)
	}
	return worlds, ctx.Err()
}

// stopAll stops worlds.
func (b *Bench) stopAll(worlds []*World) error {
	var problems []error
	for _, w := range worlds {
		problems = append(problems, b.stop(w))
	}
	return errors.Join(problems...)
}
