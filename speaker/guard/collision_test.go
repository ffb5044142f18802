package guard_test

import (
	"net"
	"testing"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker/guard"
	"github.com/tns-project/tns/speaker/guard/wire"
)

// TestCollision opens a connection from each side: the one that the side with the higher identifier dialled stays (RFC 4271 §6.8).
func TestCollision(t *testing.T) {
	for _, higher := range []bool{true, false} {
		a := address()
		c := setting(static(a))
		accept := await(t, a)
		g := run(t, c)
		theirs := accept() // the guard dialled
		ours := call(t, a, g.own())
		open := theirs.hello()
		if open.RouterID = c.RouterID - 1; higher {
			open.RouterID = c.RouterID + 1
		}
		theirs.wait(t, 0, wire.TypeOpen)
		ours.wait(t, 0, wire.TypeOpen)
		theirs.say(open.Append(nil))
		theirs.wait(t, 0, wire.TypeKeepalive) // in OpenConfirm
		ours.say(open.Append(nil))
		winner, loser := theirs, ours
		if higher {
			winner, loser = ours, theirs
		}
		loser.waitNotice(t, wire.Cease, wire.CeaseCollision)
		winner.say(keepalive())
		eventually(t, "session", func() bool { return g.status(t, a).State == guard.Established })
		if s := g.status(t, a); s.RouterID != open.RouterID || s.Sessions != 1 {
			t.Errorf("higher %t: identifier %v, sessions %d", higher, s.RouterID, s.Sessions)
		}
	}
}

// TestBothDialAtOnce lets two speakers dial each other: they end up with one session.
func TestBothDialAtOnce(t *testing.T) {
	a := address()
	c := setting(static(a))
	there := c
	there.RouterID, there.Listen = id(a), nil
	there.Engine.Address, there.Engine.Network = setting().Engine.Address, network()
	there.Listen = append(there.Listen, setting().Listen...)
	there.Listen[0] = addrPort(a)
	back := static(c.Listen[0].Addr())
	back.LocalAddress = a
	there.Peers = []guard.Peer{back}
	c.Peers[0].LocalAddress = c.Listen[0].Addr()
	g, h := run(t, c), run(t, there)
	eventually(t, "one session", func() bool {
		return g.status(t, a).State == guard.Established && h.status(t, g.own()).State == guard.Established
	})
}

// TestRestartedPeer: a peer that dials again while its old session stands has restarted (RFC 4724 §5) if it speaks graceful restart; without, the new
// connection is closed.
func TestRestartedPeer(t *testing.T) {
	for _, graceful := range []bool{true, false} {
		c := setting(anyone())
		g := run(t, c)
		engine := g.back(t)
		old := call(t, address(), g.own())
		open := old.hello()
		if !graceful {
			open.GracefulRestart = nil
		}
		old.establish(t, open)
		old.say(update(1, 1))
		_, next := engine.WaitRoute(t, 0, keyOf(1))
		first := g.waitUp(t, old.address)
		again := call(t, old.address, g.own())
		again.say(open.Append(nil))
		if !graceful {
			again.waitNotice(t, wire.Cease, wire.CeaseCollision)
			if s := g.status(t, old.address); s.Since != first.Since {
				t.Error("the session was reset")
			}
			continue
		}
		old.waitNotice(t, wire.Cease, wire.CeaseCollision)
		again.say(keepalive(), update(2, 1))
		engine.WaitRoute(t, next, keyOf(2))
		if s := g.waitUp(t, old.address); s.Sessions != 2 || s.RoutesIn != 1 {
			t.Errorf("sessions %d, routes %d", s.Sessions, s.RoutesIn)
		}
	}
}

// TestReconnectAtOnce: a lost session is dialled again without a wait, then after a second and more.
func TestReconnectAtOnce(t *testing.T) {
	a := address()
	accept := await(t, a)
	g := run(t, setting(static(a)))
	first := accept()
	first.establish(t, first.hello())
	eventually(t, "session", func() bool { return g.status(t, a).State == guard.Established })
	if s := g.status(t, a); s.AS != as || s.RouterID != evpn.RouterID(id(a)) {
		t.Errorf("AS %d, identifier %v", s.AS, s.RouterID)
	}
	first.Close()
	second := accept()
	second.establish(t, second.hello())
	eventually(t, "second session", func() bool { return g.status(t, a).Sessions == 2 })
}

// TestPeerThatClosesIsNotHammered: of a peer that closes each session at once the guard asks again after one second and more.
func TestPeerThatClosesIsNotHammered(t *testing.T) {
	t.Parallel()
	a := address()
	var config net.ListenConfig
	config.SetMultipathTCP(false)
	l, err := config.Listen(t.Context(), "tcp4", addrPort(a).String())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.(*net.TCPListener).SetDeadline(time.Now().Add(3 * time.Second)); err != nil {
		t.Fatal(err)
	}
	run(t, setting(static(a)))
	n := 0
	for ; ; n++ {
		c, err := l.Accept()
		if err != nil {
			break
		}
		r := listenTo(t, c, a)
		r.establish(t, r.hello())
		r.Close()
	}
	if n < 3 || n > 4 {
		t.Errorf("%d sessions in 3 s, want 3: at once, at once, after a second", n)
	}
}
