package main

import (
	"context"
	"errors"
	"time"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	"github.com/tns-project/tns/labs/bench/report"
	"github.com/tns-project/tns/labs/internal/manager"
)

var movesMeasure = measure{report.Measure{
	Letter: "c",
	Title:  "A move from one edge to another, seen at a third",
	How: `Many VMs, each moved once from e1 to e2, in turns between the systems and 0.25 s after the move before, so that FRR's does not ride on a timer that runs already. Until e3's kernel has the
MAC behind e2. FRR: from before the system call that puts the MAC on its port at e2, while it stands at e1, as a gratuitous ARP would have it. Ours: after EMIGRATE at the source, from before the call that asks for ASSOCIATE with
Immigration at the target; "with EMIGRATE" from before that call.`,
}, (*Bench).moves}

// pause lies between two moves of FRR's: longer than its timers.
const pause = 250 * time.Millisecond

// moves measures moves in each fabric.
func (b *Bench) moves(ctx context.Context) error {
	for _, fabric := range b.Fabrics {
		worlds, err := b.startBoth(ctx, Plan{Fabric: fabric, Edges: 3, VNs: vnCount})
		for i := range b.Moves {
			for _, w := range worlds {
				if err := w.add(ctx, 0, w.vm(i+1, i%w.Ports)); err != nil {
					return errors.Join(err, b.stopAll(worlds))
				}
			}
		}
		for _, s := range b.alternately(ctx, worlds, b.Moves, (*World).move) {
			b.note(cell{what: "move", plan: s.plan, unit: "ms"}, report.Milliseconds(s.times["move"]...)...)
			if whole := s.times["with EMIGRATE"]; whole != nil {
				b.note(cell{what: "move with EMIGRATE", plan: s.plan, unit: "ms"}, report.Milliseconds(whole...)...)
			}
		}
		if err := errors.Join(err, b.stopAll(worlds)); err != nil {
			return err
		}
	}
	return nil
}

// move takes the n-th VM from the first edge to the second.
func (w *World) move(ctx context.Context, n int, times map[string][]time.Duration) error {
	v := w.vm(n+1, n%w.Ports)
	if _, err := w.observers[2].Await(ctx, v.Device, v.MAC, vtep(0)); err != nil {
		return err
	}
	if w.System == FRR {
		if err := waitFor(ctx, pause); err != nil {
			return err
		}
	}
	began, err := w.leave(ctx, v)
	if err != nil {
		return err
	}
	asked := time.Now()
	if err := w.arrive(ctx, v); err != nil {
		return err
	}
	at, err := w.observers[2].Await(ctx, v.Device, v.MAC, vtep(1))
	if err != nil {
		return err
	}
	times["move"] = append(times["move"], at.Sub(asked))
	if w.System == FRR {
		return nil
	}
	times["with EMIGRATE"] = append(times["with EMIGRATE"], at.Sub(began))
	return w.left(ctx, v)
}

// leave prepares a move from e1 to e2, as a VM manager does, to where the VM pauses. FRR has nothing to prepare.
func (w *World) leave(ctx context.Context, v VM) (began time.Time, err error) {
	if w.System == Ours {
		err = w.managers[host(1)].Do(ctx, manager.Operation{
			VM: v.uuid(), Op: tnsv1.Op_OP_PRE_ASSOCIATE, Immigration: true, VN: vn(v.VN), MAC: v.mac().String(),
		})
	}
	began = time.Now()
	if err == nil && w.System == Ours {
		err = w.managers[host(0)].Do(ctx, manager.Operation{VM: v.uuid(), Op: tnsv1.Op_OP_EMIGRATE})
	}
	return began, err
}

// arrive has the VM go on at e2.
func (w *World) arrive(ctx context.Context, v VM) error {
	if w.System == FRR {
		return w.set(1, v)
	}
	return w.managers[host(1)].Do(ctx, manager.Operation{
		VM: v.uuid(), Op: tnsv1.Op_OP_ASSOCIATE, Immigration: true, VN: vn(v.VN), MAC: v.mac().String(),
	})
}

// left clears up at e1. FRR's has done so itself when it hears of the move.
func (w *World) left(ctx context.Context, v VM) error {
	if w.System == FRR {
		return nil
	}
	return w.managers[host(0)].Do(ctx, manager.Operation{VM: v.uuid(), Op: tnsv1.Op_OP_TERMINATE})
}
