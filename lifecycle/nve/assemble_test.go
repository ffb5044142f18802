package nve

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker"
)

// slow is a plane on which an announcement takes a while: that of vm9's MAC m9. It says when each VM was answered, and how.
type slow struct {
	takes time.Duration
	began time.Time

	mu   sync.Mutex
	said []string
}

func (s *slow) Announce(r evpn.Route) error {
	a, err := evpn.DecodeResponse(r.Communities)
	if err != nil {
		return err
	}
	switch r.MAC {
	case mac(8):
		return nil
	case mac(9):
		time.Sleep(s.takes)
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if line := fmt.Sprintf("%v: %s %d", time.Since(s.began).Round(100*time.Millisecond), a.Status, a.Reason); !slices.Contains(s.said, line) {
		s.said = append(s.said, line)
	}
	return nil
}

func (s *slow) Withdraw(evpn.RouteKey) error { return nil }

func (s *slow) heard() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.said)
}

// arrival is a request route of tes1 for blue: when it arrives, how long it has been waiting in the speaker by then, and what it is.
type arrival struct {
	after, late time.Duration
	what        string
}

// What each kind of arrival brings.
var arrivals = map[string]func(*world) speaker.Event{
	"first of two":  func(w *world) speaker.Event { return w.asks(vm(1), "blue/m1", 1, 2, 0) },
	"second of two": func(w *world) speaker.Event { return w.asks(vm(1), "blue/m1/10.0.0.1", 2, 2, 0) },
	"first tried":   func(w *world) speaker.Event { return w.asks(vm(1), "blue/m1", 1, 2, evpn.FlagDryRun) },
	"second tried":  func(w *world) speaker.Event { return w.asks(vm(1), "blue/m1/10.0.0.1", 2, 2, evpn.FlagDryRun) },
	"a slow one":    func(w *world) speaker.Event { return w.asks(vm(9), "blue/m9", 1, 1, 0) },
	"a table's":     func(w *world) speaker.Event { return w.asks(vm(8), "blue/m8", 1, 1, 0) },
	"another's": func(*world) speaker.Event {
		return speaker.Event{Kind: speaker.EndOfRIB, Peer: names["tes2"], Epoch: 1}
	},
	"End-of-RIB": func(*world) speaker.Event { return speaker.Event{Kind: speaker.EndOfRIB} },
}

// asks is one route of a request.
func (w *world) asks(v evpn.VMID, at string, index, count uint8, flags evpn.Flags) speaker.Event {
	q := evpn.Request{Op: evpn.Associate, Sequence: 1, VM: v, Index: index, Count: count, Flags: flags}
	r := w.requestRoute("tes1", bindingOf(at), flags&evpn.FlagDryRun != 0)
	r.Communities = append([]evpn.ExtendedCommunity{evpn.ExtendedCommunity(evpn.RequestTarget(w.config.ID))}, q.Communities()...)
	return speaker.Event{Kind: speaker.Announced, Route: r}
}

// TestAssemblyTime holds the assembly time (SPEC §2, index and count) against when routes arrived.
func TestAssemblyTime(t *testing.T) {
	talks := func(until time.Duration, late time.Duration) (all []arrival) {
		for d := 500 * time.Millisecond; d < until; d += 500 * time.Millisecond {
			all = append(all, arrival{d, late, "End-of-RIB"}) // says nothing new
		}
		return all
	}
	for _, test := range []struct {
		name     string
		telling  bool // before its End-of-RIB
		arrivals []arrival
		want     []string
	}{
		{"both in time", false, []arrival{{0, 0, "first of two"}, {1900 * time.Millisecond, 0, "second of two"}}, []string{"1.9s: success 0"}},
		{"the second never", false, []arrival{{0, 0, "first of two"}}, []string{"2s: fail 18"}},
		{"the second late", false, []arrival{{0, 0, "first of two"}, {2100 * time.Millisecond, 0, "second of two"}}, []string{"2s: fail 18", "2.1s: success 0"}},
		{"both in time, the loop late", false, []arrival{{0, 0, "first of two"}, {50 * time.Millisecond, 0, "a slow one"}, {100 * time.Millisecond, 0, "second of two"}}, []string{"10.1s: success 0"}},
		{"the second never, the loop late", false, []arrival{{0, 0, "first of two"}, {50 * time.Millisecond, 0, "a slow one"}}, []string{"10.1s: fail 18"}},
		{"the second late, the loop later", false, []arrival{{0, 0, "first of two"}, {50 * time.Millisecond, 0, "a slow one"}, {2100 * time.Millisecond, 0, "second of two"}}, []string{"10.1s: fail 18", "10.1s: success 0"}},
		{"the second never, though others come", false, append([]arrival{{0, 0, "first of two"}}, talks(10*time.Second, 0)...), []string{"2s: fail 18"}},
		{"both in time, the speaker behind", false, append(append([]arrival{{0, 5 * time.Second, "first of two"}}, talks(8*time.Second, 5*time.Second)...), arrival{8 * time.Second, 5 * time.Second, "second of two"}),
			[]string{"8s: success 0"}},
		{"the second never, the speaker behind", false, []arrival{{0, 3 * time.Second, "first of two"}}, []string{"3s: fail 18"}},
		{"the second never, the speaker not behind any more", false, append([]arrival{{0, 3 * time.Second, "first of two"}}, talks(10*time.Second, 0)...), []string{"3s: fail 18"}},
		{"both in time, the speaker behind with others", false, append(append([]arrival{{0, 0, "first of two"}}, others(7*time.Second, 2*time.Second)...), arrival{8 * time.Second, 5 * time.Second, "second of two"}),
			[]string{"8s: success 0"}},
		{"the second never, the speaker always behind", false, append([]arrival{{0, 0, "first of two"}}, others(50*time.Second, 2*time.Second)...), []string{"32s: fail 18"}},
		{"a table in any order", true, append(append([]arrival{{0, 0, "first of two"}}, tables(7*time.Second)...), arrival{7 * time.Second, 0, "second of two"}), []string{"7s: success 0"}},
		{"a table that stops", true, append([]arrival{{0, 0, "first of two"}}, tables(5*time.Second)...), []string{"5.5s: fail 18"}},
		{"a table that ends", true, append(append([]arrival{{0, 0, "first of two"}}, tables(5*time.Second)...), arrival{4600 * time.Millisecond, 0, "End-of-RIB"}), []string{"5s: fail 18"}},
		{"a dry run in time, the loop late", false, []arrival{{0, 0, "first tried"}, {50 * time.Millisecond, 0, "a slow one"}, {100 * time.Millisecond, 0, "second tried"}}, []string{"10.1s: success 0"}},
		{"half a dry run", false, []arrival{{0, 0, "first tried"}}, []string{"2s: fail 18"}},
		{"half a dry run, the speaker behind", false, []arrival{{0, 3 * time.Second, "first tried"}}, []string{"3s: fail 18"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancel(t.Context())
				tes := &slow{takes: 10 * time.Second}
				r := runWith(t, ctx, func(p *Parts) { p.TES = tes })
				r.hear(r.fabric, "frr", speaker.SessionUp, speaker.EndOfRIB)
				r.hear(r.tes, "tes2", speaker.SessionUp, speaker.EndOfRIB)
				r.hear(r.tes, "tes1", speaker.SessionUp)
				if !test.telling {
					r.hear(r.tes, "tes1", speaker.EndOfRIB)
				}
				synctest.Wait()
				tes.began = time.Now()
				for _, a := range test.arrivals {
					time.Sleep(time.Until(tes.began.Add(a.after)))
					ev := arrivals[a.what](r.w)
					ev.At, ev.Late = time.Now(), a.late
					if ev.Epoch == 0 {
						ev.Peer, ev.Epoch = names["tes1"], 1
					}
					r.tes.Put(ev)
				}
				time.Sleep(30 * time.Second)
				if got := tes.heard(); !slices.Equal(got, test.want) {
					t.Errorf("answers %q, want %q", got, test.want)
				}
				stop()
				if err := <-r.done; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// tables is a TES's table that goes on until then.
func tables(until time.Duration) (all []arrival) {
	for d := 500 * time.Millisecond; d < until; d += 500 * time.Millisecond {
		all = append(all, arrival{d, 0, "a table's"})
	}
	return all
}

// others is what other TESs say until then, of which the speaker has been behind for so long.
func others(until, late time.Duration) (all []arrival) {
	for d := 500 * time.Millisecond; d < until; d += 500 * time.Millisecond {
		all = append(all, arrival{d, late, "another's"})
	}
	return all
}

// hear puts into a queue what a peer says of its session.
func (r *running) hear(q *speaker.Queue, peer string, kinds ...speaker.Kind) {
	for _, k := range kinds {
		q.Put(speaker.Event{Kind: k, At: time.Now(), Peer: names[peer], Epoch: 1})
	}
}

// floodTES is the address of one of many TESs, which are behind the first port of blue.
func floodTES(i int) netip.Addr { return netip.AddrFrom4([4]byte{198, 51, 101, byte(i)}) }

// floods is a route of the i-th of many VMs, which has two.
func (w *world) floods(i, tes int, index uint8) speaker.Event {
	ev := w.asks(evpn.VMID{0: 0xbb, 14: byte(i >> 8), 15: byte(i)}, "blue/m1", index, 2, 0)
	ev.Route.RD, ev.Route.NextHop = evpn.NewRD(id(floodTES(tes).String()), 1), floodTES(tes)
	ev.Route.MAC = evpn.MAC{2, 1, 0, 0, byte(i >> 8), byte(i)}
	if index == 2 {
		ev.Route.IP = netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})
	}
	ev.Peer, ev.Epoch = floodTES(tes), 1
	return ev
}

// counter is a plane that counts the answers to requests.
type counter struct {
	want    int
	got     int
	refused []string
	all     chan struct{} // closed when all that are wanted are there
}

func (c *counter) Announce(r evpn.Route) error {
	if r.Type != evpn.MACIPAdvertisement {
		return nil
	}
	a, err := evpn.DecodeResponse(r.Communities)
	if err != nil {
		return err
	}
	if a.Status != evpn.Success {
		c.refused = append(c.refused, fmt.Sprintf("%s: %s %d", r.RouteKey, a.Status, a.Reason))
	}
	if c.got++; c.got == c.want {
		close(c.all)
	}
	return nil
}

func (c *counter) Withdraw(evpn.RouteKey) error { return nil }

// Thirty TESs tell all at once of fifty VMs each, in an order in which a VM's routes are far apart, faster than the loop takes them: none is refused.
func TestFloodIsWhole(t *testing.T) {
	const tess, each = 30, 50
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	counts := &counter{all: make(chan struct{})}
	counts.want = 2 * tess * each
	r := prepare(t, func(p *Parts) { p.TES = counts }, func(c *Config) {
		c.Assembly = 20 * time.Millisecond // of which each turn takes a part
		for i := range tess {
			c.Neighbors = append(c.Neighbors, Neighbor{Prefix: netip.PrefixFrom(floodTES(i), 32)})
			c.VNs[0].Ports[0].TES = append(c.VNs[0].Ports[0].TES, id(floodTES(i).String()))
		}
	})
	r.hear(r.fabric, "frr", speaker.SessionUp, speaker.EndOfRIB)
	at := time.Now() // all of it
	for i := range tess {
		for _, k := range []speaker.Kind{speaker.SessionUp, speaker.EndOfRIB} {
			r.tes.Put(speaker.Event{Kind: k, At: at, Peer: floodTES(i), Epoch: 1})
		}
	}
	for index := range uint8(2) {
		for i := range tess * each {
			ev := r.w.floods(i, i%tess, index+1)
			ev.At = at
			r.tes.Put(ev)
		}
	}
	r.start(ctx)
	select {
	case <-counts.all:
	case <-time.After(5 * time.Minute):
		t.Error("not all are answered")
	}
	stop()
	if err := <-r.done; err != nil {
		t.Fatal(err)
	}
	if len(counts.refused) > 0 {
		t.Errorf("%d answers are refusals, such as %s", len(counts.refused), counts.refused[0])
	}
}
