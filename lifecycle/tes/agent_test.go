package tes

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/history"
	"github.com/tns-project/tns/speaker"
)

// bench is an agent that runs, between a table and a scripted NVE that answers on the agent's event channel.
type bench struct {
	t       *testing.T
	agent   *Agent
	events  chan speaker.Event
	changes chan struct{}
	failed  chan error // what Run returns
	stop    context.CancelFunc

	mu      sync.Mutex
	routes  map[evpn.RouteKey]evpn.Route
	opened  int // routes in the table when the sessions were opened
	edge    *edge
	pending []speaker.Event
}

func (b *bench) Announce(r evpn.Route) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.routes[r.RouteKey] = r
	b.pending = append(b.pending, b.edge.react(b.routes)...)
	return nil
}

func (b *bench) Withdraw(k evpn.RouteKey) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.routes, k)
	return nil
}

func (b *bench) Open(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.opened = len(b.routes)
	return nil
}

func (b *bench) Resend(netip.Addr) error { return nil }

func (b *bench) Own() ([]evpn.RouteKey, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Collect(maps.Keys(b.routes)), nil
}

func (b *bench) OwnChanges() <-chan struct{} { return b.changes }

// startBench must be called within a synctest bubble.
func startBench(t *testing.T, d *disk) *bench {
	b := &bench{
		t: t, events: make(chan speaker.Event), changes: make(chan struct{}, 1), failed: make(chan error, 1),
		routes: map[evpn.RouteKey]evpn.Route{}, edge: newEdge(edgeID, edgePeer),
	}
	b.agent = New(testConfig(), b, d, history.New(100, 100), quiet())
	ctx, cancel := context.WithCancel(t.Context())
	b.stop = cancel
	go func() { b.failed <- b.agent.Run(ctx, b.events) }()
	synctest.Wait()
	return b
}

func (b *bench) up() {
	b.mu.Lock()
	b.edge.up, b.edge.epoch = true, 1
	b.mu.Unlock()
	b.events <- speaker.Event{Kind: speaker.SessionUp, Peer: edgePeer, Epoch: 1, RouterID: edgeID, AS: 65000}
	b.events <- speaker.Event{Kind: speaker.EndOfRIB, Peer: edgePeer, Epoch: 1}
	synctest.Wait()
}

// answers sends the agent what the NVE has said so far.
func (b *bench) answers() {
	b.mu.Lock()
	events := b.pending
	b.pending = nil
	b.mu.Unlock()
	for _, e := range events {
		b.events <- e
	}
	synctest.Wait()
}

func (b *bench) end() {
	b.stop()
	if err := <-b.failed; err != nil {
		b.t.Errorf("Run: %v", err)
	}
}

var associateBlue = Operation{Op: evpn.Associate, VM: vmid(1), NICs: []NIC{nic("blue", 1)}}

func TestDoWaitsForTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := startBench(t, newDisk())
		defer b.end()
		b.up()
		done := make(chan outcome, 1)
		go func() {
			r, err := b.agent.Do(t.Context(), associateBlue)
			done <- outcome{r, err}
		}()
		synctest.Wait()
		select {
		case out := <-done:
			t.Fatalf("returned before the answer: %+v", out)
		default:
		}
		time.Sleep(30 * time.Millisecond)
		b.answers()
		out := <-done
		if out.err != nil || out.result.Status != evpn.Success || out.result.State != evpn.StateAssociated || out.result.Elapsed != 30*time.Millisecond {
			t.Errorf("got %+v", out)
		}
		s := b.agent.Snapshot()
		if v := s.VM(vmid(1)); v == nil || v.State != evpn.StateAssociated || !v.Routes[0].Active || v.Lifetime != 300*time.Second {
			t.Errorf("the snapshot has %+v", v)
		}
		if len(s.Sessions) != 2 || !s.Sessions[0].Up || s.Sessions[1].Up || s.Stats.Requests[evpn.Associate] != 1 || s.Stats.Responses[0] != 1 {
			t.Errorf("the snapshot has %+v, %+v", s.Sessions, s.Stats)
		}
	})
}

func TestDoReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := startBench(t, newDisk())
		defer b.end()
		check := func(what string, ctx context.Context, o Operation, want error, after time.Duration) {
			t.Helper()
			start := time.Now()
			_, err := b.agent.Do(ctx, o)
			if !errors.Is(err, want) || time.Since(start) != after {
				t.Errorf("%s: %v after %v, want %v after %v", what, err, time.Since(start), want, after)
			}
		}
		check("no session", t.Context(), associateBlue, ErrNoSession, 5*time.Second)
		noWait := Operation{Op: evpn.Suspend, VM: vmid(1), NoWait: true}
		check("no wait", t.Context(), noWait, nil, 0)
		b.up()
		hurry, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		check("the caller has gone", hurry, Operation{Op: evpn.Resume, VM: vmid(1)}, context.DeadlineExceeded, time.Second)
		check("no answer", t.Context(), Operation{Op: evpn.Resume, VM: vmid(1), Timeout: 2 * time.Second}, ErrNoAnswer, 2*time.Second)
		check("not known", t.Context(), Operation{Op: evpn.Resume, VM: vmid(9)}, ErrUnknownVM, 0)
	})
}

func TestAStoppedAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := startBench(t, newDisk())
		done := make(chan error, 1)
		go func() {
			_, err := b.agent.Do(t.Context(), associateBlue)
			done <- err
		}()
		synctest.Wait()
		b.end()
		if err := <-done; !errors.Is(err, ErrStopped) {
			t.Errorf("who waited got %v, want ErrStopped", err)
		}
		if _, err := b.agent.Do(t.Context(), associateBlue); !errors.Is(err, ErrStopped) {
			t.Errorf("who came later got %v, want ErrStopped", err)
		}
		if len(b.routes) != 3 { // two beacons and the request
			t.Errorf("%d routes in the table: an agent that stops withdraws nothing", len(b.routes))
		}
	})
}

func TestASpeakerThatStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := startBench(t, newDisk())
		defer b.stop()
		close(b.events)
		if err := <-b.failed; err == nil || !strings.Contains(err.Error(), "speaker has stopped") {
			t.Errorf("Run returned %v", err)
		}
	})
}

func TestAllIsAnnouncedBeforeSessionsAreOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		b := startBench(t, d)
		if _, err := b.agent.Do(t.Context(), Operation{Op: evpn.Associate, VM: vmid(1), NICs: []NIC{nic("blue", 1, "10.0.0.1")}, NoWait: true}); err != nil {
			t.Fatal(err)
		}
		before := maps.Clone(b.routes)
		b.end()
		b = startBench(t, d)
		defer b.end()
		if b.opened != 4 { // two beacons, two requests
			t.Errorf("%d routes in the table when the sessions were opened, want 4", b.opened)
		}
		for key, r := range before {
			if key.Type == evpn.MACIPAdvertisement && !sameRoute(r, b.routes[key]) {
				t.Errorf("route %v is not announced as it was", key)
			}
		}
	})
}

// What someone else takes from the speaker's table is back within a second, also when the speaker did not notice (SPEC §3 "Withdraw").
func TestOwnTableIsWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := startBench(t, newDisk())
		defer b.end()
		if _, err := b.agent.Do(t.Context(), Operation{Op: evpn.Associate, VM: vmid(1), NICs: []NIC{nic("blue", 1)}, NoWait: true}); err != nil {
			t.Fatal(err)
		}
		steal := func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			clear(b.routes)
		}
		there := func() int {
			b.mu.Lock()
			defer b.mu.Unlock()
			return len(b.routes)
		}
		steal()
		b.changes <- struct{}{}
		synctest.Wait()
		if n := there(); n != 3 {
			t.Errorf("%d routes after the change was told, want 3", n)
		}
		steal()
		time.Sleep(31 * time.Second)
		synctest.Wait()
		if n := there(); n != 3 {
			t.Errorf("%d routes after an untold change and an audit, want 3", n)
		}
	})
}

func TestConcurrentCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := startBench(t, newDisk())
		defer b.end()
		b.up()
		var wg sync.WaitGroup
		for i := range byte(20) {
			wg.Go(func() {
				_, err := b.agent.Do(t.Context(), Operation{Op: evpn.Associate, VM: vmid(i + 1), NICs: []NIC{nic("blue", i+1)}})
				if err != nil {
					t.Errorf("VM %d: %v", i, err)
				}
			})
		}
		synctest.Wait()
		if err := b.agent.Resync(t.Context()); err != nil {
			t.Error(err)
		}
		b.answers()
		wg.Wait()
		if n := len(b.agent.Snapshot().VMs); n != 20 {
			t.Errorf("%d VMs, want 20", n)
		}
	})
}
