package guard_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/tns-project/tns/speaker/guard"
	"github.com/tns-project/tns/speaker/guard/wire"
)

// handmade is an engine by hand that has taken the guard's call, says what it announces, and then End-of-RIB.
func handmade(t *testing.T, c guard.Config, accept func() *raw, says ...[]byte) *raw {
	t.Helper()
	e := accept()
	e.establish(t, &wire.Open{
		AS: as, RouterID: c.RouterID, HoldTime: 90, FourOctetAS: true, Families: []wire.Family{wire.EVPN}, GracefulRestart: &wire.GracefulRestart{Time: 1},
	})
	e.say(append(says, wire.AppendEndOfRIB(nil, wire.EVPN))...)
	return e
}

// waitEnd waits for the guard's End-of-RIB, and is how many UPDATEs came up to it.
func (r *raw) waitEnd(t *testing.T) (updates int) {
	t.Helper()
	for at := 0; ; updates++ {
		msg, next := r.wait(t, at, wire.TypeUpdate)
		if at = next; bytes.Equal(msg, wire.AppendEndOfRIB(nil, wire.EVPN)) {
			return updates + 1
		}
	}
}

// renewing waits until the peer's engine has so many routes announced, and is renewing or not.
func (r *running) renewing(t *testing.T, peer *raw, routes int, want bool) {
	t.Helper()
	eventually(t, "the engine's routes", func() bool {
		s := r.status(t, peer.address)
		return s.Engine == guard.Established && s.RoutesOut == routes && s.Renewing == want && s.Waiting == 0
	})
}

// TestRenewedDoesNotOvertake has an engine whose last routes arrive after it has said that all are announced: the peer hears nothing of all this.
func TestRenewedDoesNotOvertake(t *testing.T) {
	c := setting(anyone())
	c.Renewal, c.SettleTime = guard.ByCall, 2*time.Second
	g := run(t, c)
	accept := await(t, c.Engine.Address.Addr())
	r := call(t, address(), g.own())
	r.establish(t, r.hello())
	engine := handmade(t, c, accept, update(1, 1), update(2, 1), update(3, 1))
	g.renewing(t, r, 3, true)
	g.Renewed()
	g.renewing(t, r, 3, false)
	before := r.waitEnd(t)

	engine.Close()
	engine = handmade(t, c, accept, update(1, 1))
	g.renewing(t, r, 3, true)
	g.Renewed()
	engine.say(update(2, 1))
	engine.say(update(3, 1))
	g.renewing(t, r, 3, false)
	if n := r.count(wire.TypeUpdate); n != before {
		t.Errorf("the peer has heard %d UPDATEs, want the %d of the first engine", n, before)
	}

	// What is never announced again does go.
	engine.Close()
	handmade(t, c, accept, update(1, 1), update(3, 1))
	g.renewing(t, r, 3, true)
	g.Renewed()
	g.renewing(t, r, 2, false)
	eventually(t, "a withdrawal", func() bool { return r.count(wire.TypeUpdate) == before+1 })
}

// TestRenewedAtAnyTime calls it when there is no engine, twice, and before the inner sessions.
func TestRenewedAtAnyTime(t *testing.T) {
	c := setting(anyone())
	c.Renewal, c.SettleTime, c.RenewTime = guard.ByCall, time.Millisecond, time.Hour
	g := run(t, c)
	r := call(t, address(), g.own())
	r.establish(t, r.hello())

	// There is nobody to call: it does not count for the engine that comes then.
	g.Renewed()
	g.Renewed()
	eventually(t, "the guard finds nobody who could have called", func() bool { return !g.IsRenewed() })
	accept := await(t, c.Engine.Address.Addr())
	engine := handmade(t, c, accept, update(1, 1))
	g.renewing(t, r, 1, true)
	r.say(update(7, 1))
	engine.wait(t, 0, wire.TypeUpdate) // the loop has gone round
	if s := g.status(t, r.address); !s.Renewing {
		t.Error("the call of nobody has ended the engine's time")
	}

	// Twice is as good as once.
	g.Renewed()
	g.Renewed()
	g.renewing(t, r, 1, false)
	before := r.waitEnd(t)

	// Another engine takes the call before its inner session stands: its End-of-RIB counts then, and what it leaves out is withdrawn.
	engine.Close()
	eventually(t, "the engine is gone", func() bool { return g.status(t, r.address).Engine != guard.Established })
	if g.IsRenewed() {
		t.Error("the word of an engine that is gone counts")
	}
	g.Renewed()
	handmade(t, c, accept, update(2, 1))
	eventually(t, "the new route and a withdrawal", func() bool { return r.count(wire.TypeUpdate) == before+2 })
	g.renewing(t, r, 1, false)
}

// TestSessionAfterRenewed: a peer that comes later is told the engine's End-of-RIB at once, as there is nothing that could be withdrawn too early.
func TestSessionAfterRenewed(t *testing.T) {
	c := setting(anyone())
	c.Renewal, c.SettleTime, c.RenewTime = guard.ByCall, time.Hour, time.Hour
	g := run(t, c)
	accept := await(t, c.Engine.Address.Addr())
	g.Renewed()
	r := call(t, address(), g.own())
	r.establish(t, r.hello())
	handmade(t, c, accept, update(1, 1))
	g.renewing(t, r, 1, false)
	r.waitEnd(t)
}

// TestOperatorsResetKeepsTheCall: an engine that resets one peer is still there, and so is its word.
func TestOperatorsResetKeepsTheCall(t *testing.T) {
	c := setting(anyone())
	c.Renewal, c.SettleTime, c.RenewTime = guard.ByCall, time.Hour, time.Hour
	g := run(t, c)
	accept := await(t, c.Engine.Address.Addr())
	g.Renewed()
	r := call(t, address(), g.own())
	r.establish(t, r.hello())
	engine := handmade(t, c, accept)
	g.renewing(t, r, 0, false)
	engine.say(wire.Notification{Code: wire.Cease, Subcode: wire.CeaseAdminReset}.Append(nil))
	r.waitNotice(t, wire.Cease, wire.CeaseAdminReset)
	again := call(t, r.address, g.own())
	again.establish(t, again.hello())
	handmade(t, c, accept, update(1, 1))
	g.renewing(t, again, 1, false)
}
