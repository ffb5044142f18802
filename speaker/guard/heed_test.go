package guard_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tns-project/tns/speaker/guard"
	"github.com/tns-project/tns/speaker/guard/wire"
	"github.com/tns-project/tns/speaker/link"
)

// TestSlowEngine: an engine that lives and does not read has the peer wait, and no memory grow. When it reads, it hears everything.
func TestSlowEngine(t *testing.T) {
	g := run(t, setting(anyone()))
	e := g.mute(t)
	e.live()
	r := call(t, address(), g.own())
	r.establish(t, r.hello())
	stopped, resume := make(chan uint32, 1), make(chan uint32, 1)
	go func() {
		n := uint32(0)
		for ; n < 1_000_000; n++ {
			_ = r.SetWriteDeadline(time.Now().Add(time.Second))
			if m, err := r.Write(update(n, 1)); err != nil {
				stopped <- n
				_ = r.SetWriteDeadline(time.Time{})
				r.say(update(n, 1)[m:])
				resume <- n + 1
				return
			}
		}
		stopped <- n
		resume <- n
	}()
	if n := <-stopped; n == 1_000_000 {
		t.Fatal("a million routes were read while the engine took none")
	}
	if s := g.status(t, r.address); s.State != guard.Established || s.RoutesIn < 4096 {
		t.Errorf("state %v, %d routes were read", s.State, s.RoutesIn)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	t.Logf("%d routes were read; heap %d MB", g.status(t, r.address).RoutesIn, m.HeapAlloc>>20)

	go e.listen()
	n := int(<-resume)
	e.waitRoutes(t, r.address, n)
	other := call(t, address(), g.own())
	other.establish(t, other.hello())
	other.say(update(1, 1))
	e.waitRoutes(t, other.address, 1)
}

// TestManyPeersWaitForRoom: many peers wait for room at once, and each gets it.
func TestManyPeersWaitForRoom(t *testing.T) {
	const peers, routes = 12, 3000
	g := run(t, setting(anyone()))
	e := g.mute(t)
	e.live()
	var all []*raw
	for range peers {
		r := call(t, address(), g.own())
		r.establish(t, r.hello())
		all = append(all, r)
		var b []byte
		for n := range uint32(routes) {
			b = append(b, update(n, 1)...)
		}
		go r.say(b)
	}
	for _, r := range all {
		eventually(t, "all is read", func() bool { return g.status(t, r.address).RoutesIn == routes })
	}
	go e.listen()
	for _, r := range all {
		e.waitRoutes(t, r.address, routes)
	}
}

// TestFrozenEngine: one that says nothing is lost after a time, and sessions stay until another comes.
func TestFrozenEngine(t *testing.T) {
	t.Parallel()
	g := run(t, setting(anyone()))
	e := g.mute(t)
	e.announce(t, request(1))
	e.whole()
	r := call(t, address(), g.own())
	r.establish(t, r.hello())
	r.waitTold(t, request(1))
	start := time.Now()
	eventually(t, "the engine is lost", func() bool { return g.status(t, r.address).Engine != guard.Established })
	if took := time.Since(start); took < link.DeadTime/2 {
		t.Errorf("lost after %v, want %v", took, link.DeadTime)
	}
	if err := <-e.ended; err == nil || !strings.Contains(err.Error(), "said nothing for 10s") {
		t.Errorf("it ends with %v", err)
	} else {
		e.ended <- err
	}
	if s := g.status(t, r.address); s.State != guard.Established {
		t.Errorf("state %v", s.State)
	}
	g.back(t, request(1)).WaitUp(t, 0, r.address)
}

// TestNoEngineOnALink: sessions end when none comes, and begin again with one.
func TestNoEngineOnALink(t *testing.T) {
	c := setting(anyone())
	c.EngineTime = 200 * time.Millisecond
	a := address()
	p := static(a)
	c.Peers = []guard.Peer{p}
	accept := await(t, a)
	g := run(t, c)
	first := g.back(t)
	first.end()
	r := accept()
	r.establish(t, r.hello())
	r.waitNotice(t, wire.Cease, wire.CeaseOutOfResources)
	e := g.back(t, request(1))
	r = accept()
	r.establish(t, r.hello())
	e.WaitUp(t, 0, a)
	r.waitTold(t, request(1))
}

// TestSlowPeerOfALink: who does not read what the engine announces has nobody else wait, and what waits for it is one change a route.
func TestSlowPeerOfALink(t *testing.T) {
	const routes = 500
	g := run(t, setting(anyone()))
	e := g.back(t)
	good := call(t, address(), g.own())
	good.establish(t, good.hello())
	from := address()
	c, err := tryCall(t.Context(), from, g.own(), small)
	if err != nil {
		t.Fatal(err)
	}
	bad := deaf(t, c, from)
	bad.say(bad.hello().Append(nil), keepalive())
	g.waitUp(t, from)
	var last int
	for round := range uint32(20) {
		for n := range uint32(routes) {
			route := request(n)
			route.LargeCommunities[0].Data1 = round
			for range 100 {
				route.LargeCommunities = append(route.LargeCommunities, route.LargeCommunities[0])
			}
			e.announce(t, route)
		}
		last = g.status(t, from).Waiting
	}
	e.announce(t, request(routes))
	eventually(t, "the other has heard all", func() bool { table, _ := good.told(t); return table.Len(wire.EVPN) == routes+1 })
	eventually(t, "all waits for the slow one", func() bool { last = g.status(t, from).Waiting; return last > 0 })
	if last > routes+2 {
		t.Errorf("%d changes wait, want at most one a route", last)
	}
	if s := g.status(t, from); s.State != guard.Established {
		t.Errorf("state %v", s.State)
	}
}

// serve has a guard answer on a control socket.
func (r *running) serve(t *testing.T) guard.Client {
	t.Helper()
	path := filepath.Join(t.TempDir(), "guard.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return guard.Client{Path: path}
}

// TestLinkOverTheControlSocket: a process of its own gets the link, if it is of the same version.
func TestLinkOverTheControlSocket(t *testing.T) {
	g := run(t, setting(anyone()))
	client := g.serve(t)
	r := call(t, address(), g.own())
	r.establish(t, r.hello())
	c, err := client.Link(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if m, err := link.NewReader(c).Next(); err != nil || m.Kind != link.Up || m.Peer != r.address {
		t.Errorf("%+v, %v", m, err)
	}

	other, err := net.Dial("unix", client.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	fmt.Fprintf(other, "{\"ask\":\"link\",\"version\":%d}\n", link.Version+1)
	line, err := bufio.NewReader(other).ReadBytes('\n')
	var a struct{ Error string }
	if err != nil || json.Unmarshal(line, &a) != nil {
		t.Fatalf("%s, %v", line, err)
	}
	if want := fmt.Sprintf("the guard has version %d of the link, the engine version %d: restart nved", link.Version, link.Version+1); !strings.HasPrefix(a.Error, want) {
		t.Errorf("the answer is %q, want %q", a.Error, want)
	}
	if s := g.status(t, r.address); s.Engine != guard.Established {
		t.Error("the refused engine took the place of the other")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client.Link(ctx); err == nil {
		t.Error("a link although its context has ended")
	}
}
