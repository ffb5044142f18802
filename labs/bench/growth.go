package main

import (
	"context"
	"errors"
	"time"

	"github.com/tns-project/tns/labs/bench/report"
)

var growthMeasure = measure{report.Measure{
	Letter: "g",
	Title:  "One event, as TESs and VNs grow",
	How: `As a, ours alone: the TES that asks is one of two with tesd, and beside it e1 has sessions with so many other TESs that say nothing (or both edges have so many VNs, devices and type 3 routes). CPU is what
all of e1's processes used, for each VM that came and went, until they were quiet; what they use in the same time when nothing happens, for sessions that stand, is taken from it and told beside ("idle").`,
}, (*Bench).growth}

// growth measures each number of TESs, then of VNs.
func (b *Bench) growth(ctx context.Context) error {
	var problems []error
	for _, n := range b.TESs {
		problems = append(problems, b.grown(ctx, "TESs", n, Plan{System: Ours, Fabric: GoBGPReflector, Edges: 2, VNs: 1, TESs: n}))
	}
	for _, n := range b.VNs {
		problems = append(problems, b.grown(ctx, "VNs", n, Plan{System: Ours, Fabric: GoBGPReflector, Edges: 2, VNs: n, Ports: 1}))
	}
	return errors.Join(problems...)
}

// grown measures events in one world.
func (b *Bench) grown(ctx context.Context, what string, n int, p Plan) (err error) {
	fail := func(err error) { b.fail(cell{what: "add, with " + what, plan: p, size: n, unit: "ms"}, err) }
	w, err := b.start(ctx, p)
	if err != nil {
		fail(err)
		return nil
	}
	defer func() { err = errors.Join(err, b.stop(w)) }()
	c, err := w.gather(ctx, p.TESs)
	if err != nil {
		fail(err)
		return nil
	}
	defer c.close()
	idle, err := w.idle(ctx, n)
	if err != nil {
		return err
	}
	before, err := w.costs()
	if err != nil {
		return err
	}
	began := time.Now()
	times := make(map[string][]time.Duration)
	count := max(b.Events/5, 1)
	for i := range count {
		if err := w.event(ctx, i, times); err != nil {
			fail(err)
			return nil
		}
	}
	after, err := w.quiet(ctx, atMost(n))
	if err != nil {
		return err
	}
	used := after.since(before, edge(0), inAll).Seconds() - idle*time.Since(began).Seconds()
	b.note(cell{what: "add, with " + what, plan: p, size: n, unit: "ms"}, report.Milliseconds(times["add"]...)...)
	b.note(cell{what: "delete, with " + what, plan: p, size: n, unit: "ms"}, report.Milliseconds(times["delete"]...)...)
	b.note(cell{what: "CPU of the edge, with " + what, plan: p, size: n, unit: "ms"}, used*1000/float64(count))
	b.note(cell{what: "CPU of the idle edge, with " + what, plan: p, size: n, unit: "ms per s"}, idle*1000)
	b.note(cell{what: "memory of the edge, with " + what, plan: p, size: n, unit: "MB"}, megabytes(after[[2]string{edge(0), inAll}].RSS))
	return nil
}

// idleFor is how long nothing happens: each session of an edge of ours has said once that it is there.
const idleFor = 3 * time.Second

// idle is what e1's processes use when nothing happens, in CPUs.
func (w *World) idle(ctx context.Context, n int) (cpus float64, err error) {
	before, err := w.quiet(ctx, atMost(n))
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := waitFor(ctx, idleFor); err != nil {
		return 0, err
	}
	after, err := w.costs()
	return after.since(before, edge(0), inAll).Seconds() / time.Since(began).Seconds(), err
}
