package guard_test

import (
	"context"
	"sync"
	"testing"
	"time"
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
