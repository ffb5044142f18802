package guard_test

import (
	"reflect"
	"testing"

	"github.com/tns-project/tns/evpn"
)

// sameRoute compares what was announced with what arrived.
func sameRoute(t *testing.T, got, want evpn.Route) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("route changed on the way:\nannounced %+v\narrived   %+v", want, got)
	}
}

func TestRoutesPassBothWays(t *testing.T) {
	c := setting(anyone())
	a := address()
	g := run(t, c)
	engine := g.back(t, request(1))
	outside := talk(t, neighbour(a, c), request(2))
	e, _ := engine.WaitRoute(t, 0, request(2).RouteKey)
	sameRoute(t, e.Route, request(2))
	e, next := outside.WaitRoute(t, 0, request(1).RouteKey)
	sameRoute(t, e.Route, request(1))
	if e.Peer != g.own() {
		t.Errorf("outside sees peer %v, want the guard's %v", e.Peer, g.own())
	}
	_, next = outside.waitEnd(t, next)
	engine.waitEnd(t, 0)
	engine.withdraw(t, request(1).RouteKey)
	outside.WaitWithdrawal(t, next, request(1).RouteKey)
	outside.withdraw(t, request(2).RouteKey)
	engine.WaitWithdrawal(t, 0, request(2).RouteKey)
}
