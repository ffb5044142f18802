package guard_test

import (
	"context"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker"
	"github.com/tns-project/tns/speaker/guard"
	"github.com/tns-project/tns/speaker/guard/wire"
	"github.com/tns-project/tns/speaker/guarded"
	"github.com/tns-project/tns/speaker/internal/live"
)

// TestEngineRestartIsInvisible takes the engine away and starts another: the peer's session stays, and of the routes it hears only what changed.
func TestEngineRestartIsInvisible(t *testing.T) {
	c := setting(anyone())
	a := address()
	g := run(t, c)
	engine := g.back(t, request(1), request(2), request(3))
	outside := talk(t, neighbour(a, c), request(9))
	engine.WaitRoute(t, 0, request(9).RouteKey)
	_, next := outside.waitEnd(t, 0)
	before := g.waitUp(t, a)
	sent := before.Sent

	engine.end()
	eventually(t, "the engine is gone", func() bool { return g.status(t, a).Engine != guard.Established })
	outside.announce(t, request(10)) // while nobody is there to hear it

	// The same routes: nothing is said. The new engine hears everything, and its end.
	engine = g.back(t, request(1), request(2), request(3))
	engine.WaitRoute(t, 0, request(9).RouteKey)
	engine.WaitRoute(t, 0, request(10).RouteKey)
	engine.waitEnd(t, 0)
	after := g.waitUp(t, a)
	if after.Since != before.Since || after.Sessions != 1 {
		t.Errorf("the session was reset: since %v, then %v", before.Since, after.Since)
	}

	// A change passes, and what is not announced again is withdrawn with the engine's End-of-RIB.
	engine.end()
	changed := request(2)
	changed.Label++
	g.back(t, request(1), changed)
	e, _ := outside.WaitRoute(t, next, changed.RouteKey)
	sameRoute(t, e.Route, changed)
	outside.WaitWithdrawal(t, next, request(3).RouteKey)
	last := g.waitUp(t, a)
	if last.Since != before.Since {
		t.Errorf("the session was reset: since %v, then %v", before.Since, last.Since)
	}
	if got := last.Sent - sent; got != 2 {
		t.Errorf("the peer was sent %d UPDATEs, want 2: a change and a withdrawal", got)
	}
	events, _ := outside.Seen()
	for _, e := range events[next:] {
		if e.Kind != speaker.Announced && e.Kind != speaker.Withdrawn || e.Key == request(1).RouteKey {
			t.Errorf("the peer noticed: kind %d, key %v, %s", e.Kind, e.Key, e.Text)
		}
	}
}

// TestHundredEngines ends the engine a hundred times.
func TestHundredEngines(t *testing.T) {
	c := setting(anyone())
	a := address()
	g := run(t, c)
	routes := make([]evpn.Route, 20)
	for i := range routes {
		routes[i] = request(uint32(i))
	}
	engine := g.back(t, routes...)
	outside := talk(t, neighbour(a, c), request(100))
	engine.WaitRoute(t, 0, request(100).RouteKey)
	_, next := outside.waitEnd(t, 0)
	before := g.waitUp(t, a)
	for n := range 100 {
		engine.end()
		engine = g.back(t, routes...)
		engine.WaitRoute(t, 0, request(100).RouteKey)
		engine.waitEnd(t, 0)
		if s := g.waitUp(t, a); s.Since != before.Since {
			t.Fatalf("engine %d: the session was reset", n)
		}
	}
	eventually(t, "the last engine has announced everything", func() bool { return !g.status(t, a).Renewing })
	if s := g.status(t, a); s.Sent != before.Sent || s.Engines != 101 || s.RoutesOut != len(routes) {
		t.Errorf("UPDATEs sent %d, then %d; engines %d; routes %d", before.Sent, s.Sent, s.Engines, s.RoutesOut)
	}
	if events, _ := outside.Seen(); len(events) != next {
		t.Errorf("the peer noticed:\n%s", live.Lines(events[next:]))
	}
}

// TestRestartsAreCounted: an engine is another one only where a session had one before; and why there was no session is still told when there is one.
func TestRestartsAreCounted(t *testing.T) {
	c := setting(anyone())
	a := address()
	g := run(t, c)
	for range 2 { // sessions that never have an engine
		r := call(t, a, g.own())
		r.establish(t, r.hello())
		eventually(t, "a session", func() bool { return g.status(t, a).State == guard.Established })
		r.Close()
		eventually(t, "its end", func() bool { return g.status(t, a).State != guard.Established })
	}
	r := call(t, a, g.own())
	r.establish(t, r.hello())
	for n := range 3 {
		engine := g.back(t)
		s := g.waitUp(t, a)
		if s.Sessions != 3 || s.Engines != uint64(n)+1 || s.Restarts != uint64(n) {
			t.Errorf("engine %d: %d sessions, %d engines, %d restarts", n, s.Sessions, s.Engines, s.Restarts)
		}
		if want := "the other side closed the connection"; s.Failure != want {
			t.Errorf("with a session that stands, the last failure is %q, want %q", s.Failure, want)
		}
		engine.end()
		eventually(t, "the engine is gone", func() bool { return g.status(t, a).Engine != guard.Established })
	}
}

// These variables make this program an engine, or a guard. What they need to know are the arguments.
const (
	engineVariable = "GUARD_TEST_ENGINE"
	guardVariable  = "GUARD_TEST_GUARD"
)

// beEngine is a process that is killed; it never comes back.
func beEngine(socket, routes string) {
	s := guarded.New(guarded.Config{Dial: guard.Client{Path: socket}.Link})
	n, err := strconv.Atoi(routes)
	if err != nil {
		panic(err)
	}
	for i := range n {
		if err := s.Announce(request(uint32(i))); err != nil {
			panic(err)
		}
	}
	s.Whole()
	go func() {
		for range s.Events() {
		}
	}()
	panic(s.Run(context.Background()))
}

// TestKilledEngines runs the engine as another process and kills it (-9) in the middle of whatever it does. A peer that another implementation would be,
// by hand and without graceful restart, hears nothing.
func TestKilledEngines(t *testing.T) {
	const routes, kills = 1000, 20
	c := setting(anyone())
	g := run(t, c)
	socket := g.serve(t).Path
	start := func() *exec.Cmd {
		cmd := exec.Command(os.Args[0], socket, strconv.Itoa(routes))
		cmd.Env, cmd.Stderr = append(os.Environ(), engineVariable+"=1"), os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	kill := func(cmd *exec.Cmd) {
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait()
	}
	engine := start()
	r := call(t, address(), g.own())
	open := r.hello()
	open.GracefulRestart, open.HoldTime = nil, 0 // it has nothing to say for the whole time
	r.establish(t, open)
	for n := range uint32(100) {
		r.say(update(n, 1))
	}
	settled := func() {
		eventually(t, "all is renewed", func() bool {
			s := g.status(t, r.address)
			return s.Engine == guard.Established && !s.Renewing && s.RoutesOut == routes && s.Waiting == 0
		})
	}
	settled()
	before := g.status(t, r.address)
	var longest time.Duration
	for n := range kills {
		if n%2 == 0 {
			settled()
		} // else while it is told, or tells
		kill(engine)
		began := time.Now()
		engine = start()
		eventually(t, "an engine", func() bool {
			s := g.status(t, r.address)
			return s.Engine == guard.Established && s.EngineSince.After(began)
		})
		if n%2 == 1 {
			settled()
			longest = max(longest, time.Since(began))
		}
	}
	settled()
	s := g.status(t, r.address)
	if s.Since != before.Since || s.Sessions != 1 || s.Sent != before.Sent || s.RoutesIn != 100 {
		t.Errorf("before %+v\nafter  %+v", before, s)
	}
	t.Logf("%d engines; from start to the whole table of %d routes at most %v", s.Engines, routes, longest)
	kill(engine)
}

// beGuard is a process that is killed; it never comes back.
func beGuard(own, engine, network, socket string) {
	at := netip.MustParseAddrPort(own)
	g, err := guard.New(guard.Config{
		AS: as, RouterID: id(at.Addr()), Listen: []netip.AddrPort{at}, Peers: []guard.Peer{anyone()}, Log: testLog(),
		Engine: guard.Engine{Address: netip.MustParseAddrPort(engine), Network: netip.MustParsePrefix(network)},
	})
	if err != nil {
		panic(err)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		panic(err)
	}
	go func() { panic(g.Serve(context.Background(), l)) }()
	panic(g.Run(context.Background()))
}

// TestKilledGuard kills the guard's process (-9): GoBGP sees connections that end without a word, takes it for a graceful restart, and must let the next
// guard in nevertheless.
func TestKilledGuard(t *testing.T) {
	const kills = 5
	c := setting(anyone())
	mirror := talk(t, engineOf(c))
	socket := filepath.Join(t.TempDir(), "guard.sock")
	engine := dialling(t, guard.Client{Path: socket}.Link, request(1))
	start := func() *exec.Cmd {
		_ = os.Remove(socket)
		cmd := exec.Command(os.Args[0], c.Listen[0].String(), c.Engine.Address.String(), c.Engine.Network.String(), socket)
		cmd.Env, cmd.Stderr = append(os.Environ(), guardVariable+"=1"), os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	connect := func(from netip.Addr) *raw {
		var conn net.Conn
		eventually(t, "a guard that listens", func() (ok bool) {
			var err error
			conn, err = tryCall(t.Context(), from, c.Listen[0].Addr())
			return err == nil
		})
		r := listenTo(t, conn, from)
		open := r.hello()
		open.GracefulRestart.Time = 120
		r.establish(t, open)
		return r
	}
	from, next, heard := address(), 0, 0
	var longest time.Duration
	for n := range kills + 1 {
		began := time.Now()
		cmd := start()
		r := connect(from)
		open := time.Now()
		up, at := mirror.Wait(t, next, "session", func(e speaker.Event) bool { return e.Kind == speaker.SessionUp })
		if took := up.At.Sub(open); n > 0 {
			longest = max(longest, took)
			t.Logf("the guard is there after %v, its inner session %v later", open.Sub(began), took)
		}
		r.say(update(1, 1))
		mirror.WaitRoute(t, at, keyOf(1))
		_, heard = engine.WaitRoute(t, heard, keyOf(1))
		r.wait(t, 0, wire.TypeUpdate)
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait()
		_, next = mirror.Wait(t, at, "end of the session", func(e speaker.Event) bool { return e.Kind == speaker.SessionDown })
		_, heard = engine.WaitDown(t, heard, from)
	}
	if longest > time.Second {
		t.Errorf("GoBGP let the next guard wait for %v", longest)
	}
}
