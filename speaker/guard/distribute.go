package guard

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker/guard/wire"
)

// distributor has what the engine announces, once for all peers, and hands each route to those that have asked for one of its route targets (RFC 4684) or
// for everything.
//
//	engine ── UPDATE ──► table ──► members[route target] ──► subscriber's mail ──► loop of the peer: queue, packer, socket
//
// It never waits for a peer: what is due goes into a mail that the peer's loop empties into its queue, which holds one change a route. Who holds its lock holds
// no other but that of a mail.
type distributor struct {
	mu      sync.Mutex // of what follows
	table   *wire.Table
	targets map[evpn.RouteTarget]map[wire.RouteKey]struct{} // routes of the table
	members map[evpn.RouteTarget]map[*subscriber]struct{}
	asking  map[*subscriber]struct{} // all of them
	greedy  map[*subscriber]struct{} // of these, those that want everything
	round   uint64                   // counts changes
	whole   atomic.Bool              // the engine has announced everything; changes under the lock
	dirty   []*subscriber            // have mail and do not know it yet
	was, is []evpn.RouteTarget       // memory that is used again
}

func newDistributor() *distributor {
	return &distributor{
		table: wire.NewTable(), targets: make(map[evpn.RouteTarget]map[wire.RouteKey]struct{}),
		members: make(map[evpn.RouteTarget]map[*subscriber]struct{}), asking: make(map[*subscriber]struct{}), greedy: make(map[*subscriber]struct{}),
	}
}

// renew begins the time in which a new engine announces everything again.
func (d *distributor) renew() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.whole.Store(false)
	d.table.Age()
}

// complete ends it: what was not announced again is withdrawn, and peers are told that this was all.
func (d *distributor) complete() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.whole.Swap(true) {
		return
	}
	d.distribute(d.table.Stale(wire.EVPN))
	for s := range d.asking {
		d.end(s)
	}
	d.wake()
}

// renewing reports whether a new engine may still have to announce something again.
func (d *distributor) renewing() bool { return !d.whole.Load() }

// apply takes what the engine announces and withdraws. Peers hear of it with the next wake.
func (d *distributor) apply(changes []wire.Change) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.distribute(changes)
}

// deliver has the loops of the peers look into their mail.
func (d *distributor) deliver() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wake()
}

func (d *distributor) wake() {
	for _, s := range d.dirty {
		s.dirty = false
		s.notify()
	}
	clear(d.dirty)
	d.dirty = d.dirty[:0]
}

// distribute brings changes into the table and into the mail of who has to hear of them: who wants the new state, and who had the old one.
func (d *distributor) distribute(changes []wire.Change) {
	for _, c := range changes {
		if c.Family != wire.EVPN {
			continue
		}
		k, old, different := d.table.Swap(c)
		if !different {
			continue
		}
		there := old != (wire.Attributes{})
		d.was, d.is = old.AppendTargets(d.was[:0]), c.Attributes.AppendTargets(d.is[:0])
		d.index(k)
		d.round++
		for s := range d.greedy {
			d.tell(s, c, there, !c.Withdrawal())
		}
		for _, rt := range d.is {
			for s := range d.members[rt] {
				if s.round != d.round {
					d.tell(s, c, s.wants(d.was), true)
				}
			}
		}
		for _, rt := range d.was {
			for s := range d.members[rt] {
				if s.round != d.round {
					d.tell(s, wire.Change{Family: c.Family, NLRI: c.NLRI}, true, false)
				}
			}
		}
	}
}

// tell puts a change into a mail; had and has say whether the peer was told the route before, and is now.
func (d *distributor) tell(s *subscriber, c wire.Change, had, has bool) {
	s.round = d.round
	switch {
	case has && !had:
		s.told.Add(1)
	case had && !has:
		s.told.Add(-1)
	}
	d.put(s, c)
}

// put puts a change into a mail.
func (d *distributor) put(s *subscriber, c wire.Change) {
	s.put(c)
	d.stain(s)
}

func (d *distributor) stain(s *subscriber) {
	if !s.dirty {
		s.dirty = true
		d.dirty = append(d.dirty, s)
	}
}

// index notes which route targets a route has had (was), and has.
func (d *distributor) index(k wire.RouteKey) {
	for _, rt := range d.was {
		if slices.Contains(d.is, rt) {
			continue
		}
		if delete(d.targets[rt], k); len(d.targets[rt]) == 0 {
			delete(d.targets, rt)
		}
	}
	for _, rt := range d.is {
		routes := d.targets[rt]
		if routes == nil {
			routes = make(map[wire.RouteKey]struct{})
			d.targets[rt] = routes
		}
		routes[k] = struct{}{}
	}
}

// end tells a peer End-of-RIB once, when the engine has announced everything and the peer has asked for what it wants.
func (d *distributor) end(s *subscriber) {
	if d.whole.Load() && s.ready && !s.ended {
		s.ended = true
		s.end()
	}
	d.stain(s)
}

// subscribe adds a peer's session, which wants everything unless it is constrained. notify is called, with locks held, when there is mail.
func (d *distributor) subscribe(constrained, ready bool, notify func()) *subscriber {
	s := &subscriber{notify: notify, targets: make(map[evpn.RouteTarget]int), memberships: make(map[string]struct{}), ready: ready}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asking[s] = struct{}{}
	if !constrained {
		d.askAll(s, 1)
	}
	d.end(s)
	d.wake()
	return s
}

// unsubscribe ends it.
func (d *distributor) unsubscribe(s *subscriber) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.asking, s)
	delete(d.greedy, s)
	for rt := range s.targets {
		d.leave(s, rt)
	}
}

func (d *distributor) leave(s *subscriber, rt evpn.RouteTarget) {
	if delete(d.members[rt], s); len(d.members[rt]) == 0 {
		delete(d.members, rt)
	}
}

// getReady says that the peer has asked for what it wants.
func (d *distributor) getReady(s *subscriber) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s.ready = true
	d.end(s)
	d.wake()
}

// ask takes changes of a peer's memberships: routes that it wants now are due, and what it does not want any more is withdrawn.
func (d *distributor) ask(s *subscriber, changes []wire.Change) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range changes {
		_, asked := s.memberships[c.NLRI]
		step := 1
		switch {
		case c.Withdrawal() && asked:
			step = -1
			delete(s.memberships, c.NLRI)
		case !c.Withdrawal() && !asked:
			s.memberships[c.NLRI] = struct{}{}
		default:
			continue
		}
		if rt, all := wire.MembershipTarget(c.NLRI); all {
			d.askAll(s, step)
		} else {
			d.askFor(s, rt, step)
		}
	}
	d.wake()
}

// askFor changes how often a peer has asked for a route target.
func (d *distributor) askFor(s *subscriber, rt evpn.RouteTarget, step int) {
	had := s.targets[rt]
	switch s.targets[rt] = had + step; {
	case had == 0:
		if d.members[rt] == nil {
			d.members[rt] = make(map[*subscriber]struct{})
		}
		d.members[rt][s] = struct{}{}
	case had+step == 0:
		delete(s.targets, rt)
		d.leave(s, rt)
	default:
		return
	}
	if s.all > 0 {
		return
	}
	for k := range d.targets[rt] {
		c, _ := d.table.At(k)
		d.is = c.Attributes.AppendTargets(d.is[:0])
		if others := slices.ContainsFunc(d.is, func(o evpn.RouteTarget) bool { return o != rt && s.targets[o] > 0 }); !others {
			d.change(s, c, step > 0)
		}
	}
}

// askAll changes how often a peer has asked for everything.
func (d *distributor) askAll(s *subscriber, step int) {
	had := s.all
	switch s.all += step; {
	case had == 0:
		d.greedy[s] = struct{}{}
	case s.all == 0:
		delete(d.greedy, s)
	default:
		return
	}
	for c := range d.table.All() {
		if d.is = c.Attributes.AppendTargets(d.is[:0]); !s.wants(d.is) {
			d.change(s, c, step > 0)
		}
	}
}

// change announces a route of the table to a peer that did not want it before, or withdraws it.
func (d *distributor) change(s *subscriber, c wire.Change, wanted bool) {
	if !wanted {
		c.Attributes = wire.Attributes{}
	}
	d.tell(s, c, !wanted, wanted)
}

// repeat makes all of a peer's routes due again.
func (d *distributor) repeat(s *subscriber) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s.all > 0 {
		for c := range d.table.All() {
			d.put(s, c)
		}
	} else {
		for rt := range s.targets {
			for k := range d.targets[rt] { // one with two route targets twice: the queue has it once
				if c, ok := d.table.At(k); ok {
					d.put(s, c)
				}
			}
		}
	}
	d.wake()
}
