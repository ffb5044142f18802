package guard_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker/gobgp"
	"github.com/tns-project/tns/speaker/guard"
	"github.com/tns-project/tns/speaker/internal/live"
)

// TestFRR has FRR as a reflector, with MD5, TTL security and a hold time of 3 s: routes pass both ways, and of engines that come and go it notices nothing.
func TestFRR(t *testing.T) {
	t.Parallel()
	if !live.InNamespace(t) {
		return
	}
	c := setting()
	b := address()
	f := live.StartFRR(t, map[netip.Addr]string{c.Listen[0].Addr(): "password correct-horse\nttl-security hops 1\ntimers 1 3", b: "passive"})
	p := static(f.Address)
	p.LocalAddress, p.Password, p.SecurityHops = c.Listen[0].Addr(), "correct-horse", 1
	c.Peers = []guard.Peer{p}
	g := run(t, c)
	routes := []evpn.Route{request(1), request(2), request(3)}
	engine := g.back(t, routes...)
	other := talk(t, gobgp.Config{
		RouterID: id(b), AS: as, ListenPort: -1, Peers: []gobgp.Peer{{Prefix: netip.PrefixFrom(f.Address, 32), AS: as, Port: port, LocalAddress: b}},
	}, request(9))
	engine.WaitRoute(t, 0, request(9).RouteKey)
	next := 0
	for _, r := range routes {
		_, at := other.WaitRoute(t, 0, r.RouteKey)
		next = max(next, at)
	}
	status := g.waitUp(t, f.Address)
	eventually(t, "all is renewed", func() bool { return !g.status(t, f.Address).Renewing })
	since, updates := f.Neighbour(t, g.own())
	for range 5 {
		engine.end()
		engine = g.back(t, routes...)
		engine.WaitRoute(t, 0, request(9).RouteKey)
		engine.waitEnd(t, 0)
		eventually(t, "all is renewed", func() bool {
			s := g.status(t, f.Address)
			return s.Engine == guard.Established && !s.Renewing
		})
	}
	if s, n := f.Neighbour(t, g.own()); s-since > 1 || since-s > 1 || n != updates { // FRR counts its uptime in whole seconds
		t.Errorf("FRR: up since %v, then %v; UPDATEs received %d, then %d", since, s, updates, n)
	}
	if s := g.status(t, f.Address); s.Since != status.Since || s.HoldTime.Seconds() != 3 || s.RoutesOut != 3 {
		t.Errorf("%+v", s)
	}
	changed := request(2)
	changed.Communities[3][7]++ // FRR does not pass on a route of which only the label has changed
	engine.announce(t, changed)
	other.Wait(t, next, "the changed route", func(e speakerEvent) bool {
		return e.Route.RouteKey == changed.RouteKey && slices.Contains(e.Route.Communities, changed.Communities[3])
	})
}
