package guard

import (
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tns-project/tns/speaker/guard/wire"
	"github.com/tns-project/tns/speaker/link"
)

// updatesOf is a peer that reads all the time.
func updatesOf(t *testing.T, c net.Conn) <-chan *wire.Update {
	heard := make(chan *wire.Update, 4096)
	go func() {
		for {
			msg, err := wire.ReadMessage(c, make([]byte, wire.MaxLength))
			if err != nil {
				return
			}
			u, err := wire.ParseUpdate(msg)
			if err != nil {
				t.Error(err)
				return
			}
			heard <- u
		}
	}()
	return heard
}

// TestTableIsGathered has an engine say its table a route at a time to a peer that reads at once. What has equal attributes leaves in as few UPDATEs as the
// batches allow, whatever pauses the system makes, up to gatherTime; Whole ends it at once, and from then on each change leaves without any time
// having passed. So does all that is due when the engine is lost.
func TestTableIsGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, peer := established(t, Config{RenewTime: time.Hour})
		heard := updatesOf(t, peer)
		routes, updates := 0, 0
		within := func(what string, wantRoutes, mostUpdates int, wantTime time.Duration) {
			t.Helper()
			start := time.Now()
			for routes, updates = 0, 0; routes < wantRoutes; updates++ {
				u := <-heard
				routes += len(u.Announced)
			}
			if took := time.Since(start); took != wantTime || routes != wantRoutes || updates > mostUpdates {
				t.Errorf("%s: %d routes in %d UPDATEs after %v, want %d in at most %d after %v", what, routes, updates, took, wantRoutes, mostUpdates, wantTime)
			}
		}
		engineUp := func() *speech {
			inLoop(t, p, func() { p.session.state = Established })
			engine := linked(t, p.guard)
			synctest.Wait()
			return engine
		}

		engine := engineUp()
		for n := range uint16(1000) {
			engine.say(t, bulk(n, 1))
		}
		within("a batch", batch, 1+batch/100, 0) // 105 routes of 37 octets fit
		within("the rest", 1000-batch, 1+(1000-batch)/100, gatherTime)
		for n := range uint16(100) {
			time.Sleep(gatherTime / 200)
			engine.say(t, bulk(2000+n, 1))
		}
		within("what came in half the time", 100, 1, gatherTime/2+gatherTime/200)
		engine.say(t, bulk(3000, 1))
		engine.say(t, bulk(3001, 1))
		engine.say(t, link.Message{Kind: link.Whole})
		within("the end", 2, 1, 0)
		if u := <-heard; u.EndOfRIB != wire.EVPN {
			t.Errorf("%+v, want End-of-RIB", u)
		}
		for n := range uint16(10) {
			engine.say(t, bulk(4000+n, 1))
			within("a change on a settled session", 1, 1, 0)
			time.Sleep(time.Duration(n) * time.Millisecond)
		}

		// A restart: what differs is gathered, and leaves when the engine is gone again.
		engine.end()
		engine = engineUp()
		for n := range uint16(50) {
			engine.say(t, bulk(n, 2))
		}
		engine.end()
		within("an engine that is lost", 50, 1, 0)
	})
}
