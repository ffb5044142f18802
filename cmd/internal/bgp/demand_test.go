package bgp

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker"
	"github.com/tns-project/tns/speaker/guard"
	"github.com/tns-project/tns/speaker/link/pipe"
)

// stock is what the stock command says.
func stock(t *testing.T, target, words string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "gobgp", append([]string{"--target", target}, strings.Fields(words)...)...).CombinedOutput()
	if err != nil {
		t.Errorf("gobgp %s: %v: %s", words, err, out)
	}
	return string(out)
}

// world is a speaker that people can ask, and a peer of it that has announced routes.
type world struct {
	c           Config
	shown, peer *Speaker
	stop        func() // of shown
	from        netip.Addr
}

func newWorld(t *testing.T, c func(*Config)) *world {
	t.Helper()
	at := place(t)
	w := &world{from: place(t).Addr()}
	w.c = setting(at.Addr(), "127.64.0.0/11", guard.Peer{Prefix: netip.PrefixFrom(w.from, 32), Dynamic: true})
	w.c.Listen, w.c.API = []netip.AddrPort{at}, "unix://"+filepath.Join(t.TempDir(), "api")
	if c != nil {
		c(&w.c)
	}
	w.shown, w.stop = start(t, w.c)
	w.peer, _ = start(t, setting(w.from, "127.96.0.0/11", guard.Peer{Prefix: netip.PrefixFrom(at.Addr(), 32), Port: at.Port(), AS: as, LocalAddress: w.from}))
	return w
}

func numbered(side byte, n int) evpn.Route {
	return evpn.Route{
		RouteKey: evpn.RouteKey{Type: evpn.MACIPAdvertisement, RD: evpn.NewRD(0xc0000201, 1), MAC: evpn.MAC{2, side, 0, byte(n >> 16), byte(n >> 8), byte(n)}},
		NextHop:  netip.MustParseAddr("198.51.100.1"),
	}
}

// both announces so many routes on both sides, and waits until the peer's have come.
func (w *world) both(t *testing.T, routes int) {
	t.Helper()
	for n := range routes {
		for side, s := range []*Speaker{w.shown, w.peer} {
			if err := s.Announce(numbered(byte(side), n)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range routes {
		wait(t, w.shown, speaker.Announced)
	}
}

// until polls.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for limit := time.Now().Add(patience); !holds(); <-tick.C {
		if time.Now().After(limit) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// empty reports whether GoBGP has nothing.
func (w *world) empty(t *testing.T) bool {
	t.Helper()
	sessions, err := w.shown.mirror.Sessions()
	stands, err2 := w.shown.mirror.Speaker.Own()
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	return len(sessions) == 0 && len(stands) == 0
}

// The very first request is shown everything, whichever it is, also while the link to the guard is never quiet; and so is the first after a rest.
func TestFirstRequestSeesEverything(t *testing.T) {
	const global = "global rib -a evpn"
	for first, routes := range map[string]int{global: 10_000, "neighbor FROM adj-in -a evpn": 10_000, "neighbor": 100, "neighbor FROM": 100} {
		t.Run(first, func(t *testing.T) {
			w := newWorld(t, nil)
			w.both(t, routes)
			if !w.empty(t) {
				t.Error("nobody has asked, and GoBGP has something")
			}
			busy, done := make(chan struct{}), make(chan struct{})
			go func() { // the events are read, and there is no end of them
				defer close(done)
				tick := time.NewTicker(time.Millisecond)
				defer tick.Stop()
				for n := evpn.VNI(1); ; n++ {
					r := numbered(1, 0)
					r.Label = n
					_ = w.peer.Announce(r)
					select {
					case <-tick.C:
					case <-w.shown.Events():
					case <-busy:
						return
					}
				}
			}()
			defer func() { close(busy); <-done }()
			words := strings.ReplaceAll(first, "FROM", w.from.String())
			out := stock(t, w.c.API, words)
			switch {
			case first == global:
				if n := strings.Count(out, "02:00:00"); n != routes {
					t.Errorf("shows %d routes, want %d", n, routes)
				}
			case strings.Contains(first, "adj-in"):
				if n := strings.Count(out, "02:01:00"); n != routes {
					t.Errorf("shows %d routes, want %d", n, routes)
				}
			case !strings.Contains(out, w.from.String()) || !strings.Contains(out, fmt.Sprint(routes)):
				t.Errorf("gobgp %s shows no peer with %d routes:\n%s", words, routes, out)
			}
		})
	}
}

// What nobody asks for any more is forgotten: outer sessions do not notice, no line says so, and who asks again is shown everything.
func TestTableRestsAgain(t *testing.T) {
	log, lines := logtest.NewNullLogger()
	w := newWorld(t, func(c *Config) {
		c.IdleTime, c.APIWrite, c.NextHop, c.Log = 100*time.Millisecond, true, netip.MustParseAddr("198.51.100.9"), logrus.NewEntry(log)
	})
	w.both(t, 10)
	before, _, err := w.shown.Peers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	adjIn := "neighbor " + w.from.String() + " adj-in -a evpn"
	if w.shown.mirror.Stats().Announced != 0 {
		t.Error("nobody has asked, and something was filled in")
	}
	lines.Reset()
	for range 3 {
		if n := strings.Count(stock(t, w.c.API, adjIn), "02:01:00"); n != 10 {
			t.Errorf("shows %d routes of the peer, want 10", n)
		}
		if n := strings.Count(stock(t, w.c.API, "global rib -a evpn"), "02:00:00"); n != 10 {
			t.Errorf("shows %d routes of ours, want 10", n)
		}
		until(t, "the table is empty", func() bool { return w.empty(t) })
		if own, err := w.shown.Own(); err != nil || len(own) != 10 {
			t.Errorf("own %v, %v", own, err)
		}
		if n, err := w.shown.Restore(); n != 0 || err != nil {
			t.Errorf("restored %d, %v", n, err)
		}
	}
	stays := func(what string) {
		t.Helper()
		for tick, until := time.Tick(w.c.IdleTime/4), time.Now().Add(5*w.c.IdleTime); time.Now().Before(until); <-tick {
			if w.empty(t) {
				t.Fatal("the table is empty while " + what)
			}
		}
	}
	watching, enough := context.WithCancel(t.Context())
	defer enough()
	watch := exec.CommandContext(watching, "gobgp", "--target", w.c.API, "monitor", "adj-in", "-a", "evpn")
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "somebody watches", func() bool { return !w.empty(t) })
	stays("somebody watches")
	enough()
	_ = watch.Wait() // it was killed
	until(t, "the table is empty", func() bool { return w.empty(t) })
	// What people have added stays, and so does the rest with it.
	stock(t, w.c.API, "global rib add -a evpn macadv 02:02:00:00:00:09 10.0.0.9 etag 3 label 10 rd 10.0.0.9:1 rt 65000:1")
	if e := waitOf(t, w.peer, 2); e.Kind != speaker.Announced {
		t.Errorf("the peer hears %+v", e)
	}
	stays("people have added something")
	stock(t, w.c.API, "global rib del -a evpn macadv 02:02:00:00:00:09 10.0.0.9 etag 3 label 10 rd 10.0.0.9:1 rt 65000:1")
	if e := waitOf(t, w.peer, 2); e.Kind != speaker.Withdrawn {
		t.Errorf("the peer hears %+v", e)
	}
	until(t, "the table is empty", func() bool { return w.empty(t) })
	after, _, err := w.shown.Peers(t.Context())
	if err != nil || len(after) != 1 || after[0].Sessions != 1 || after[0].Since != before[0].Since || after[0].State != guard.Established {
		t.Errorf("the peer's session is %+v, and was %+v, %v", after, before, err)
	}
	for _, e := range lines.AllEntries() {
		if e.Level <= logrus.InfoLevel {
			t.Errorf("%v %q %v", e.Level, e.Message, e.Data)
		}
	}
}

// several is a Guard that is one guard after another, each as if in a process of its own.
type several struct {
	mu  sync.Mutex
	now *guard.Guard
	ctx context.Context // of its process
}

func (s *several) get() (*guard.Guard, context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now, s.ctx
}

func (s *several) Peers(ctx context.Context) ([]guard.Status, guard.Totals, error) {
	g, _ := s.get()
	return g.Peers(ctx), g.Totals(), nil
}

func (s *several) Link(context.Context) (net.Conn, error) {
	ours, theirs := pipe.New()
	g, ctx := s.get()
	go func() { _ = g.Link(ctx, theirs) }()
	return ours, nil
}

// is begins with another one.
func (s *several) is(ctx context.Context, g *guard.Guard) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now, s.ctx = g, ctx
}

// Another guard, and another engine, come while the table is filled: who asks then is shown everything.
func TestTableAfterRestarts(t *testing.T) {
	at := place(t)
	from := place(t).Addr()
	c := setting(at.Addr(), "127.64.0.0/11", guard.Peer{Prefix: netip.PrefixFrom(from, 32), Dynamic: true})
	c.Listen, c.API = []netip.AddrPort{at}, "unix://"+filepath.Join(t.TempDir(), "api")
	meet, err := Meet(c.Inner)
	if err != nil {
		t.Fatal(err)
	}
	running := func(run func(context.Context) error) (stop func()) {
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- run(ctx) }()
		stop = sync.OnceFunc(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
		t.Cleanup(stop)
		return stop
	}
	guards := &several{}
	newGuard := func() (stop func()) {
		g, err := NewGuard(c, meet)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		guards.is(ctx, g)
		ended := running(g.Run)
		return func() { cancel(); ended() }
	}
	newEngine := func() (e *Speaker, stop func()) {
		e, err := NewEngine(c, meet, guards)
		if err != nil {
			t.Fatal(err)
		}
		stop = running(e.Run)
		if err := e.Announce(numbered(0, 1)); err != nil {
			t.Fatal(err)
		}
		if err := e.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		return e, stop
	}
	const routes = 300
	peer, _ := start(t, setting(from, "127.96.0.0/11", guard.Peer{Prefix: netip.PrefixFrom(at.Addr(), 32), Port: at.Port(), AS: as, LocalAddress: from, ConnectRetry: time.Second}))
	for n := range routes {
		if err := peer.Announce(numbered(1, n)); err != nil {
			t.Fatal(err)
		}
	}
	shown := func(e *Speaker) {
		t.Helper()
		for range routes {
			wait(t, e, speaker.Announced)
		}
		for range 2 {
			if n := strings.Count(stock(t, c.API, "neighbor "+from.String()+" adj-in -a evpn"), "02:01:00"); n != routes {
				t.Errorf("shows %d routes of the peer, want %d", n, routes)
			}
			if n := strings.Count(stock(t, c.API, "global rib -a evpn"), "02:00:00"); n != 1 {
				t.Errorf("shows %d routes of ours, want one", n)
			}
		}
	}
	stopGuard := newGuard()
	engine, stopEngine := newEngine()
	shown(engine)
	stopGuard()
	newGuard()
	shown(engine)
	stopEngine()
	if err := engine.Close(); err != nil {
		t.Error(err)
	}
	engine, _ = newEngine()
	shown(engine)
}

// waitOf is the next event about a route of a side.
func waitOf(t *testing.T, s *Speaker, side byte) speaker.Event {
	t.Helper()
	for limit := time.After(patience); ; {
		select {
		case e := <-s.Events():
			if e.Key.MAC[1] == side {
				return e
			}
		case <-limit:
			t.Fatalf("nothing of side %d", side)
		}
	}
}
