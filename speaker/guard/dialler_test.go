package guard

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// TestNoDiallingInASession: where the peer's connection has become the session while we waited before our next attempt, there is none: the peer would take it for
// our restart and drop the session. When that ends, we dial again.
func TestNoDiallingInASession(t *testing.T) {
	for waiting, timer := range map[State]Action{Idle: StartIdleHold, Active: StartRetry} {
		synctest.Test(t, func(t *testing.T) {
			p, peer := established(t, Config{RenewTime: time.Hour})
			go func() { _, _ = peer.Read(make([]byte, 4096)) }()
			attempts := 0 // the loop's
			inLoop(t, p, func() {
				p.session.state, p.inner.conn = Established, nil
				p.dialler = &machine{side: p.outer(), since: p.now(), state: waiting}
				p.dialler.side.dial = func(context.Context) (net.Conn, error) { return nil, errors.New("refused") }
				p.dialler.side.backoff = func(int) time.Duration { attempts++; return time.Second }
				p.act(p.dialler, timer, OpenSent, cause{})
			})
			is := func(what string, want func(State) bool) {
				t.Helper()
				time.Sleep(time.Minute)
				inLoop(t, p, func() {
					if s := p.dialler.state; !want(s) {
						t.Errorf("from state %v, %s: the dialler is in state %v, attempt %d", waiting, what, s, attempts)
					}
				})
			}
			is("in the session", func(s State) bool { return s == Idle && attempts == 1 })
			inLoop(t, p, func() { p.fire(p.session, Stop, cause{}) })
			is("after it", func(s State) bool { return s != Idle && attempts > 2 })
		})
	}
}

// TestCalledForAMoment: a dynamic peer that is not called any more before its loop heard of it is forgotten like others.
func TestCalledForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		g := &Guard{config: Config{Log: discard(), Engine: Engine{Network: defaultNetwork}}, peers: make(map[netip.Addr]*peer), recorder: &recorder{}}
		p := newPeer(g, ctx, Peer{Dynamic: true}, loopback.Addr(), loopback.Addr())
		p.stop, g.pool, g.peers[p.address] = cancel, newPool(g.config.Engine), p
		g.mu.Lock()
		g.setCalled(p, true)
		g.setCalled(p, false)
		g.mu.Unlock()
		g.loops.Go(p.run)
		time.Sleep(forgetAfter + time.Second)
		g.mu.Lock()
		left := len(g.peers)
		g.mu.Unlock()
		if left != 0 {
			t.Error("the peer is still there")
		}
		cancel()
		g.loops.Wait()
	})
}
