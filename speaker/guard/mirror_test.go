package guard_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/tns-project/tns/speaker/guard"
	"github.com/tns-project/tns/speaker/guard/wire"
)

// TestMirrorOfABusyLink: GoBGP is told everything, also while there is no end of what comes.
func TestMirrorOfABusyLink(t *testing.T) {
	c := setting(anyone())
	c.MirrorTime = 4 * time.Millisecond
	g := run(t, c)
	e := g.link(t)
	e.whole()
	mirror := talk(t, engineOf(c))
	r, other := call(t, address(), g.own()), call(t, address(), g.own())
	r.establish(t, r.hello())
	other.establish(t, other.hello())

	ctx, stop := context.WithCancel(t.Context())
	var talking sync.WaitGroup
	defer talking.Wait()
	defer stop()
	talking.Go(func() {
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for n := byte(0); ctx.Err() == nil; n++ {
			other.say(update(1, n))
			<-tick.C
		}
	})
	const routes = 1500
	for n := range uint32(routes) {
		r.say(update(n, 1))
	}
	e.waitRoutes(t, r.address, routes)
	for n := range uint32(routes) {
		mirror.WaitRoute(t, 0, keyOf(n))
	}
}

// TestMirrorTooFarBehind: routes that come and go before GoBGP hears of them are not kept for it without end. It begins anew, and the session stays.
func TestMirrorTooFarBehind(t *testing.T) {
	c := setting(anyone())
	c.MirrorTime = time.Hour
	g := run(t, c)
	e := g.link(t)
	e.whole()
	accept := await(t, c.Engine.Address.Addr())
	ours := &wire.Open{AS: as, RouterID: c.RouterID, HoldTime: 90, FourOctetAS: true, Families: []wire.Family{wire.EVPN}}
	r := call(t, address(), g.own())
	r.establish(t, r.hello())
	mirror := accept()
	mirror.establish(t, ours)
	g.waitMirror(t, r.address)

	const routes = 1<<16 + 512
	var gone []wire.Change
	for n := range uint32(routes) {
		u, err := wire.ParseUpdate(update(n, 1))
		if err != nil {
			t.Fatal(err)
		}
		c := u.Changes()[0]
		r.say(update(n, 1))
		gone = append(gone, wire.Change{Family: c.Family, NLRI: c.NLRI})
	}
	e.waitRoutes(t, r.address, routes)
	if s := g.status(t, r.address); s.Mirror != guard.Established {
		t.Fatalf("GoBGP's session is %v: it has no more to hear than there is", s.Mirror)
	}
	msgs, _ := wire.Pack(gone, wire.Session{FourOctetAS: true, Internal: true})
	r.say(msgs...)
	mirror.waitNotice(t, wire.Cease, wire.CeaseOutOfResources)
	accept().establish(t, ours)
	g.waitMirror(t, r.address)
	e.waitRoutes(t, r.address, 0)
	if s := g.status(t, r.address); s.State != guard.Established || s.Sessions != 1 {
		t.Errorf("state %v, %d sessions", s.State, s.Sessions)
	}
}
