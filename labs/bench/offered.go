package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tns-project/tns/labs/bench/report"
	"github.com/tns-project/tns/labs/internal/bgp"
)

var offeredMeasure = measure{report.Measure{
	Letter: "h",
	Title:  "Associations into one edge",
	How: `TESs, each with its session, on which it asks for the responses to it (RFC 4684) as tesd does, offer VMs to one edge, all at once: each VM one MAC and one IPv4 address, so two routes, and two answers. From before the first octet to the last SUCCESS. CPU time and memory,
by which the resident set of each process has grown, are taken when all processes have had nothing to do (as in b) for 5 s more, before and after. "GoBGP" is the same UPDATEs, octet by octet, from one session through a route reflector made of GoBGP v3 (labs/reflector) to one other session, until the last has arrived there: one sender and
one receiver is the best that it can do, as its costs grow with each of its peers.`,
}, (*Bench).offered}

// Bare is a GoBGP alone, with nothing of ours around it.
const Bare System = "GoBGP"

// offered measures each size.
func (b *Bench) offered(ctx context.Context) error {
	var problems []error
	for _, n := range b.Offered {
		for _, p := range []Plan{
			{System: Bare, Fabric: GoBGPReflector, Edges: 2, VNs: 1},
			{System: Ours, Fabric: GoBGPReflector, Edges: 1, VNs: 1, TESs: b.Speakers},
		} {
			c := cell{what: "associations", plan: p, size: n, unit: "per s"}
			w, err := b.start(ctx, p)
			if err != nil {
				b.fail(c, err)
				continue
			}
			limited, cancel := context.WithTimeout(ctx, patience+time.Duration(n)*5*time.Millisecond)
			if p.System == Bare {
				err = b.moved(limited, w, c)
			} else {
				err = b.associated(limited, w, c)
			}
			cancel()
			if err != nil {
				b.fail(c, err)
			}
			problems = append(problems, b.stop(w))
		}
	}
	return errors.Join(problems...)
}

// associated offers VMs to nved.
func (b *Bench) associated(ctx context.Context, w *World, c cell) error {
	crowd, err := w.gather(ctx, w.TESs)
	if err != nil {
		return err
	}
	defer crowd.close()
	octets := crowd.requests(w.vms(c.size), bgp.Associate, true)
	before, err := w.rested(ctx, atMost(c.size))
	if err != nil {
		return err
	}
	stop, err := b.profileAll(w, "offered", [2]string{"e1", "engine"}, [2]string{"e1", "guard"})
	if err != nil {
		return err
	}
	began, sent := crowd.send(octets)
	last, err := crowd.await(ctx, 2*c.size)
	if err != nil {
		crowd.close() // what is not sent yet never may be
		return errors.Join(err, sent(), stop())
	}
	after, err := w.rested(ctx, atMost(c.size))
	if err = errors.Join(err, sent(), stop()); err != nil {
		return err
	}
	b.note(c, float64(c.size)/last.Sub(began).Seconds())
	for _, program := range []string{"engine", "guard", "supervisor"} {
		b.perVM(c, before, after, "e1", program)
	}
	return nil
}

// moved sends the same routes through a GoBGP.
func (b *Bench) moved(ctx context.Context, w *World, c cell) error {
	arrived, done := 0, make(chan time.Time, 1)
	receiver, err := w.session(ctx, bgp.Dial, edge(1), vtep(1), hubAddress, func(update []byte) {
		announced, _ := bgp.Count(update)
		if arrived += announced; announced > 0 && arrived == 2*c.size { // withdrawals come when the sender has gone
			done <- time.Now()
		}
	})
	if err != nil {
		return err
	}
	defer receiver.Close()
	sender, err := w.session(ctx, bgp.Dial, edge(0), vtep(0), hubAddress, nil)
	if err != nil {
		return err
	}
	defer sender.Close()
	one := &crowd{world: w, sessions: []*bgp.Session{sender}, changed: make(chan struct{}, 1)}
	octets := one.requests(w.vms(c.size), bgp.Associate, true)
	before, err := w.rested(ctx, atMost(c.size))
	if err != nil {
		return err
	}
	began, sent := one.send(octets)
	if err := sent(); err != nil {
		return err
	}
	select {
	case at := <-done:
		after, err := w.rested(ctx, atMost(c.size))
		if err != nil {
			return err
		}
		b.note(c, float64(c.size)/at.Sub(began).Seconds())
		b.perVM(c, before, after, "rr", "reflector")
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: not all of %d routes have arrived", context.Cause(ctx), 2*c.size)
	}
}

// perVM notes CPU time and memory of a program for each VM.
func (b *Bench) perVM(c cell, before, after costs, node, program string) {
	k := [2]string{node, program}
	in := func(what, unit string) cell { return cell{what: what, plan: c.plan, size: c.size, unit: unit} }
	b.note(in("memory: "+program, "KB per VM"), float64(after[k].RSS-before[k].RSS)/1024/float64(c.size))
	b.note(in("CPU: "+program, "µs per VM"), float64(after.since(before, node, program).Microseconds())/float64(c.size))
}
