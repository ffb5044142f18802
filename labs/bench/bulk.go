package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/tns-project/tns/labs/bench/report"
	"github.com/tns-project/tns/labs/internal/bgp"
)

var bulkMeasure = measure{report.Measure{
	Letter: "b",
	Title:  "Many VMs at once, to another edge's kernel",
	How: `Until both tables of e2's kernel have the last of the MACs, by the kernel's notifications. FRR: from before the first of the system calls that put the MACs on their ports at e1, 128 in a call.
Ours: from before the first octet of the requests of ten TESs, made before, octet by octet, and sent as fast as TCP takes them: as with FRR, who asks costs nothing. Then all are taken away. CPU and peak
memory are those of adding, in fresh processes, to when all of them have nothing to do any more (together less than 0.1 of a CPU for 0.5 s), in what e2's kernel waits for and in what it does not, as GoBGP's table for people; the bench itself, which
watches, shares the CPUs.`,
}, (*Bench).bulk}

// bulkTESs is how many TESs the VMs are behind.
const bulkTESs = 10

// bulk measures each size in each fabric.
func (b *Bench) bulk(ctx context.Context) error {
	var problems []error
	for _, n := range b.VMs {
		for _, fabric := range b.Fabrics {
			for _, system := range []System{FRR, Ours} {
				p := Plan{System: system, Fabric: fabric, Edges: 2, VNs: vnCount, TESs: bulkTESs}
				w, err := b.start(ctx, p)
				if err != nil {
					b.fail(cell{what: "add", plan: p, size: n, unit: "s"}, err)
					continue
				}
				if err := b.bulkIn(ctx, w, n); err != nil {
					b.fail(cell{what: "add", plan: p, size: n, unit: "s"}, fmt.Errorf("%w%s", err, w.logs()))
				}
				problems = append(problems, b.stop(w))
			}
		}
	}
	return errors.Join(problems...)
}

// atMost is how long processes may go on after n VMs.
func atMost(n int) time.Duration { return 5*time.Second + time.Duration(n)*time.Millisecond }

// atOnce is something that is done to many VMs at once: it returns when it began.
type atOnce struct {
	add, remove func() (began time.Time, err error)
}

// bulkIn measures in one world.
func (b *Bench) bulkIn(ctx context.Context, w *World, n int) error {
	limited := func() (context.Context, context.CancelFunc) {
		return context.WithTimeout(ctx, patience+time.Duration(n)*2*time.Millisecond)
	}
	do, end, err := w.atOnce(ctx, w.vms(n))
	if err != nil {
		return err
	}
	defer end()
	there := w.observers[1].Count(vtep(0)) // before
	before, err := w.quiet(ctx, atMost(n))
	if err != nil {
		return err
	}
	stop, err := b.profileAll(w, "bulk", [2]string{"e1", "engine"}, [2]string{"e1", "guard"}, [2]string{"e2", "engine"}, [2]string{"e2", "guard"})
	if err != nil {
		return err
	}
	adding, cancel := limited()
	defer cancel()
	began, err := do.add()
	var at time.Time
	if err == nil {
		at, err = w.observers[1].AwaitCount(adding, vtep(0), there+n)
	}
	if err != nil {
		return errors.Join(err, stop())
	}
	after, err := w.quiet(adding, atMost(n))
	if err = errors.Join(err, stop()); err != nil {
		return err
	}
	b.note(cell{what: "add", plan: w.Plan, size: n, unit: "s"}, report.Seconds(at.Sub(began))...)
	b.noteCosts(w.Plan, n, before, after)
	removing, cancel := limited() // not in what adding, and its profile, have left
	defer cancel()
	if began, err = do.remove(); err != nil {
		return err
	}
	if at, err = w.observers[1].AwaitCount(removing, netip.Addr{}, n); err != nil {
		b.fail(cell{what: "delete", plan: w.Plan, size: n, unit: "s"}, fmt.Errorf("%w%s", err, w.logs()))
		return nil
	}
	b.note(cell{what: "delete", plan: w.Plan, size: n, unit: "s"}, report.Seconds(at.Sub(began))...)
	return nil
}

// atOnce prepares what is done.
func (w *World) atOnce(ctx context.Context, vms []VM) (do atOnce, end func(), err error) {
	if w.System == FRR {
		entries, err := w.local(0, vms...)
		if err != nil {
			return do, nil, err
		}
		return atOnce{
			add:    func() (time.Time, error) { began := time.Now(); return began, w.writers[0].Set(entries...) },
			remove: func() (time.Time, error) { began := time.Now(); return began, w.writers[0].Delete(entries...) },
		}, func() {}, nil
	}
	c, err := w.gather(ctx, w.TESs)
	if err != nil {
		return do, nil, err
	}
	adds, removes := c.requests(vms, bgp.Associate, false), c.requests(vms, bgp.Terminate, false)
	return atOnce{
		add:    func() (time.Time, error) { began, wait := c.send(adds); return began, wait() },
		remove: func() (time.Time, error) { began, wait := c.send(removes); return began, wait() },
	}, c.close, nil
}
