package nve

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/history"
	"github.com/tns-project/tns/speaker"
)

// late is a forwarder that answers after a while, as the reconciler does.
type late struct {
	generation dataplane.Generation
	results    *results

	held  bool
	asked int   // since Hold
	alone int   // without
	gone  []int // how much was asked for between Hold and Release, if anything was
}

// results is the answers of a forwarder.
type results struct {
	mu     sync.Mutex
	wait   []dataplane.Result
	closed bool
	ready  chan struct{}
}

func newResults() *results { return &results{ready: make(chan struct{}, 1)} }

func (r *results) put(all ...dataplane.Result) {
	r.mu.Lock()
	r.wait, r.closed = append(r.wait, all...), len(all) == 0
	r.mu.Unlock()
	select {
	case r.ready <- struct{}{}:
	default:
	}
}

func (r *results) close() { r.put() }

func (r *results) Ready() <-chan struct{} { return r.ready }

func (r *results) Take(into []dataplane.Result, most int) ([]dataplane.Result, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := min(most, len(r.wait))
	into = append(into, r.wait[:n]...)
	r.wait = r.wait[n:]
	return into, !r.closed
}

func (l *late) Set(e dataplane.Entry) dataplane.Generation { return l.answer(e.Key, false) }
func (l *late) Unset(k dataplane.Key) dataplane.Generation { return l.answer(k, true) }
func (l *late) Complete()                                  {}

func (l *late) Hold() { l.held = true }

func (l *late) Release() {
	if l.asked > 0 {
		l.gone = append(l.gone, l.asked)
	}
	l.held, l.asked = false, 0
}

func (l *late) answer(k dataplane.Key, removed bool) dataplane.Generation {
	if l.held {
		l.asked++
	} else {
		l.alone++
	}
	l.generation++
	r := dataplane.Result{Generation: l.generation, Key: k, Removed: removed}
	time.AfterFunc(time.Millisecond, func() { l.results.put(r) })
	return r.Generation
}

// running is an edge in its own goroutine, in a bubble of pretended time.
type running struct {
	*Edge
	tes, fabric *speaker.Queue
	results     *results
	w           *world // for the routes and the planes' checks; its edge does not run
	done        chan error
}

func run(t *testing.T, ctx context.Context) *running { return runWith(t, ctx, func(*Parts) {}) }

// runWith is run with other parts.
func runWith(t *testing.T, ctx context.Context, parts func(*Parts)) *running {
	r := prepare(t, parts)
	r.start(ctx)
	return r
}

// prepare is an edge that does not run yet, with other parts and another configuration.
func prepare(t *testing.T, parts func(*Parts), change ...func(*Config)) *running {
	w := emptyWorld(t, change...)
	r := &running{tes: speaker.NewQueue(), fabric: speaker.NewQueue(), results: newResults(), w: w, done: make(chan error, 1)}
	p := Parts{TES: w.tes, Fabric: w.fabric, Forwarder: &late{results: r.results}, History: history.New(64, 16), Log: w.edge.Log}
	parts(&p)
	e, err := New(w.config, p)
	if err != nil {
		t.Fatal(err)
	}
	r.Edge = e
	return r
}

func (r *running) start(ctx context.Context) {
	go func() { r.done <- r.Run(ctx, Inputs{TES: r.tes, Fabric: r.fabric, Results: r.results}) }()
}

// associate has tes1 ask for vm1.
func (r *running) associate() {
	q := evpn.Request{Op: evpn.Associate, Sequence: 1, VM: vm(1), Index: 1, Count: 1}
	route := r.w.requestRoute("tes1", bindingOf("blue/m1"), false)
	route.Communities = append([]evpn.ExtendedCommunity{evpn.ExtendedCommunity(evpn.RequestTarget(r.w.config.ID))}, q.Communities()...)
	r.fabric.Put(speaker.Event{At: time.Now(), Kind: speaker.SessionUp, Peer: names["frr"], Epoch: 1})
	r.fabric.Put(speaker.Event{At: time.Now(), Kind: speaker.EndOfRIB, Peer: names["frr"], Epoch: 1})
	r.tes.Put(speaker.Event{At: time.Now(), Kind: speaker.SessionUp, Peer: names["tes1"], Epoch: 1})
	r.tes.Put(speaker.Event{At: time.Now(), Kind: speaker.EndOfRIB, Peer: names["tes1"], Epoch: 1})
	r.tes.Put(speaker.Event{At: time.Now(), Kind: speaker.Announced, Peer: names["tes1"], Epoch: 1, Route: route})
}

func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		r := run(t, ctx)
		r.associate()
		time.Sleep(time.Second) // of pretended time
		s, err := r.Snapshot(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if len(s.VMs) != 1 || s.VMs[0].State != evpn.StateAssociated || s.VMs[0].Lifetime <= 298*time.Second || s.VMs[0].Lifetime > 300*time.Second || !s.Ready {
			t.Errorf("snapshot %+v", s)
		}
		if v := s.VMs[0].Routes; len(v) != 1 || !v[0].Active || v[0].Port != "eth11" || v[0].VN != "blue" {
			t.Errorf("routes %+v", v)
		}
		time.Sleep(300 * time.Second)
		stats, err := r.Stats(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if stats.Records[evpn.StateTerminated] != 1 || stats.Responses[Answered{evpn.Fail, evpn.AgedOut}] != 1 || stats.Responses[Answered{evpn.Success, evpn.ReasonNone}] != 1 {
			t.Errorf("stats after the lifetime: %+v", stats)
		}
		if found, err := r.ClearDuplicate(ctx, 10100, mac(1)); found || err != nil {
			t.Errorf("clear what is none: %v, %v", found, err)
		}
		stop()
		if err := <-r.done; err != nil {
			t.Errorf("run: %v", err)
		}
		if _, err := r.Snapshot(ctx); err == nil {
			t.Error("a snapshot of an edge that stopped")
		}
	})
}

func TestRunEndsWithItsInputs(t *testing.T) {
	for name, end := range map[string]func(*running){
		"the TES plane": func(r *running) { r.tes.Close() }, "the fabric": func(r *running) { r.fabric.Close() }, "the kernel": func(r *running) { r.results.close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := run(t, t.Context())
				end(r)
				if err := <-r.done; err == nil {
					t.Error("no error")
				}
			})
		})
	}
}

// What waits when the loop looks is asked of the forwarding table in steps of hundreds, each in one.
func TestStepsAreWrittenInOne(t *testing.T) {
	const vms = 600
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		tes, table := &counter{want: vms, all: make(chan struct{})}, &late{}
		r := prepare(t, func(p *Parts) { p.TES, p.Forwarder = tes, table })
		table.results = r.results
		r.hear(r.fabric, "frr", speaker.SessionUp, speaker.EndOfRIB)
		time.Sleep(time.Second) // of pretended time: the fabric is known before anybody asks
		r.hear(r.tes, "tes1", speaker.SessionUp, speaker.EndOfRIB)
		for i := range vms {
			ev := r.w.asks(evpn.VMID{0: 0xbb, 14: byte(i >> 8), 15: byte(i)}, "blue/m1", 1, 1, 0)
			ev.Route.MAC = evpn.MAC{2, 1, 0, 0, byte(i >> 8), byte(i)}
			ev.At, ev.Peer, ev.Epoch = time.Now(), names["tes1"], 1
			r.tes.Put(ev)
		}
		r.start(ctx)
		<-tes.all
		stop()
		if err := <-r.done; err != nil || len(tes.refused) > 0 {
			t.Fatal(err, tes.refused)
		}
		if sum := table.total(); sum < vms || len(table.gone) > vms/step+2 || slices.Max(table.gone) > step+1 || table.alone > 0 {
			t.Errorf("asked for %v at once, and %d alone", table.gone, table.alone)
		}
	})
}

func (l *late) total() (sum int) {
	for _, n := range l.gone {
		sum += n
	}
	return sum
}

// What comes alone, or a few at a time, is answered at once; in a flood that comes one by one, things gather.
func TestFloodGathers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		table := &late{}
		r := prepare(t, func(p *Parts) { p.Forwarder = table })
		table.results = r.results
		r.start(ctx)
		r.hear(r.fabric, "frr", speaker.SessionUp, speaker.EndOfRIB)
		r.hear(r.tes, "tes1", speaker.SessionUp, speaker.EndOfRIB)
		ask := func(i int) {
			ev := r.w.asks(evpn.VMID{0: 0xbb, 14: byte(i >> 8), 15: byte(i)}, "blue/m1", 1, 1, 0)
			ev.Route.MAC = evpn.MAC{2, 1, 0, 0, byte(i >> 8), byte(i)}
			ev.At, ev.Peer, ev.Epoch = time.Now(), names["tes1"], 1
			r.tes.Put(ev)
		}
		steps := func(from, n int, every time.Duration) (steps int) {
			synctest.Wait()
			before := len(table.gone)
			for i := range n {
				ask(from + i)
				time.Sleep(every)
			}
			synctest.Wait()
			return len(table.gone) - before
		}
		time.Sleep(time.Second)
		if got := steps(0, 20, 20*time.Millisecond); got < 20 {
			t.Errorf("20 VMs in 20 ms each are written in %d steps", got)
		}
		if got := steps(100, 1000, time.Millisecond); got > 400 {
			t.Errorf("1000 VMs in 1 ms each are written in %d steps", got)
		}
		time.Sleep(time.Second)
		if got := steps(2000, 20, 20*time.Millisecond); got < 20 {
			t.Errorf("20 VMs in 20 ms each are written in %d steps after a flood", got)
		}
		stop()
		if err := <-r.done; err != nil {
			t.Error(err)
		}
	})
}
