package guard_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker/guard"
	"github.com/tns-project/tns/speaker/guard/wire"
	"github.com/tns-project/tns/speaker/link"
)

// both is a guard whose peers may be constrained.
func both(peers ...guard.Peer) guard.Config {
	c := setting(peers...)
	c.Families = []wire.Family{wire.EVPN, wire.RouteTargets}
	return c
}

// TestShortWay has a peer and an engine on a link say and hear everything that there is to say.
func TestShortWay(t *testing.T) {
	c := setting(anyone())
	g := run(t, c)
	e := g.link(t)
	e.announce(t, request(1))
	e.whole()
	before := time.Now()
	r := call(t, address(), g.own())
	r.establish(t, r.hello())
	r.say(update(1, 1), update(2, 1), wire.AppendEndOfRIB(nil, wire.EVPN))
	e.waitRoutes(t, r.address, 2)
	e.waitEnd(t, r.address)
	up, routes := e.heard[0], e.heard[1]
	if up.Kind != link.Up || up.Peer != r.address || up.AS != as || up.RouterID != id(r.address) {
		t.Errorf("the engine hears first %+v", up)
	}
	if routes.Kind != link.Routes || routes.At.Before(before) || routes.At.After(time.Now()) {
		t.Errorf("then %+v, want routes that were read after %v", routes, before)
	}
	r.waitTold(t, request(1))
	r.waitEnd(t)
	e.announce(t, request(2))
	e.withdraw(t, request(1))
	r.waitTold(t, request(2))
	if s := g.waitUp(t, r.address); s.RoutesOut != 1 || s.RoutesIn != 2 || s.Renewing {
		t.Errorf("%+v", s)
	}

	// What is there already is not said again, unless the engine or the peer wants that.
	_, n := r.told(t)
	e.announce(t, request(2))
	e.announce(t, request(3))
	r.waitTold(t, request(2), request(3))
	if _, got := r.told(t); got != n+1 {
		t.Errorf("%d UPDATEs for one new route", got-n)
	}
	e.say(link.Message{Kind: link.Resend, Peer: r.address})
	eventually(t, "all is said again", func() bool { _, got := r.told(t); return got == n+3 })
	r.say(wire.RouteRefresh{Family: wire.EVPN}.Append(nil))
	eventually(t, "all is said again", func() bool { _, got := r.told(t); return got == n+5 })

	r.Close()
	e.wait(t, "the peer is down", func() bool { return e.tables[r.address] == nil })
	if last := e.heard[len(e.heard)-1]; last.Kind != link.Down || !strings.Contains(last.Text, "closed the connection") {
		t.Errorf("the engine hears last %+v", last)
	}
}

// TestDistribution: each peer hears of the routes with a route target that it asked for, whatever comes first, and of no others.
func TestDistribution(t *testing.T) {
	c := both(anyone())
	c.Memberships = []evpn.RouteTarget{target(100), target(101)}
	g := run(t, c)
	e := g.link(t)
	a, b, all := call(t, address(), g.own()), call(t, address(), g.own()), call(t, address(), g.own())
	a.establish(t, a.constrained())
	b.establish(t, b.constrained())
	all.establish(t, all.hello())
	a.asks(t, true, target(1))
	e.announce(t, targeted(1, target(1)), targeted(2, target(2)), targeted(12, target(1), target(2)))
	e.whole()
	a.waitTold(t, targeted(1), targeted(12))
	all.waitTold(t, targeted(1), targeted(2), targeted(12))
	b.asks(t, true, target(2), target(3))
	b.waitTold(t, targeted(2), targeted(12))

	// The route targets of a route change.
	e.announce(t, targeted(1, target(2)), targeted(2, target(9)), targeted(3, target(3)))
	a.waitTold(t, targeted(12))
	b.waitTold(t, targeted(1), targeted(12), targeted(3))
	e.withdraw(t, targeted(3))
	b.waitTold(t, targeted(1), targeted(12))

	// The memberships do.
	a.asks(t, true, target(9))
	a.waitTold(t, targeted(12), targeted(2))
	b.asks(t, false, target(2))
	b.waitTold(t)
	a.asks(t, true, target(2))
	a.waitTold(t, targeted(12), targeted(2), targeted(1))
	a.asks(t, false, target(1)) // route 12 has the other target, too
	a.asks(t, false, target(9))
	a.waitTold(t, targeted(12), targeted(1))
	b.asks(t, true, evpn.RouteTarget{}) // the default: everything
	b.waitTold(t, targeted(1), targeted(2), targeted(12))
	b.asks(t, true, target(2))
	b.asks(t, false, evpn.RouteTarget{})
	b.waitTold(t, targeted(1), targeted(12))
	all.waitTold(t, targeted(1), targeted(2), targeted(12))
	for _, r := range []*raw{a, b, all} {
		table, _ := r.told(t)
		want := 2
		if r == all {
			want = 0
		}
		if n := table.Len(wire.RouteTargets); n != want {
			t.Errorf("%v was told %d memberships of ours, want %d", r.address, n, want)
		}
	}
	if s := g.status(t, a.address); s.RoutesOut != 2 {
		t.Errorf("%d routes out", s.RoutesOut)
	}
}

// TestEndOfRIBComesLast: a peer hears it when the engine has announced everything, and the peer has said what it wants.
func TestEndOfRIBComesLast(t *testing.T) {
	g := run(t, both(anyone()))
	e := g.link(t)
	e.announce(t, targeted(1, target(1)))
	early := call(t, address(), g.own())
	early.establish(t, early.constrained())
	early.asks(t, true, target(1))
	early.say(wire.AppendEndOfRIB(nil, wire.RouteTargets))
	early.waitTold(t, targeted(1))
	if early.heardEnd(wire.EVPN) || !early.heardEnd(wire.RouteTargets) {
		t.Errorf("before the engine is whole, End-of-RIB of EVPN %t, of memberships %t", early.heardEnd(wire.EVPN), early.heardEnd(wire.RouteTargets))
	}
	e.announce(t, targeted(2, target(1)))
	e.whole()
	eventually(t, "End-of-RIB", func() bool { return early.heardEnd(wire.EVPN) })
	early.waitTold(t, targeted(1), targeted(2))

	late := call(t, address(), g.own())
	late.establish(t, late.constrained())
	late.asks(t, true, target(1))
	late.waitTold(t, targeted(1), targeted(2))
	if late.heardEnd(wire.EVPN) {
		t.Error("End-of-RIB before the peer's of its memberships")
	}
	late.say(wire.AppendEndOfRIB(nil, wire.RouteTargets))
	eventually(t, "End-of-RIB", func() bool { return late.heardEnd(wire.EVPN) })
}

// TestPeerThatNeverEnds: one that does not say End-of-RIB of its memberships is told that of our routes after RenewTime, one that cannot say it is told none.
func TestPeerThatNeverEnds(t *testing.T) {
	c := both(anyone())
	c.RenewTime = 300 * time.Millisecond
	g := run(t, c)
	e := g.back(t, targeted(1, target(1)))
	start := time.Now()
	r := call(t, address(), g.own())
	r.establish(t, r.constrained())
	r.asks(t, true, target(1))
	r.waitTold(t, targeted(1))
	eventually(t, "End-of-RIB", func() bool { return r.heardEnd(wire.EVPN) })
	if took := time.Since(start); took < c.RenewTime {
		t.Errorf("End-of-RIB after %v, want %v", took, c.RenewTime)
	}
	plain := call(t, address(), g.own())
	o := plain.constrained()
	o.GracefulRestart = nil
	plain.establish(t, o)
	plain.asks(t, true, target(1))
	plain.waitTold(t, targeted(1))
	e.announce(t, targeted(2, target(1)))
	plain.waitTold(t, targeted(1), targeted(2))
	if plain.heardEnd(wire.EVPN) || plain.heardEnd(wire.RouteTargets) {
		t.Error("End-of-RIB to a peer that does not know it")
	}
}

// TestOwnAttributes: what depends on the peer is on the wire, in order, and nothing else is changed.
func TestOwnAttributes(t *testing.T) {
	const wide = 4200000000
	communities := []byte{0xc0, 16, 8, 0, 2, 0xfd, 0xe8, 0, 0, 0, 1}
	for _, test := range []struct {
		name     string
		own, as  uint32
		narrow   bool
		want     []byte // before the communities
		wantLast []byte
	}{
		{"iBGP", as, as, false, []byte{0x40, 1, 1, 0, 0x40, 2, 0, 0x40, 5, 4, 0, 0, 0, 100}, nil},
		{"eBGP", as, 65001, false, []byte{0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xe8}, nil},
		{"eBGP, two octets", as, 65001, true, []byte{0x40, 1, 1, 0, 0x40, 2, 4, 2, 1, 0xfd, 0xe8}, nil},
		{
			"eBGP, two octets for four", wide, 65001, true, []byte{0x40, 1, 1, 0, 0x40, 2, 4, 2, 1, 0x5b, 0xa0},
			[]byte{0xc0, 17, 6, 2, 1, 0xfa, 0x56, 0xea, 0},
		},
		{"iBGP, two octets", as, as, true, []byte{0x40, 1, 1, 0, 0x40, 2, 0, 0x40, 5, 4, 0, 0, 0, 100}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := setting(anyone())
			c.AS = test.own
			g := run(t, c)
			e := g.link(t)
			r := call(t, address(), g.own())
			o := r.hello()
			o.AS, o.FourOctetAS = test.as, !test.narrow
			r.establish(t, o)
			route := targeted(1, target(1))
			route.LargeCommunities = nil
			e.announce(t, route)
			msg, _ := r.wait(t, 0, wire.TypeUpdate)
			u, err := wire.ParseUpdate(msg)
			if err != nil {
				t.Fatal(err)
			}
			want := append(append(append([]byte(nil), test.want...), communities...), test.wantLast...)
			if string(u.Attributes) != string(want) {
				t.Errorf("attributes %x, want %x", u.Attributes, want)
			}
			if len(u.Announced) != 1 || string(u.Announced[0].NextHop) != string(route.NextHop.AsSlice()) {
				t.Errorf("announced %+v, want next hop %v", u.Announced, route.NextHop)
			}
		})
	}
}

// TestLinkedEngineRestart takes the engine away and links another: the peer hears nothing when nothing has changed, and exactly the differences otherwise.
func TestLinkedEngineRestart(t *testing.T) {
	c := setting(anyone())
	g := run(t, c)
	e := g.link(t)
	e.announce(t, request(1), request(2), request(3))
	e.whole()
	r := call(t, address(), g.own())
	r.establish(t, r.hello())
	r.say(update(1, 1), wire.AppendEndOfRIB(nil, wire.EVPN))
	r.waitTold(t, request(1), request(2), request(3))
	e.waitEnd(t, r.address)
	_, n := r.told(t)
	before := g.waitUp(t, r.address)

	e.end()
	eventually(t, "the engine is gone", func() bool { return g.status(t, r.address).Engine != guard.Established })
	r.say(update(2, 1)) // nobody is there to hear it
	e = g.link(t)
	e.waitRoutes(t, r.address, 2)
	e.waitEnd(t, r.address)
	e.announce(t, request(1), request(2), request(3))
	e.whole()
	eventually(t, "all is renewed", func() bool { return !g.status(t, r.address).Renewing })
	if _, got := r.told(t); got != n {
		t.Errorf("%d UPDATEs when nothing has changed", got-n)
	}

	// One that comes while the other is still there takes its place.
	older := e
	e = g.link(t)
	if err := <-older.ended; err == nil || !strings.Contains(err.Error(), "another engine") {
		t.Errorf("the engine before ends with %v", err)
	} else {
		older.ended <- err
	}
	changed := request(2)
	changed.Label++
	e.announce(t, request(1), changed)
	eventually(t, "a change", func() bool { _, got := r.told(t); return got == n+1 })
	if s := g.status(t, r.address); !s.Renewing || s.RoutesOut != 3 {
		t.Errorf("before it is whole: %+v", s)
	}
	e.whole()
	r.waitTold(t, request(1), changed)
	if _, got := r.told(t); got != n+2 {
		t.Errorf("%d UPDATEs for a change and a withdrawal", got-n)
	}
	after := g.waitUp(t, r.address)
	if after.Since != before.Since || after.Engines != 3 || after.Restarts != 2 {
		t.Errorf("before %+v\nafter  %+v", before, after)
	}
}

// TestEngineThatIsNeverWhole: its time ends with RenewTime.
func TestEngineThatIsNeverWhole(t *testing.T) {
	c := setting(anyone())
	c.RenewTime = 50 * time.Millisecond
	g := run(t, c)
	r := call(t, address(), g.own())
	r.establish(t, r.hello())
	e := g.link(t)
	e.announce(t, request(1), request(2))
	e.whole()
	r.waitTold(t, request(1), request(2))
	e.end()
	e = g.link(t)
	e.announce(t, request(1))
	r.waitTold(t, request(1))
	r.waitEnd(t)
}

// TestMirrorIsBehindAndComplete: GoBGP is told what the engine is told, and what it announces itself goes nowhere.
func TestMirrorIsBehindAndComplete(t *testing.T) {
	c := setting(anyone())
	g := run(t, c)
	e := g.link(t)
	mirror := talk(t, engineOf(c), request(77))
	r := call(t, address(), g.own())
	r.establish(t, r.hello())
	e.announce(t, request(1))
	e.whole()
	const routes = 3000
	for n := range uint32(routes) {
		r.say(update(n, 1))
	}
	r.say(withdrawal(7), wire.AppendEndOfRIB(nil, wire.EVPN))
	e.waitRoutes(t, r.address, routes-1)
	mirror.waitEnd(t, 0)
	for n := range uint32(routes) {
		if n != 7 {
			mirror.WaitRoute(t, 0, keyOf(n))
		}
	}
	r.waitTold(t, request(1))
	if s := g.status(t, r.address); s.RoutesOut != 1 {
		t.Errorf("%d routes out", s.RoutesOut)
	}

	// At rest it is not far behind.
	events, _ := mirror.Seen()
	r.say(update(routes, 1))
	e.waitRoutes(t, r.address, routes)
	mirror.WaitRoute(t, len(events), keyOf(routes))

	// It is told again when it asks, or comes anew; a NOTIFICATION about the peer is the peer's.
	mirror.end()
	e.mu.Lock()
	heard := len(e.heard)
	e.mu.Unlock()
	mirror = talk(t, engineOf(c))
	mirror.WaitRoute(t, 0, keyOf(routes))
	mirror.waitEnd(t, 0)
	e.mu.Lock()
	if len(e.heard) != heard {
		t.Errorf("the engine hears of its mirror: %+v", e.heard[heard:])
	}
	e.mu.Unlock()
}

// withdrawal takes back what update announces.
func withdrawal(n uint32) []byte {
	nlri := update(n, 0)
	u, err := wire.ParseUpdate(nlri)
	if err != nil {
		panic(err)
	}
	msgs, _ := wire.Pack([]wire.Change{{Family: wire.EVPN, NLRI: string(u.Announced[0].Octets)}}, wire.Session{FourOctetAS: true})
	return msgs[0]
}

// TestPeerWithoutEVPN: one that can only ask for routes is told none, and no End-of-RIB of them.
func TestPeerWithoutEVPN(t *testing.T) {
	g := run(t, both(anyone()))
	e := g.link(t)
	e.announce(t, targeted(1, target(1)))
	e.whole()
	r, other := call(t, address(), g.own()), call(t, address(), g.own())
	open := r.constrained()
	open.Families = []wire.Family{wire.RouteTargets}
	r.establish(t, open)
	r.asks(t, true, target(1), target(2))
	r.say(wire.AppendEndOfRIB(nil, wire.RouteTargets))
	eventually(t, "it has asked", func() bool { return g.status(t, r.address).RoutesIn == 2 })
	other.establish(t, other.hello())
	e.announce(t, targeted(2, target(2)))
	other.waitTold(t, targeted(1, target(1)), targeted(2, target(2)))
	r.say(wire.RouteRefresh{Family: wire.RouteTargets}.Append(nil))
	if n := g.status(t, r.address).Waiting; n != 0 {
		t.Errorf("%d routes wait for it", n)
	}
	if table, _ := r.told(t); table.Len(wire.EVPN) > 0 || r.heardEnd(wire.EVPN) {
		t.Errorf("it is told %d routes, and that this is all: %t", table.Len(wire.EVPN), r.heardEnd(wire.EVPN))
	}
}
