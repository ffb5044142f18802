package guard_test

import (
	"sync/atomic"
	"testing"

	"github.com/tns-project/tns/speaker/guard/wire"
)

// TestHeard: who watches whether a guard has work is told of each UPDATE of a peer and each route of the engine, and of nothing else.
func TestHeard(t *testing.T) {
	c := setting(anyone())
	var heard atomic.Int64
	c.Heard = func(n int) { heard.Add(int64(n)) }
	g := run(t, c)
	e := g.link(t)
	r := call(t, address(), g.own())
	r.establish(t, r.hello())
	r.say(wire.AppendKeepalive(nil), update(1, 1), update(2, 1), wire.AppendKeepalive(nil), wire.AppendEndOfRIB(nil, wire.EVPN))
	e.waitEnd(t, r.address)
	if n := heard.Load(); n != 3 {
		t.Errorf("heard of %d, want 3: two routes and End-of-RIB", n)
	}
	e.announce(t, request(1), request(2))
	e.whole()
	r.waitTold(t, request(1), request(2))
	if n := heard.Load(); n != 5 {
		t.Errorf("heard of %d, want 5: two routes of the engine", n)
	}
}
