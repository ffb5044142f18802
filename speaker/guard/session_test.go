package guard_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/tns-project/tns/speaker/guard"
	"github.com/tns-project/tns/speaker/guard/wire"
)

func TestMalformedMessageEndsItsOwnSessionOnly(t *testing.T) {
	for _, test := range []struct {
		name    string
		octets  []byte
		code    wire.Code
		subcode uint8
	}{
		{"marker", make([]byte, 19), wire.HeaderError, wire.HeaderNotSynchronized},
		{"message type", message(9, nil), wire.HeaderError, wire.HeaderBadType},
		{"length of a KEEPALIVE", message(wire.TypeKeepalive, []byte{0}), wire.HeaderError, wire.HeaderBadLength},
		{"attribute list", message(wire.TypeUpdate, []byte{0, 0, 0xff, 0xff}), wire.UpdateError, wire.UpdateMalformedList},
		{"second OPEN", (&wire.Open{AS: as, RouterID: 7, HoldTime: 9}).Append(nil), wire.StateMachineError, wire.StateInEstablished},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := setting(anyone())
			g := run(t, c)
			engine := g.back(t)
			good, bad := call(t, address(), g.own()), call(t, address(), g.own())
			good.establish(t, good.hello())
			bad.establish(t, bad.hello())
			before := g.waitUp(t, good.address)
			g.waitUp(t, bad.address)
			bad.say(test.octets)
			bad.waitNotice(t, test.code, test.subcode)
			good.say(update(1, 1))
			engine.WaitRoute(t, 0, keyOf(1))
			if s := g.waitUp(t, good.address); s.Since != before.Since || s.EngineSince != before.EngineSince {
				t.Errorf("the other session was reset")
			}
			if s := g.status(t, bad.address); s.Failure == "" || s.State == guard.Established {
				t.Errorf("state %v, failure %q", s.State, s.Failure)
			}
		})
	}
}

// TestTruncatedNLRI is what ends GoBGP v3: the route is refused, engine and session go on.
func TestTruncatedNLRI(t *testing.T) {
	c := setting(anyone())
	g := run(t, c)
	engine := g.back(t)
	bad := call(t, address(), g.own())
	bad.establish(t, bad.hello())
	g.waitUp(t, bad.address)
	reach := []byte{0, 25, 70, 4, 10, 0, 0, 9, 0, 2, 4, 0, 1, 10, 0} // type 2, four octets
	attributes := append([]byte{0x40, 1, 1, 0, 0x40, 2, 0, 0x40, 5, 4, 0, 0, 0, 100, 0x80, 14, byte(len(reach))}, reach...)
	bad.say(message(wire.TypeUpdate, append([]byte{0, 0, 0, byte(len(attributes))}, attributes...)))
	eventually(t, "the UPDATE is refused", func() bool { return g.status(t, bad.address).Refused > 0 })
	good := call(t, address(), g.own())
	good.establish(t, good.hello())
	good.say(update(1, 1))
	engine.WaitRoute(t, 0, keyOf(1))
}

// TestUnknownEVPNCommunities: what FRR and others put on routes, and GoBGP would take for a withdrawal.
func TestUnknownEVPNCommunities(t *testing.T) {
	c := setting(anyone())
	g := run(t, c)
	engine := g.back(t)
	r := call(t, address(), g.own())
	r.establish(t, r.hello())
	for n, sub := range []byte{0x06, 0x08, 0x0f, 0xff} {
		r.say(update(uint32(n), 1, 0xc0, 16, 8, 0x06, sub, 1, 2, 3, 4, 5, 6))
		engine.WaitRoute(t, 0, keyOf(uint32(n)))
	}
	if s := g.status(t, r.address); s.RoutesIn != 4 || s.Refused != 0 {
		t.Errorf("routes %d, refused %d: %v", s.RoutesIn, s.Refused, s.Refusals)
	}
}

func TestHoldTimer(t *testing.T) {
	t.Parallel()
	p := anyone()
	p.HoldTime = 3 * time.Second
	c := setting(p)
	g := run(t, c)
	silent := call(t, address(), g.own())
	start := time.Now()
	silent.establish(t, silent.hello())
	eventually(t, "session", func() bool { return g.status(t, silent.address).State == guard.Established })
	if s := g.status(t, silent.address); s.HoldTime != 3*time.Second {
		t.Errorf("hold time %v, want 3 s", s.HoldTime)
	}
	silent.waitNotice(t, wire.HoldTimerExpired, 0)
	if took := time.Since(start); took < 2900*time.Millisecond || took > 4500*time.Millisecond {
		t.Errorf("closed after %v, want 3 s", took)
	}
	if n := silent.count(wire.TypeKeepalive); n < 3 {
		t.Errorf("%d KEEPALIVEs in 3 s, want the first and one a second", n)
	}
}

func TestOpenThatIsNotExpected(t *testing.T) {
	c := setting(anyone())
	c.Peers[0].AS = as
	g := run(t, c)
	for _, test := range []struct {
		name    string
		change  func(*wire.Open)
		subcode uint8
	}{
		{"another AS", func(o *wire.Open) { o.AS = as + 1 }, wire.OpenBadPeerAS},
		{"our identifier", func(o *wire.Open) { o.RouterID = c.RouterID }, wire.OpenBadRouterID},
		{"hold time of 2 s", func(o *wire.Open) { o.HoldTime = 2 }, wire.OpenUnacceptableHoldTime},
		{"no family of ours", func(o *wire.Open) { o.Families = []wire.Family{wire.IPv4Unicast} }, wire.OpenUnsupportedCapability},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := call(t, address(), g.own())
			o := r.hello()
			test.change(o)
			r.say(o.Append(nil))
			r.waitNotice(t, wire.OpenError, test.subcode)
		})
	}
	t.Run("KEEPALIVE instead", func(t *testing.T) {
		r := call(t, address(), g.own())
		r.say(keepalive())
		r.waitNotice(t, wire.StateMachineError, wire.StateInOpenSent)
	})
}

func TestStrangersAreRefused(t *testing.T) {
	c := setting(guard.Peer{Prefix: netip.MustParsePrefix("192.0.2.0/24"), Dynamic: true})
	g := run(t, c)
	r := call(t, address(), g.own())
	if _, ok := r.waitClosed(t); ok || r.count(wire.TypeOpen) > 0 {
		t.Error("a stranger was answered")
	}
	if n := g.Totals().Strangers; n != 1 {
		t.Errorf("%d strangers, want 1", n)
	}
}

// TestEnd: a guard that stops says nothing, so that graceful restart holds; one that closes says so.
func TestEnd(t *testing.T) {
	for _, closing := range []bool{false, true} {
		g := run(t, setting(anyone()))
		r := call(t, address(), g.own())
		r.establish(t, r.hello())
		eventually(t, "session", func() bool { return g.status(t, r.address).State == guard.Established })
		if closing {
			g.Closing()
		}
		g.stop()
		n, ok := r.waitClosed(t)
		if ok != closing || closing && (n.Code != wire.Cease || n.Subcode != wire.CeaseAdminShutdown) {
			t.Errorf("closing %t: NOTIFICATION %t %v", closing, ok, n)
		}
	}
}

// TestNoEngine: a session lives without an engine for a while, then it is closed, and begins again when there is one.
func TestNoEngine(t *testing.T) {
	c := setting(anyone())
	c.EngineTime = 300 * time.Millisecond
	g := run(t, c)
	r := call(t, address(), g.own())
	start := time.Now()
	r.establish(t, r.hello())
	r.waitNotice(t, wire.Cease, wire.CeaseOutOfResources)
	if took := time.Since(start); took < c.EngineTime {
		t.Errorf("closed after %v, want %v", took, c.EngineTime)
	}
	again := call(t, r.address, g.own())
	if _, ok := again.waitClosed(t); ok || again.count(wire.TypeOpen) > 0 {
		t.Error("without an engine a session began")
	}
	g.back(t)
	eventually(t, "the guard lets the peer in again", func() bool {
		conn, err := tryCall(t.Context(), r.address, g.own())
		if err != nil {
			return false
		}
		v := listenTo(t, conn, r.address)
		eventually(t, "an answer", func() bool {
			v.mu.Lock()
			defer v.mu.Unlock()
			return len(v.heard) > 0 || v.err != nil
		})
		if v.count(wire.TypeOpen) == 0 {
			return false
		}
		v.establish(t, v.hello())
		g.waitUp(t, r.address)
		return true
	})
}

// TestRefreshWithoutEngine: ROUTE-REFRESH is answered from the table also while no engine is there.
func TestRefreshWithoutEngine(t *testing.T) {
	c := setting(anyone())
	g := run(t, c)
	engine := g.back(t, request(1), request(2))
	r := call(t, address(), g.own())
	r.establish(t, r.hello())
	eventually(t, "two UPDATEs and End-of-RIB", func() bool { return r.count(wire.TypeUpdate) == 3 })
	g.waitUp(t, r.address)
	engine.end()
	eventually(t, "the engine is gone", func() bool { return g.status(t, r.address).Engine != guard.Established })
	r.say(wire.RouteRefresh{Family: wire.EVPN}.Append(nil))
	eventually(t, "two UPDATEs more", func() bool { return r.count(wire.TypeUpdate) == 5 })
}
