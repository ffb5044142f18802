package guard

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker/guard/wire"
)

// TestDistributorKeepsState has an engine announce, change and withdraw routes with random route targets, engines begin and end, and peers come, go and
// change their memberships: what each was told always means the routes that it wants, no change is told twice, and at the end End-of-RIB is.
func TestDistributorKeepsState(t *testing.T) {
	const targets, routes = 5, 12
	random := rand.New(rand.NewPCG(1, 2))
	d := newDistributor()
	want := make(map[wire.RouteKey]wire.Change) // what stands
	said := make(map[wire.RouteKey]bool)        // by the engine that is there
	type listener struct {
		*subscriber
		told    *wire.Table
		asked   map[string]bool
		limited bool
	}
	var peers []*listener
	rt := func(n int) evpn.RouteTarget { return evpn.RouteTarget{0, 2, 0, 0, 0, 0, 0, byte(n)} }
	wants := func(l *listener, c wire.Change) bool {
		if !l.limited || l.asked["\x00"] {
			return true
		}
		return slices.ContainsFunc(c.Attributes.AppendTargets(nil), func(rt evpn.RouteTarget) bool {
			return l.asked[wire.Membership(1, rt)] || l.asked[wire.Membership(2, rt)]
		})
	}
	hear := func(l *listener) (ended bool) {
		mail, last := l.take(nil)
		for _, c := range mail {
			if !l.told.Set(c) {
				t.Fatalf("%x is told again", c.NLRI)
			}
		}
		return last
	}
	check := func(step int) {
		for _, l := range peers {
			hear(l)
			n := 0
			for k, c := range want {
				got, ok := l.told.At(k)
				if ok != wants(l, c) || ok && got != c {
					t.Fatalf("step %d: a peer that asks for %v has %v, wants %v of %v", step, l.asked, got, wants(l, c), c)
				}
				if ok {
					n++
				}
			}
			if l.told.Len(wire.EVPN) != n || l.subscriber.told.Load() != int64(n) {
				t.Fatalf("step %d: a peer has %d routes, is said to have %d, wants %d", step, l.told.Len(wire.EVPN), l.subscriber.told.Load(), n)
			}
		}
	}
	for step := range 20_000 {
		switch what := random.IntN(20); {
		case what < 10:
			var changes []wire.Change
			for range 1 + random.IntN(3) {
				c := route(byte(random.IntN(routes)), 0, 1)
				if random.IntN(3) > 0 {
					var communities []byte
					for range random.IntN(3) {
						target := rt(random.IntN(targets))
						communities = append(communities, target[:]...)
					}
					attributes := append([]byte{0x80, 4, 4, 0, 0, 0, byte(random.IntN(2)), 0xc0, 16, byte(len(communities))}, communities...)
					c.Attributes = wire.NewAttributes([]byte{10, 0, 0, 9}, attributes)
				}
				changes = append(changes, c)
				if said[c.Key()] = true; c.Withdrawal() {
					delete(want, c.Key())
				} else {
					want[c.Key()] = c
				}
			}
			d.apply(changes)
			d.deliver()
		case what < 15 && len(peers) > 0:
			l := peers[random.IntN(len(peers))]
			if !l.limited {
				break
			}
			n := wire.Membership(uint32(1+random.IntN(2)), rt(random.IntN(targets)))
			if random.IntN(8) == 0 {
				n = "\x00"
			}
			c := wire.Change{Family: wire.RouteTargets, NLRI: n}
			if l.asked[n] = random.IntN(2) == 0; l.asked[n] {
				c.Attributes = wire.NewAttributes([]byte{10, 0, 0, 9}, nil)
			}
			d.ask(l.subscriber, []wire.Change{c})
		case what < 16:
			limited := random.IntN(4) > 0
			l := &listener{told: wire.NewTable(), asked: make(map[string]bool), limited: limited}
			l.subscriber = d.subscribe(limited, true, func() {})
			peers = append(peers, l)
		case what < 17 && len(peers) > 4:
			n := random.IntN(len(peers))
			d.unsubscribe(peers[n].subscriber)
			peers = slices.Delete(peers, n, n+1)
		case what < 18:
			d.renew()
			clear(said)
		case what < 19:
			if d.renewing() {
				for k := range want {
					if !said[k] {
						delete(want, k)
					}
				}
			}
			d.complete()
		case len(peers) > 0:
			l := peers[random.IntN(len(peers))]
			hear(l)
			before := l.told
			l.told = wire.NewTable()
			d.repeat(l.subscriber)
			mail, _ := l.take(nil)
			l.told.Apply(mail)
			if diff := wire.Diff(before, l.told); len(diff) > 0 {
				t.Fatalf("step %d: all again is %d changes from what was told", step, len(diff))
			}
		}
		check(step)
	}
	for _, l := range peers {
		d.unsubscribe(l.subscriber)
	}
	for k := range want {
		d.apply([]wire.Change{{Family: wire.EVPN, NLRI: want[k].NLRI}})
	}
	if len(d.members)+len(d.targets)+len(d.greedy)+len(d.asking) > 0 {
		t.Errorf("left behind: %d, %d, %d, %d", len(d.members), len(d.targets), len(d.greedy), len(d.asking))
	}
}

// TestEndOnce: a peer is told End-of-RIB once, when it and the engine are ready, whoever is first.
func TestEndOnce(t *testing.T) {
	d := newDistributor()
	early := d.subscribe(true, false, func() {})
	ready := d.subscribe(false, true, func() {})
	last := func(s *subscriber) bool { _, last := s.take(nil); return last }
	if last(early) || last(ready) {
		t.Error("before the engine has announced everything")
	}
	d.renew()
	d.complete()
	if last(early) || !last(ready) {
		t.Error("the engine is whole")
	}
	d.getReady(early)
	d.renew()
	d.complete()
	if !last(early) || last(ready) {
		t.Error("both are ready")
	}
	if last(early) {
		t.Error("twice")
	}
}
