package gobgp_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker"
)

// Through a reflector a route arrives as it was announced, with its originator, and End-of-RIB comes after what stood there.
func TestThroughAReflector(t *testing.T) {
	t.Parallel()
	reflector := startOther(t, otherOptions{reflector: true})
	a, b := address(), address()
	sender := start(t, activeFrom(a, to(a, reflector.address)))
	routes := contents()
	sender.announce(t, routes...)
	eventually(t, "the reflector has all", func() bool { return reflector.routes(t) == len(routes) })
	receiver := start(t, activeFrom(b, to(b, reflector.address)))
	end, _ := receiver.WaitEnd(t, 0, reflector.address)
	if end.Implied {
		t.Error("End-of-RIB was implied")
	}
	events, _ := receiver.Seen()
	for _, route := range routes {
		i := slices.IndexFunc(events, func(e speaker.Event) bool { return e.Kind == speaker.Announced && e.Key == route.RouteKey })
		if i < 0 {
			t.Errorf("%v is not there at End-of-RIB", route.RouteKey)
			continue
		}
		route.OriginatorID = mustID(t, a)
		if diff := cmp.Diff(route, events[i].Route, cmp.Comparer(addrs)); diff != "" {
			t.Errorf("%v:\n%s", route.RouteKey, diff)
		}
	}
	sender.withdraw(t, routes[0].RouteKey)
	receiver.WaitWithdrawal(t, 0, routes[0].RouteKey)
	// A session lost behind the reflector is a withdrawal here.
	must(t, sender.Close())
	receiver.WaitWithdrawal(t, 0, routes[1].RouteKey)
}

func targeted(n byte, rt evpn.RouteTarget) evpn.Route {
	r := macRoute(n)
	r.Communities = []evpn.ExtendedCommunity{evpn.ExtendedCommunity(rt)}
	return r
}

// With route target constraint a reflector sends what was asked for and no more, and all of it before End-of-RIB.
func TestRouteTargetConstraintThroughAReflector(t *testing.T) {
	t.Parallel()
	reflector := startOther(t, otherOptions{reflector: true, rtc: true})
	requests, responses := evpn.RequestTarget(0xc0000201), evpn.ResponseTarget(0xc6336401)
	a, b, c := address(), address(), address()
	tes, nve, twin := activeFrom(a, to(a, reflector.address)), activeFrom(b, to(b, reflector.address)), activeFrom(c, to(c, reflector.address))
	tes.RouteTargets = []evpn.RouteTarget{responses}
	nve.RouteTargets = []evpn.RouteTarget{requests}
	nve.Settle(5 * time.Second)
	twin.RouteTargets = []evpn.RouteTarget{requests, responses} // the same memberships as the others
	sender := start(t, tes)
	for n := range byte(50) {
		sender.announce(t, targeted(n, requests), targeted(100+n, evpn.RequestTarget(0xc0000202)))
	}
	sender.WaitUp(t, 0, reflector.address)
	// The membership goes from the receiver to the reflector to the sender, and only then the routes come.
	first := start(t, nve)
	_, end := first.WaitEnd(t, 0, reflector.address)
	events, _ := first.Seen()
	n := 0
	for _, e := range events[:end] {
		if e.Kind == speaker.Announced {
			n++
		}
	}
	if n != 50 {
		t.Errorf("%d routes before End-of-RIB, want 50", n)
	}
	second := start(t, twin)
	for n := range byte(50) {
		second.WaitRoute(t, 0, macRoute(n).RouteKey)
	}
	// Both ways, and after the twin with its equal memberships is gone.
	first.announce(t, targeted(200, responses))
	sender.WaitRoute(t, 0, macRoute(200).RouteKey)
	second.WaitRoute(t, 0, macRoute(200).RouteKey)
	must(t, second.Close())
	sender.announce(t, targeted(60, requests))
	first.WaitRoute(t, 0, macRoute(60).RouteKey)
	first.announce(t, targeted(201, responses))
	sender.WaitRoute(t, 0, macRoute(201).RouteKey)
	events, _ = first.Seen()
	for _, e := range events {
		if e.Kind == speaker.Announced && e.Route.MAC[5] >= 100 {
			t.Errorf("not asked for: %v", e.Route.RouteKey)
		}
	}
	for name, peer := range map[string]*running{"sender": sender, "receiver": first} {
		if missing, foreign, err := peer.Check(); err != nil || len(missing)+len(foreign) > 0 {
			t.Errorf("%s: missing %v, foreign %v, %v", name, missing, foreign, err)
		}
	}
}

// Directly between two speakers of ours the same.
func TestRouteTargetConstraintDirect(t *testing.T) {
	t.Parallel()
	requests, responses := evpn.RequestTarget(0xc0000201), evpn.ResponseTarget(0xc6336401)
	a, b := address(), address()
	c := speakerOn(a)
	c.Peers = append(c.Peers, anyone())
	c.RouteTargets = []evpn.RouteTarget{requests}
	passive := run(t, c)
	for n := range byte(20) {
		passive.announce(t, targeted(n, responses), targeted(100+n, evpn.ResponseTarget(0xc6336402)))
	}
	must(t, passive.Open(t.Context()))
	d := activeFrom(b, to(b, a))
	d.RouteTargets = []evpn.RouteTarget{responses}
	active := run(t, d)
	for n := range byte(20) {
		active.announce(t, targeted(n, requests))
	}
	must(t, active.Open(t.Context()))
	for me, peer := range map[*running]*running{active: passive, passive: active} {
		_, end := me.WaitEnd(t, 0, peer.address)
		events, _ := me.Seen()
		got := make(map[evpn.RouteKey]bool) // GoBGP sends each twice: for the membership, and at the end of the memberships
		for _, e := range events[:end] {
			if e.Kind == speaker.Announced && e.Route.MAC[5] >= 20 {
				t.Errorf("not asked for: %v", e.Route.RouteKey)
			}
			if e.Kind == speaker.Announced {
				got[e.Route.RouteKey] = true
			}
		}
		if len(got) != 20 {
			t.Errorf("%v has %d routes before End-of-RIB, want 20", me.address, len(got))
		}
	}
	// After a resend as well.
	events, _ := active.Seen()
	next := len(events)
	must(t, passive.Resend(b))
	for n := range byte(20) {
		active.WaitRoute(t, next, macRoute(n).RouteKey)
	}
}

// A peer without route target constraint gets and sends everything, wherever it is only we who offer it.
func TestRouteTargetConstraintOfferedToAPeerWithout(t *testing.T) {
	t.Parallel()
	peer := startOther(t, otherOptions{reflector: true})
	a, b := address(), address()
	with, without := activeFrom(a, to(a, peer.address)), activeFrom(b, to(b, peer.address))
	with.RouteTargets = []evpn.RouteTarget{evpn.ResponseTarget(0xc6336401)}
	one, two := start(t, with), start(t, without)
	one.announce(t, macRoute(1))
	two.announce(t, macRoute(2))
	two.WaitRoute(t, 0, macRoute(1).RouteKey)
	one.WaitRoute(t, 0, macRoute(2).RouteKey)
	if end, _ := one.WaitEnd(t, 0, peer.address); end.Implied {
		t.Error("End-of-RIB was implied")
	}
}
