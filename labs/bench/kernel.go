package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/dataplane/linux"
	"github.com/tns-project/tns/labs/bench/report"
	"github.com/tns-project/tns/labs/internal/fdb"
	"github.com/tns-project/tns/labs/internal/netns"
)

var kernelMeasure = measure{report.Measure{
	Letter: "f",
	Title:  "The kernel's tables alone",
	How: `Remote MACs into both tables of one bridge and one VXLAN device, and out again, in a namespace where nobody listens but who writes. "raw netlink": one message an entry, made as it is sent, 128 in a system call,
the last one acknowledged, as a hand-written program would. Ours: dataplane.Reconciler over dataplane/linux, which listens, from the first Set to the last Result. The entries of both are made before. Both in one process, in turns, now one first, now the other, each time with a kernel's tables, a socket and a
Reconciler that are new; garbage is collected before each clock starts. "First" is when all of that is used for the first time; the other rows are when the same is done once more, as in an edge that lives: what memory the
first time touched, in the process and in the kernel, need not be touched first again.`,
}, (*Bench).kernel}

// Raw is a program that does nothing but write.
const Raw System = "raw netlink"

// edgeTakes is how many results the edge takes at a time (lifecycle/nve).
const edgeTakes = 256

// repetitions of each size.
func repetitions(n int) int {
	if n > 10_000 {
		return 9
	}
	return 21
}

// written is how long some entries took, each time.
type written struct{ add, remove []time.Duration }

// rounds are the first time, and once more.
var rounds = []struct{ add, remove string }{{"add, first", "delete, first"}, {"add", "delete"}}

// kernel measures each size.
func (b *Bench) kernel(ctx context.Context) error {
	systems := []System{Raw, Ours}
	turns := slices.Clone(systems)
	for _, n := range b.Entries {
		all := make(map[System][]written)
		for range repetitions(n) {
			slices.Reverse(turns) // in turns, so that both have the same neighbours on the machine, and what the other one leaves in the kernel's memory
			for _, system := range turns {
				w, err := writeOnce(ctx, system, n)
				if err != nil {
					return fmt.Errorf("%s, %d entries: %w", system, n, err)
				}
				all[system] = append(all[system], w)
			}
		}
		for _, system := range systems {
			for i, round := range rounds {
				var add, remove []float64
				for _, w := range all[system] {
					add, remove = append(add, perEntry(w.add[i], n)), append(remove, perEntry(w.remove[i], n))
				}
				b.note(cell{what: round.add, system: system, size: n, unit: "µs per entry"}, add...)
				b.note(cell{what: round.remove, system: system, size: n, unit: "µs per entry"}, remove...)
			}
		}
	}
	return nil
}

func perEntry(d time.Duration, n int) float64 { return float64(d.Nanoseconds()) / 1000 / float64(n) }

// timed is how long something takes, after garbage was collected.
func timed(into *[]time.Duration, do func() error) error {
	runtime.GC()
	began := time.Now()
	err := do()
	*into = append(*into, time.Since(began))
	return err
}

// writeOnce writes and deletes entries, in each round, in a namespace of its own.
func writeOnce(ctx context.Context, system System, n int) (w written, err error) {
	space, err := netns.Create(fmt.Sprint("tns-bench-f-", os.Getpid()))
	if err != nil {
		return w, err
	}
	defer func() { err = errors.Join(err, space.Delete()) }()
	silent := logrus.New()
	silent.SetOutput(io.Discard)
	var kernel *linux.Kernel
	err = space.Do(func() (err error) {
		kernel, err = linux.New(linux.Options{Log: silent})
		return err
	})
	if err != nil {
		return w, err
	}
	network := dataplane.Network{VNI: dataplane.VNI(vni(0)), Name: vn(0), Bridge: "br1", VXLAN: vxlan(0), VTEP: vtep(0), UDPPort: 4789}
	err = kernel.Ensure(ctx, []dataplane.Network{network})
	if system == Raw || err != nil {
		kernel.Close()
	}
	switch {
	case err != nil:
		return w, err
	case system == Raw:
		return raw(space, n)
	}
	defer kernel.Close()
	return reconciled(ctx, kernel, n)
}

// macOf is the MAC of the i-th entry.
func macOf(i int) [6]byte { return [6]byte{2, 0, 0, byte(i >> 16), byte(i >> 8), byte(i)} }

func raw(space *netns.Namespace, n int) (all written, err error) {
	w, err := fdb.NewWriter(space)
	if err != nil {
		return all, err
	}
	defer w.Close()
	device, err := w.Device(vxlan(0))
	if err != nil {
		return all, err
	}
	var entries []fdb.Entry
	for i := range n {
		entries = append(entries, fdb.Entry{Device: device, MAC: macOf(i), VTEP: vtep(1)})
	}
	for range rounds {
		if err := timed(&all.add, func() error { return w.Set(entries...) }); err != nil {
			return all, err
		}
		if err := timed(&all.remove, func() error { return w.Delete(entries...) }); err != nil {
			return all, err
		}
	}
	return all, nil
}

func reconciled(ctx context.Context, kernel dataplane.Kernel, n int) (all written, err error) {
	r := dataplane.NewReconciler(kernel)
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- r.Run(running) }()
	defer func() { stop(); err = errors.Join(err, <-ended) }()
	if _, _, err := r.Resync(ctx); err != nil {
		return all, err
	}
	var some []dataplane.Result
	results := func() error {
		for left := n; left > 0; left -= len(some) {
			select {
			case <-r.Answers().Ready():
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			some, _ = r.Answers().Take(some[:0], edgeTakes)
			for _, result := range some {
				if result.Err != nil {
					return result.Err
				}
			}
		}
		return nil
	}
	var entries []dataplane.Entry
	for i := range n {
		key := dataplane.Key{Kind: dataplane.Unicast, VNI: dataplane.VNI(vni(0)), MAC: macOf(i)}
		entries = append(entries, dataplane.Entry{Key: key, VTEP: vtep(1)})
	}
	for range rounds {
		err := timed(&all.add, func() error {
			for i := range entries {
				r.Set(entries[i])
			}
			return results()
		})
		if err != nil {
			return all, err
		}
		err = timed(&all.remove, func() error {
			for i := range entries {
				r.Unset(entries[i].Key)
			}
			return results()
		})
		if err != nil {
			return all, err
		}
	}
	return all, nil
}
