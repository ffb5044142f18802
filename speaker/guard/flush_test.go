package guard

import (
	"encoding/binary"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tns-project/tns/speaker/guard/wire"
	"github.com/tns-project/tns/speaker/link"
)

// TestNoTimerHoldsRoutes has an engine announce 10,000 routes to a peer that does not read yet, then one of them with another MED, and one more.
// What of it is not in the peer's connection yet waits, but for nothing else than that: as soon as the peer reads, all comes without any time having passed,
// in as few UPDATEs as their size allows. The change takes the place that its route has, and the last one comes after all that was due before it.
func TestNoTimerHoldsRoutes(t *testing.T) {
	const routes, changed, last = 10_000, 4000, 10_000
	synctest.Test(t, func(t *testing.T) {
		p, peer := established(t, Config{RenewTime: time.Hour})
		engine := linked(t, p.guard)
		engine.say(t, link.Message{Kind: link.Whole})
		synctest.Wait()
		inLoop(t, p, func() { p.routes.toPeer.clear(); p.session.state = Established })
		for n := range uint16(routes) {
			engine.say(t, bulk(n, 1))
		}
		engine.say(t, bulk(changed, 2), bulk(last, 1))
		synctest.Wait()
		start := time.Now()
		var order []uint16
		var updates, at int // the change's place
		buf := make([]byte, wire.MaxLength)
		for len(order) <= routes {
			msg, err := wire.ReadMessage(peer, buf)
			if err != nil {
				t.Fatal(err)
			}
			updates++
			u, err := wire.ParseUpdate(msg)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range u.Changes() {
				n := binary.BigEndian.Uint16([]byte(c.NLRI[len(c.NLRI)-8:]))
				if n == changed {
					at = len(order)
				}
				order = append(order, n)
			}
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("a timer held something back for %v", took)
		}
		if order[0] != 0 || order[routes] != last {
			t.Errorf("first %d, last %d: want those that were said first and last", order[0], order[routes])
		}
		if at < changed || at > changed+batch {
			t.Errorf("the change of route %d is at place %d", changed, at)
		}
		if most := 1 + routes/100 + routes/batch + 2; updates > most { // 105 routes of 37 octets fit, and a batch need not fill its last
			t.Errorf("%d UPDATEs, want at most %d", updates, most)
		}
		// At rest, a change leaves at once.
		engine.say(t, bulk(7, 3))
		if _, err := wire.ReadMessage(peer, buf); err != nil || time.Since(start) != 0 {
			t.Errorf("a change at rest took %v, %v", time.Since(start), err)
		}
	})
}
