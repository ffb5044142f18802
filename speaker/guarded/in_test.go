package guarded

import (
	"context"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"

	"github.com/tns-project/tns/speaker/link"
)

// in runs a test in a bubble, with a speaker and its first guard.
func in(t *testing.T, test func(t *testing.T, s *Speaker, guards *guards, g *fakeGuard)) {
	synctest.Test(t, func(t *testing.T) {
		all := pipes()
		s := run(t, Config{Dial: all.dial})
		g := all.accept()
		go drain(g)
		test(t, s, all, g)
		g.Close()
	})
}

// keepAlive has the link stand while nothing is said, until it is stopped.
func keepAlive(t *testing.T, g *fakeGuard) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(link.AliveTime):
				_, _ = g.Write((&link.Message{Kind: link.Alive}).Append(nil)) // the test may be over
			}
		}
	}()
	return cancel
}

// drain reads what the engine says.
func drain(g *fakeGuard) {
	var b [4096]byte
	for {
		if _, err := g.Read(b[:]); err != nil {
			return
		}
	}
}

func TestEventsOfAGuard(t *testing.T) {
	in(t, func(t *testing.T, s *Speaker, _ *guards, g *fakeGuard) {
		g.say(t,
			link.Message{Kind: link.Up, Peer: peerA, AS: 65001, RouterID: 7},
			link.Message{Kind: link.Routes, Peer: peerA, Update: update(t, macRoute(1, 100))},
			link.Message{Kind: link.Up, Peer: peerB, AS: 65002},
			link.Message{Kind: link.Routes, Peer: peerB, Update: update(t, macRoute(2, 200))},
			link.Message{Kind: link.Routes, Peer: peerA, Update: endOfRIB},
			link.Message{Kind: link.Routes, Peer: peerA, Update: endOfRIB},
			link.Message{Kind: link.Alive},
		)
		up := next(t, s)
		if got := text(up); got != "up 192.0.2.1/1 AS 65001" || up.RouterID != 7 || !up.At.Equal(time.Now()) {
			t.Errorf("%+v", up)
		}
		wantEvents(t, s, "192.0.2.1/1 1=100", "up 2001:db8::2/1 AS 65002", "2001:db8::2/1 2=200", "192.0.2.1/1 end, implied false")
		g.say(t,
			link.Message{Kind: link.Routes, Peer: peerA, Update: withdrawal(t, macRoute(1, 0).RouteKey)},
			link.Message{Kind: link.Down, Peer: peerA, Text: "hold timer expired"},
			link.Message{Kind: link.Down, Peer: peerA, Text: "again"},
			link.Message{Kind: link.Up, Peer: peerA, AS: 65001},
		)
		synctest.Wait()
		// The session's end drops what was not taken.
		wantEvents(t, s, "down 192.0.2.1/1: hold timer expired", "up 192.0.2.1/2 AS 65001")
		g.say(t, link.Message{Kind: link.Up, Peer: peerA, AS: 65001})
		wantEvents(t, s, "down 192.0.2.1/2: the peer began another session", "up 192.0.2.1/3 AS 65001")
		bad := update(t, macRoute(3, 1))
		bad = append(bad, 0xc0, 22, 1, 0)
		bad[17] += 4
		bad[22] += 4
		g.say(t, link.Message{Kind: link.Routes, Peer: peerB, Update: bad})
		wantEvents(t, s, "2001:db8::2/1 3 refused")
		if n := s.Stats(); n.Received != 3 || n.Refused != 1 || n.Links != 1 {
			t.Errorf("%+v", n)
		}
	})
}

// What the guard had read after the session began is late by the time since then, as far as that can be believed.
func TestLate(t *testing.T) {
	in(t, func(t *testing.T, s *Speaker, _ *guards, g *fakeGuard) {
		defer keepAlive(t, g)()
		before := time.Now()
		time.Sleep(time.Second)
		g.say(t, link.Message{Kind: link.Up, Peer: peerA}, link.Message{Kind: link.Routes, Peer: peerA, Update: endOfRIB})
		wantEvents(t, s, "up 192.0.2.1/1 AS 0", "192.0.2.1/1 end, implied false")
		since := time.Now()
		for _, test := range []struct {
			name string
			at   time.Time
			wait time.Duration
			want time.Duration
		}{
			{"at once", time.Now(), 0, 0},
			{"no time", time.Time{}, time.Second, 0},
			{"before the session", before, time.Second, 0},
			{"half a second", since.Add(3 * time.Second), 1500 * time.Millisecond, 500 * time.Millisecond},
			{"six seconds", since.Add(4 * time.Second), 6500 * time.Millisecond, longestLate},
			{"in the future", since.Add(time.Hour), 0, 0},
			{"more than a minute", since.Add(time.Second), 2 * time.Minute, 0},
		} {
			time.Sleep(test.wait)
			g.say(t, link.Message{Kind: link.Routes, Peer: peerA, At: test.at, Update: update(t, macRoute(1, 1))})
			if e := next(t, s); e.Late != test.want || !e.At.Equal(time.Now()) {
				t.Errorf("%s: late by %v, want %v", test.name, e.Late, test.want)
			}
		}
	})
}

func TestEndOfRIBIsImplied(t *testing.T) {
	in(t, func(t *testing.T, s *Speaker, _ *guards, g *fakeGuard) {
		began := time.Now()
		g.say(t, link.Message{Kind: link.Up, Peer: peerA})
		defer keepAlive(t, g)()
		wantEvents(t, s, "up 192.0.2.1/1 AS 0")
		e := <-s.Events()
		if text(e) != "192.0.2.1/1 end, implied true" || e.At.Sub(began) != defaultEndOfRIBTimeout {
			t.Errorf("%s after %v", text(e), e.At.Sub(began))
		}
		g.say(t, link.Message{Kind: link.Routes, Peer: peerA, Update: endOfRIB})
		wantEvents(t, s, "192.0.2.1/1 end, implied false")
	})
}

// A peer with memberships may say End-of-RIB too early: it counts once it has been quiet.
func TestEndOfRIBSettles(t *testing.T) {
	in(t, func(t *testing.T, s *Speaker, _ *guards, g *fakeGuard) {
		g.say(t, link.Message{Kind: link.Up, Peer: peerA, Memberships: true}, link.Message{Kind: link.Routes, Peer: peerA, Update: endOfRIB})
		wantEvents(t, s, "up 192.0.2.1/1 AS 0")
		for range 3 {
			time.Sleep(settleTime - time.Millisecond)
			g.say(t, link.Message{Kind: link.Routes, Peer: peerA, Update: update(t, macRoute(1, 1))})
			wantEvents(t, s, "192.0.2.1/1 1=1")
		}
		last := time.Now()
		if e := next(t, s); text(e) != "192.0.2.1/1 end, implied false" || time.Since(last) != settleTime {
			t.Errorf("%s after %v", text(e), time.Since(last))
		}
		// A session that ends meanwhile has none.
		g.say(t, link.Message{Kind: link.Up, Peer: peerB, Memberships: true}, link.Message{Kind: link.Routes, Peer: peerB, Update: endOfRIB},
			link.Message{Kind: link.Down, Peer: peerB})
		wantEvents(t, s, "up 2001:db8::2/1 AS 0", "down 2001:db8::2/1: ")
		time.Sleep(2 * settleTime)
		synctest.Wait()
		if n := s.Stats().Queue; n != 0 {
			t.Errorf("%d events wait", n)
		}
	})
}

// A link that is lost ends the sessions, and the next guard tells them again.
func TestLinkIsLost(t *testing.T) {
	for _, test := range []struct {
		name string
		lose func(t *testing.T, g *fakeGuard)
	}{
		{"the guard goes", func(t *testing.T, g *fakeGuard) { g.Close() }},
		{"the guard is silent", func(t *testing.T, g *fakeGuard) { time.Sleep(link.DeadTime + time.Second) }},
		{"the guard says what is none", func(t *testing.T, g *fakeGuard) { g.say(t, link.Message{Kind: link.Whole}) }},
		{"routes of nobody", func(t *testing.T, g *fakeGuard) {
			g.say(t, link.Message{Kind: link.Routes, Peer: peerB, Update: update(t, macRoute(1, 1))})
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			in(t, func(t *testing.T, s *Speaker, all *guards, g *fakeGuard) {
				g.say(t, link.Message{Kind: link.Up, Peer: peerA}, link.Message{Kind: link.Routes, Peer: peerA, Update: update(t, macRoute(1, 1))})
				wantEvents(t, s, "up 192.0.2.1/1 AS 0", "192.0.2.1/1 1=1")
				test.lose(t, g)
				wantEvents(t, s, "down 192.0.2.1/1: the link to the guard is lost")
				second := all.accept()
				go drain(second)
				second.say(t, link.Message{Kind: link.Up, Peer: peerA}, link.Message{Kind: link.Routes, Peer: peerA, Update: update(t, macRoute(1, 1))})
				wantEvents(t, s, "up 192.0.2.1/2 AS 0", "192.0.2.1/2 1=1")
				second.Close()
			})
		})
	}
}

// lateConn is a connection whose first deadline has passed before anybody could read.
type lateConn struct {
	net.Conn
	reads int
}

func (c *lateConn) SetReadDeadline(time.Time) error { return nil }

func (c *lateConn) Read(b []byte) (int, error) {
	if c.reads++; c.reads == 1 {
		return 0, os.ErrDeadlineExceeded
	}
	return copy(b, "x"), nil
}

// Who stood still, as a machine that was suspended, reads what was said meanwhile.
func TestSilenceThatWasOurs(t *testing.T) {
	if n, err := heed(&lateConn{}).Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("read %d octets, %v", n, err)
	}
}

// That there is no guard, and why, is told once, after a while.
func TestGuardThatIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base, lines := logtest.NewNullLogger()
		run(t, Config{Dial: func(context.Context) (net.Conn, error) { return nil, errNoGuard }, Log: logrus.NewEntry(base)})
		time.Sleep(missingTime - time.Millisecond)
		synctest.Wait()
		if n := len(lines.AllEntries()); n != 0 {
			t.Errorf("%d lines after %v", n, missingTime)
		}
		time.Sleep(10 * missingTime)
		synctest.Wait()
		if all := lines.AllEntries(); len(all) != 1 || all[0].Level != logrus.WarnLevel || all[0].Data[logrus.ErrorKey] != errNoGuard {
			t.Errorf("lines %+v", all)
		}
	})
}

// An UPDATE that cannot be read costs what it says, and nobody's session.
func TestUpdateThatIsNone(t *testing.T) {
	in(t, func(t *testing.T, s *Speaker, _ *guards, g *fakeGuard) {
		g.say(t, link.Message{Kind: link.Up, Peer: peerA}, link.Message{Kind: link.Routes, Peer: peerA, Update: []byte{1}},
			link.Message{Kind: link.Routes, Peer: peerA, Update: update(t, macRoute(1, 1))})
		wantEvents(t, s, "up 192.0.2.1/1 AS 0", "192.0.2.1/1 0 refused", "192.0.2.1/1 1=1")
		if n := s.Stats().Refused; n != 1 {
			t.Errorf("%d are refused, want 1", n)
		}
	})
}

// A guard that cannot be reached is dialled again; nothing is said of sessions that end with us.
func TestRunUntilItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, tries := pipes(), 0
		dial := all.dial
		s := New(Config{Dial: nil})
		s.config.Dial = func(ctx context.Context) (net.Conn, error) {
			if tries++; tries < 5 {
				return nil, errNoGuard
			}
			return dial(ctx)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		g := all.accept()
		go drain(g)
		g.say(t, link.Message{Kind: link.Up, Peer: peerA})
		wantEvents(t, s, "up 192.0.2.1/1 AS 0")
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if e, open := <-s.Events(); open {
			t.Errorf("event %s", text(e))
		}
		if events, open := s.Inbox().Take(nil, 10); len(events) != 0 || open {
			t.Errorf("%d events are left, open is %t", len(events), open)
		}
	})
}
