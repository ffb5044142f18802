package guard_test

import (
	"runtime"
	"testing"

	"github.com/tns-project/tns/evpn"
)

// TestShrink: a guard that has had a flood through it keeps what it was told, and nothing that it only needed on the way; and it goes on as before.
func TestShrink(t *testing.T) {
	g := run(t, setting(anyone()))
	e := g.link(t)
	e.whole()
	r := call(t, address(), g.own())
	r.establish(t, r.hello())
	var routes []evpn.Route
	for n := range uint32(5000) {
		routes = append(routes, request(n))
	}
	e.announce(t, routes...)
	r.waitTold(t, routes...)
	for n := range uint32(5000) {
		r.say(update(n, 1))
	}
	e.waitRoutes(t, r.address, len(routes))
	before := held()
	g.Shrink()
	if freed := int64(before) - int64(held()); freed < 256<<10 {
		t.Errorf("%d octets less are held, want 256 KiB at least", freed)
	}
	e.withdraw(t, routes[1:]...)
	r.waitTold(t, routes[0])
	r.say(update(5000, 1))
	e.waitRoutes(t, r.address, len(routes)+1)
}

// held is how much memory is in use, in octets.
func held() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
