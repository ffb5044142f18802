package nve

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/history"
	"github.com/tns-project/tns/speaker"
)

// late is a forwarder that answers over the channel after a while, as the reconciler does.
type late struct {
	generation dataplane.Generation
	results    chan dataplane.Result
}

func (l *late) Set(e dataplane.Entry) dataplane.Generation { return l.answer(e.Key, false) }
func (l *late) Unset(k dataplane.Key) dataplane.Generation { return l.answer(k, true) }
func (l *late) Complete()                                  {}

func (l *late) answer(k dataplane.Key, removed bool) dataplane.Generation {
	l.generation++
	r := dataplane.Result{Generation: l.generation, Key: k, Removed: removed}
	time.AfterFunc(time.Millisecond, func() { l.results <- r })
	return r.Generation
}

// running is an edge in its own goroutine, in a bubble of pretended time.
type running struct {
	*Edge
	tes, fabric chan speaker.Event
	results     chan dataplane.Result
	w           *world // for the routes and the planes' checks; its edge does not run
	done        chan error
}

func run(t *testing.T, ctx context.Context) *running {
	w := emptyWorld(t)
	r := &running{tes: make(chan speaker.Event), fabric: make(chan speaker.Event), results: make(chan dataplane.Result), w: w, done: make(chan error, 1)}
	e, err := New(w.config, Parts{TES: w.tes, Fabric: w.fabric, Forwarder: &late{results: r.results}, History: history.New(64, 16), Log: w.edge.Log})
	if err != nil {
		t.Fatal(err)
	}
	r.Edge = e
	go func() { r.done <- e.Run(ctx, Inputs{TES: r.tes, Fabric: r.fabric, Results: r.results}) }()
	return r
}

// associate has tes1 ask for vm1.
func (r *running) associate() {
	q := evpn.Request{Op: evpn.Associate, Sequence: 1, VM: vm(1), Index: 1, Count: 1}
	route := r.w.requestRoute("tes1", bindingOf("blue/m1"), false)
	route.Communities = append([]evpn.ExtendedCommunity{evpn.ExtendedCommunity(evpn.RequestTarget(r.w.config.ID))}, q.Communities()...)
	r.fabric <- speaker.Event{Kind: speaker.SessionUp, Peer: names["frr"], Epoch: 1}
	r.fabric <- speaker.Event{Kind: speaker.EndOfRIB, Peer: names["frr"], Epoch: 1}
	r.tes <- speaker.Event{Kind: speaker.SessionUp, Peer: names["tes1"], Epoch: 1}
	r.tes <- speaker.Event{Kind: speaker.EndOfRIB, Peer: names["tes1"], Epoch: 1}
	r.tes <- speaker.Event{Kind: speaker.Announced, Peer: names["tes1"], Epoch: 1, Route: route}
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
		"the TES plane": func(r *running) { close(r.tes) }, "the fabric": func(r *running) { close(r.fabric) }, "the kernel": func(r *running) { close(r.results) },
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
