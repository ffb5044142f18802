package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/tns-project/tns/labs/bench/report"
	"github.com/tns-project/tns/labs/internal/probe"
	"github.com/tns-project/tns/labs/internal/wait"
)

var migrationMeasure = measure{report.Measure{
	Letter: "d",
	Title:  "Migration of a VM that never sends",
	How: `A host behind e3 sends the VM a frame a millisecond while it moves from e1 to e2 as in c. The VM is gone from its old place when the call for EMIGRATE is made, and is at the new one when SUCCESS to ASSOCIATE has come back
(FRR: both at the system call that puts the MAC on its port at e2). A frame is lost if it was sent after the VM left its old place and never came to the new one; "beyond the pause" counts those that were
sent when the VM was there again. The VM itself has sent nothing, which a counter on its interface proves.`,
}, (*Bench).migrations}

// migrations measures migrations in each fabric.
func (b *Bench) migrations(ctx context.Context) error {
	for _, fabric := range b.Fabrics {
		worlds, err := b.startBoth(ctx, Plan{Fabric: fabric, Edges: 3, VNs: 1})
		for _, w := range worlds {
			var lost, beyond []float64
			for i := range max(b.Moves/5, 1) {
				m, err := w.migrate(ctx, i)
				if err != nil {
					b.fail(cell{what: fmt.Sprintf("migration %d", i+1), plan: w.Plan}, err)
					break
				}
				lost, beyond = append(lost, float64(m.lost)), append(beyond, float64(m.beyond))
			}
			b.note(cell{what: "lost beyond the pause", plan: w.Plan, unit: "frames"}, beyond...)
			b.note(cell{what: "lost in all", plan: w.Plan, unit: "frames"}, lost...)
		}
		if err := errors.Join(err, b.stopAll(worlds)); err != nil {
			return err
		}
	}
	return nil
}

// migration is what one has cost, in frames of a millisecond.
type migration struct{ lost, beyond int }

// settled is how many frames have to arrive for a flow to be called undisturbed.
const settled = 50

// migrate takes the n-th VM from e1 to e2 while a host behind e3 sends to it.
func (w *World) migrate(ctx context.Context, n int) (m migration, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	far, v := w.vm(1<<25, 0), w.vm(n+1, 0)
	if n == 0 {
		err = w.add(ctx, 2, far) // a source that is not known is let in nowhere
	}
	if err == nil {
		err = w.add(ctx, 0, v)
	}
	if err == nil {
		_, err = w.observers[2].Await(ctx, v.Device, v.MAC, vtep(0))
	}
	if err != nil {
		return m, err
	}
	flow := probe.Flow{ID: rand.Uint64(), Source: far.mac(), Destination: v.mac()}
	var taps []*probe.Tap
	defer func() {
		for _, t := range taps {
			err = errors.Join(err, t.Stop())
		}
	}()
	for i := range 2 {
		t, err := probe.Listen(w.Namespace(host(i)), port(0), flow)
		if err != nil {
			return m, err
		}
		taps = append(taps, t)
	}
	sender, err := probe.Send(w.Namespace(host(2)), port(0), flow)
	if err != nil {
		return m, err
	}
	gone, back, err := w.underProbes(ctx, v, taps)
	sent, failed := sender.Stop()
	if err := errors.Join(err, failed); err != nil {
		return m, err
	}
	if n := taps[0].Emitted() + taps[1].Emitted(); n > 0 {
		return m, fmt.Errorf("the silent VM sent %d frames", n)
	}
	return judge(sent, taps[1].Arrivals(), gone, back), w.left(ctx, v)
}

// underProbes moves a VM, and returns when frames arrive at its new place: when it left the old one, and when it was at the new one.
func (w *World) underProbes(ctx context.Context, v VM, taps []*probe.Tap) (gone, back time.Time, err error) {
	arrive := func(t *probe.Tap, place string) error {
		before := len(t.Arrivals())
		return wait.Until(ctx, patience, "frames at "+place, func() error {
			if n := len(t.Arrivals()) - before; n < settled {
				return fmt.Errorf("%d of %d have come", n, settled)
			}
			return nil
		})
	}
	if err = arrive(taps[0], "the old place"); err != nil {
		return gone, back, err
	}
	if gone, err = w.leave(ctx, v); err != nil {
		return gone, back, err
	}
	if err = w.arrive(ctx, v); err != nil {
		return gone, back, err
	}
	back = time.Now()
	if w.System == FRR {
		back = gone
	}
	return gone, back, arrive(taps[1], "the new place")
}

// judge counts frames that did not come to the new place. Those at the end of the flow, which were still on their way, are not among them.
func judge(sent []time.Time, arrivals []probe.Arrival, gone, back time.Time) (m migration) {
	seen := make(map[uint32]bool)
	last := uint32(0)
	for _, a := range arrivals {
		seen[a.Number] = true
		last = max(last, a.Number)
	}
	for i, at := range sent[:min(int(last)+1, len(sent))] {
		if at.Before(gone) || seen[uint32(i)] {
			continue
		}
		m.lost++
		if !at.Before(back) {
			m.beyond++
		}
	}
	return m
}
