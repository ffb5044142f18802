package guard

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tns-project/tns/speaker/guard/wire"
)

// TestRenewalEnds tells when the time of a new engine ends: what is said at which second after the inner session came up, and the second at which the peer
// is told what was not renewed. The peer was sent a1 and b1 by an engine before; SettleTime is 1 s, RenewTime 30 s.
func TestRenewalEnds(t *testing.T) {
	type step struct {
		at   float64
		what string
	}
	for _, test := range []struct {
		name  string
		how   Renewal
		steps []step
		want  float64
	}{
		{"by its End-of-RIB", ByEndOfRIB, []step{{2, "a1"}, {3, "end"}}, 3},
		{"a second after the call", ByCall, []step{{0, "a1"}, {0, "end"}, {5, "renewed"}}, 6},
		{"a second after what was under way", ByCall, []step{{0, "a1"}, {0, "end"}, {5, "renewed"}, {5.75, "a2"}, {6.5, "c1"}}, 7.5},
		{"a second after a withdrawal that was", ByCall, []step{{0, "a1"}, {0, "end"}, {5, "renewed"}, {5.75, "-a"}}, 6.75},
		{"not without End-of-RIB", ByCall, []step{{0, "a1"}, {2, "renewed"}, {8, "end"}}, 9},
		{"called twice", ByCall, []step{{0, "a1"}, {0, "end"}, {5, "renewed"}, {5.5, "renewed"}}, 6.5},
		{"called again afterwards", ByCall, []step{{0, "a1"}, {0, "end"}, {5, "renewed"}, {9, "renewed"}}, 6},
		{"called before the session", ByCall, []step{{-1, "renewed"}, {0, "a1"}, {1, "end"}}, 2},
		{"an engine that never calls", ByCall, []step{{0, "a1"}, {0, "end"}, {29, "a2"}}, 30},
		{"an engine that never is silent", ByCall, []step{
			{0, "end"}, {28, "renewed"}, {28.5, "a1"}, {29, "a2"}, {29.5, "a3"}, {29.75, "a4"}, {30.5, "a5"},
		}, 30},
		{"an engine that never ends", ByCall, []step{{0, "a1"}, {1, "renewed"}}, 30},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, _ := established(t, Config{Renewal: test.how, SettleTime: time.Second, RenewTime: 30 * time.Second})
				start := time.Now().Add(time.Second)
				do := func(f func()) {
					if !p.post(happening{do: f}) {
						t.Fatal("the loop has ended")
					}
				}
				do(func() {
					p.engines = 1
					p.routes.engineUp(false)
					for _, w := range []string{"a1", "b1", "end"} {
						p.fromEngine(p.inner, said(w))
					}
					p.routes.renewedAll()
					p.routes.toPeer.clear()
					p.routes.engineDown()
				})
				var ended time.Duration
				until := func(at float64) {
					const tick = 10 * time.Millisecond
					for end := start.Add(time.Duration(at * float64(time.Second))); time.Now().Before(end); {
						time.Sleep(tick)
						synctest.Wait()
						do(func() {
							if ended == 0 && p.routes.engine && !p.routes.isRenewing() {
								ended = time.Since(start)
							}
						})
					}
				}
				up := false
				for _, s := range append(test.steps, step{40, ""}) {
					if !up && s.at >= 0 {
						until(0)
						do(func() { p.engineUp(p.inner) })
						up = true
					}
					until(s.at)
					switch s.what {
					case "":
					case "renewed":
						p.guard.Renewed()
					default:
						do(func() { p.fromEngine(p.inner, said(s.what)) })
					}
				}
				if want := time.Duration(test.want * float64(time.Second)); ended < want || ended > want+20*time.Millisecond {
					t.Errorf("renewed after %v, want %v", ended, want)
				}
				do(func() {
					var withdrawn bool
					for p.routes.toPeer.len() > 0 {
						changes, _ := p.routes.toPeer.take(nil, 1)
						withdrawn = withdrawn || len(changes) == 1 && changes[0].Withdrawal() && changes[0].NLRI[30] == 'b'
					}
					if !withdrawn {
						t.Error("what was not announced again is not withdrawn")
					}
				})
			})
		})
	}
}

// established is the loop of a peer whose session has its routes, without sockets, and the other end of its connection. Nothing is written to it before the
// session's state is Established.
func established(t *testing.T, c Config) (*peer, net.Conn) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	c.Log, c.EngineTime = discard(), time.Hour
	g := &Guard{config: c, notices: make(chan Notice, maxNotices), peers: make(map[netip.Addr]*peer), recorder: &recorder{}}
	p := newPeer(g, ctx, Peer{Passive: true}, loopback.Addr(), loopback.Addr())
	g.peers[p.address] = p
	here, there := net.Pipe()
	inner, _ := net.Pipe()
	session := wire.Session{Families: []wire.Family{wire.EVPN}, FourOctetAS: true, Internal: true}
	p.session = &machine{side: p.outer(), since: p.now(), received: &wire.Open{GracefulRestart: &wire.GracefulRestart{}}}
	m := p.session
	m.conn = newConn(here, nil, &p.work, func(v chunk) { p.post(happening{machine: m, chunk: v}) })
	p.inner.conn, p.accepted = &conn{Conn: inner}, []*machine{m}
	p.routes = newExchange(session)
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.run()
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		there.Close()
	})
	return p, there
}
