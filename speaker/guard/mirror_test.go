package guard_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/tns-project/tns/speaker"
	"github.com/tns-project/tns/speaker/guard"
	"github.com/tns-project/tns/speaker/guard/wire"
	"github.com/tns-project/tns/speaker/link"
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

// TestMirrorOnDemand: GoBGP is told nothing before an engine asks for it, and then everything at once, to End-of-RIB, whether the link is quiet or not and the
// peer has said that or not. It hears of sessions that come, until the engine wants no more of it, is gone, or another one comes.
func TestMirrorOnDemand(t *testing.T) {
	c := setting(anyone())
	c.Engine.OnDemand, c.MirrorTime = true, time.Hour
	g := run(t, c)
	e := g.link(t)
	e.whole()
	mirror := talk(t, engineOf(c))
	const routes = 1500
	r := call(t, address(), g.own())
	r.establish(t, r.hello())
	for n := range uint32(routes) {
		r.say(update(n, 1))
	}
	e.waitRoutes(t, r.address, routes)
	hidden := func(peer *raw) {
		t.Helper()
		eventually(t, "GoBGP is told nothing", func() bool { return g.status(t, peer.address).Mirror == guard.Idle })
		if s := g.status(t, peer.address); s.State != guard.Established || s.Sessions != 1 {
			t.Errorf("the peer's session is %v, the %d.", s.State, s.Sessions)
		}
	}
	// all waits until GoBGP has heard everything from there on, and is where it ends.
	all := func(from int) (next int) {
		t.Helper()
		_, next = mirror.waitEnd(t, from)
		events, _ := mirror.Seen()
		n := 0
		for _, v := range events[from:next] {
			if v.Kind == speaker.Announced {
				n++
			}
		}
		if n != routes {
			t.Errorf("%d routes before End-of-RIB, want %d", n, routes)
		}
		return next
	}
	hidden(r)
	if events, _ := mirror.Seen(); len(events) != 0 {
		t.Errorf("GoBGP hears %+v", events)
	}
	e.say(link.Message{Kind: link.Show})
	next := all(0)
	other := call(t, address(), g.own())
	other.establish(t, other.hello())
	_, next = mirror.waitEnd(t, next)
	e.say(link.Message{Kind: link.Hide})
	hidden(r)
	hidden(other)
	for range 2 {
		_, next = mirror.Wait(t, next, "the end of a session", func(v speaker.Event) bool { return v.Kind == speaker.SessionDown })
	}
	other.Close()
	eventually(t, "the other peer is gone", func() bool { return g.status(t, other.address).State != guard.Established })

	e.say(link.Message{Kind: link.Show})
	all(next)
	e.end()
	hidden(r)
	_, next = mirror.Wait(t, next, "the end of a session", func(v speaker.Event) bool { return v.Kind == speaker.SessionDown })
	e = g.link(t)
	e.say(link.Message{Kind: link.Show})
	next = all(next)
	another := g.link(t) // which has not asked
	hidden(r)
	another.say(link.Message{Kind: link.Show})
	_, next = mirror.Wait(t, next, "the end of a session", func(v speaker.Event) bool { return v.Kind == speaker.SessionDown })
	all(next)
}
