package guard_test

import (
	"testing"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker"
	"github.com/tns-project/tns/speaker/guard"
)

// TestEngineRestartIsInvisible takes the engine away and starts another: the peer's session stays, and of the routes it hears only what changed.
func TestEngineRestartIsInvisible(t *testing.T) {
	c := setting(anyone())
	a := address()
	g := run(t, c)
	engine := talk(t, engineOf(c), request(1), request(2), request(3))
	outside := talk(t, neighbour(a, c), request(9))
	engine.waitRoute(t, 0, request(9).RouteKey)
	_, next := outside.waitEnd(t, 0)
	before := g.waitUp(t, a)
	sent := before.Sent

	engine.end()
	eventually(t, "the engine is gone", func() bool { return g.status(t, a).Engine != guard.Established })
	outside.announce(t, request(10)) // while nobody is there to hear it

	// The same routes: nothing is said. The new engine hears everything, and its end.
	engine = talk(t, engineOf(c), request(1), request(2), request(3))
	engine.waitRoute(t, 0, request(9).RouteKey)
	engine.waitRoute(t, 0, request(10).RouteKey)
	engine.waitEnd(t, 0)
	after := g.waitUp(t, a)
	if after.Since != before.Since || after.Sessions != 1 {
		t.Errorf("the session was reset: since %v, then %v", before.Since, after.Since)
	}

	// A change passes, and what is not announced again is withdrawn with the engine's End-of-RIB.
	engine.end()
	changed := request(2)
	changed.Label++
	engine = talk(t, engineOf(c), request(1), changed)
	e, _ := outside.waitRoute(t, next, changed.RouteKey)
	sameRoute(t, e.Route, changed)
	outside.waitWithdrawal(t, next, request(3).RouteKey)
	last := g.waitUp(t, a)
	if last.Since != before.Since {
		t.Errorf("the session was reset: since %v, then %v", before.Since, last.Since)
	}
	if got := last.Sent - sent; got != 2 {
		t.Errorf("the peer was sent %d UPDATEs, want 2: a change and a withdrawal", got)
	}
	events, _ := outside.seen()
	for _, e := range events[next:] {
		if e.Kind != speaker.Announced && e.Kind != speaker.Withdrawn || e.Key == request(1).RouteKey {
			t.Errorf("the peer noticed: kind %d, key %v, %s", e.Kind, e.Key, e.Text)
		}
	}
}

// TestHundredEngines ends the engine a hundred times.
func TestHundredEngines(t *testing.T) {
	c := setting(anyone())
	a := address()
	g := run(t, c)
	routes := make([]evpn.Route, 20)
	for i := range routes {
		routes[i] = request(uint32(i))
	}
	engine := talk(t, engineOf(c), routes...)
	outside := talk(t, neighbour(a, c), request(100))
	engine.waitRoute(t, 0, request(100).RouteKey)
	_, next := outside.waitEnd(t, 0)
	before := g.waitUp(t, a)
	for n := range 100 {
		engine.end()
		engine = talk(t, engineOf(c), routes...)
		engine.waitRoute(t, 0, request(100).RouteKey)
		engine.waitEnd(t, 0)
		if s := g.waitUp(t, a); s.Since != before.Since {
			t.Fatalf("engine %d: the session was reset", n)
		}
	}
	eventually(t, "the last engine has announced everything", func() bool { return !g.status(t, a).Renewing })
	if s := g.status(t, a); s.Sent != before.Sent || s.Engines != 101 || s.RoutesOut != len(routes) {
		t.Errorf("UPDATEs sent %d, then %d; engines %d; routes %d", before.Sent, s.Sent, s.Engines, s.RoutesOut)
	}
	if events, _ := outside.seen(); len(events) != next {
		t.Errorf("the peer noticed:\n%s", lines(events[next:]))
	}
}
