package guard_test

import (
	"testing"

	"github.com/tns-project/tns/speaker"
)

// TestLoopTakesTheRoutesPlace: a route that is replaced by one with our own AS in its path is gone. GoBGP leaves such a route out, and tells nobody that the one
// before it went; the mutants found that.
func TestLoopTakesTheRoutesPlace(t *testing.T) {
	p := anyone()
	p.AS = as + 1
	c := setting(p)
	g := run(t, c)
	inner := engineOf(c)
	inner.Peers[0].AS = p.AS
	engine := talk(t, inner)
	r := call(t, address(), g.own())
	open := r.hello()
	open.AS = p.AS
	r.establish(t, open)
	g.waitMirror(t, r.address)
	say := func(path ...byte) {
		v := routes{family: evpnFamily, header: []byte{4, 10, 0, 0, 9, 0}, nlri: [][]byte{markNLRI([8]byte{0, 1, 10, 0, 0, 9}, 5)}}
		d := draft{attributes: []attribute{{flags: 0x80, typ: attrReach, routes: &v}, {flags: 0x40, typ: 1, value: []byte{0}}, {flags: 0x40, typ: 2, value: path}}}
		r.say(d.octets())
	}
	say(2, 1, 0, 0, 0xfd, 0xe9)
	e, next := engine.Wait(t, 0, "the route", func(e speaker.Event) bool { return e.Kind == speaker.Announced })
	say(2, 2, 0, 0, 0xfd, 0xe9, 0, 0, 0xfd, 0xe8)
	engine.WaitWithdrawal(t, next, e.Route.RouteKey)
	if s := g.status(t, r.address); s.RoutesIn != 0 || s.Refused != 0 {
		t.Errorf("the guard holds %d routes, and has refused %d things", s.RoutesIn, s.Refused)
	}
}
