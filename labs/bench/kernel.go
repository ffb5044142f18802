package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
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
	How: `Remote MACs into both tables of one bridge and one VXLAN device, and out again, in a namespace where nobody listens but who writes. "raw netlink": one message an entry, 128 in a system call, the last one
acknowledged, as a hand-written program would. Ours: dataplane.Reconciler over dataplane/linux, from the first Set to the last Result.`,
}, (*Bench).kernel}

// Raw is a program that does nothing but write.
const Raw System = "raw netlink"

// edgeTakes is how many results the edge takes at a time (lifecycle/nve).
const edgeTakes = 256

// repetitions of each size; the least is of cold caches.
const repetitions = 5

// kernel measures each size.
func (b *Bench) kernel(ctx context.Context) error {
	systems := []System{Raw, Ours}
	for _, n := range b.Entries {
		added, deleted := make(map[System][]float64), make(map[System][]float64)
		for range repetitions {
			for _, system := range systems { // in turns, so that both have the same neighbours on the machine
				add, remove, err := writeOnce(ctx, system, n)
				if err != nil {
					return fmt.Errorf("%s, %d entries: %w", system, n, err)
				}
				added[system] = append(added[system], float64(add.Nanoseconds())/1000/float64(n))
				deleted[system] = append(deleted[system], float64(remove.Nanoseconds())/1000/float64(n))
			}
		}
		for _, system := range systems {
			b.note(cell{what: "add", system: system, size: n, unit: "µs per entry"}, added[system]...)
			b.note(cell{what: "delete", system: system, size: n, unit: "µs per entry"}, deleted[system]...)
		}
	}
	return nil
}

// writeOnce writes and deletes entries in a namespace of its own.
func writeOnce(ctx context.Context, system System, n int) (add, remove time.Duration, err error) {
	space, err := netns.Create(fmt.Sprint("tns-bench-f-", os.Getpid()))
	if err != nil {
		return 0, 0, err
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
		return 0, 0, err
	}
	network := dataplane.Network{VNI: dataplane.VNI(vni(0)), Name: vn(0), Bridge: "br1", VXLAN: vxlan(0), VTEP: vtep(0), UDPPort: 4789}
	err = kernel.Ensure(ctx, []dataplane.Network{network})
	if system == Raw || err != nil {
		kernel.Close()
	}
	switch {
	case err != nil:
		return 0, 0, err
	case system == Raw:
		return raw(space, n)
	}
	defer kernel.Close()
	return reconciled(ctx, kernel, n)
}

// macOf is the MAC of the i-th entry.
func macOf(i int) [6]byte { return [6]byte{2, 0, 0, byte(i >> 16), byte(i >> 8), byte(i)} }

func raw(space *netns.Namespace, n int) (add, remove time.Duration, err error) {
	w, err := fdb.NewWriter(space)
	if err != nil {
		return 0, 0, err
	}
	defer w.Close()
	device, err := w.Device(vxlan(0))
	if err != nil {
		return 0, 0, err
	}
	var entries []fdb.Entry
	for i := range n {
		entries = append(entries, fdb.Entry{Device: device, MAC: macOf(i), VTEP: vtep(1)})
	}
	began := time.Now()
	if err := w.Set(entries...); err != nil {
		return 0, 0, err
	}
	add, began = time.Since(began), time.Now()
	err = w.Delete(entries...)
	return add, time.Since(began), err
}

func reconciled(ctx context.Context, kernel dataplane.Kernel, n int) (add, remove time.Duration, err error) {
	r := dataplane.NewReconciler(kernel)
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- r.Run(running) }()
	defer func() { stop(); err = errors.Join(err, <-ended) }()
	if _, _, err := r.Resync(ctx); err != nil {
		return 0, 0, err
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
	key := func(i int) dataplane.Key {
		return dataplane.Key{Kind: dataplane.Unicast, VNI: dataplane.VNI(vni(0)), MAC: macOf(i)}
	}
	began := time.Now()
	for i := range n {
		r.Set(dataplane.Entry{Key: key(i), VTEP: vtep(1)})
	}
	if err := results(); err != nil {
		return 0, 0, err
	}
	add, began = time.Since(began), time.Now()
	for i := range n {
		r.Unset(key(i))
	}
	err = results()
	return add, time.Since(began), err
}
