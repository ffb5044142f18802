package guard_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker/guard"
	"github.com/tns-project/tns/speaker/guard/wire"

	"golang.org/x/sys/unix"
)

// small makes a receive buffer that is full at once.
func small(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 4096) }

// TestPeerThatNeverReads: what it is still to be told is one change a route, however many there were, and it is closed when nothing went out for the hold
// time. The others hear everything in the meantime.
func TestPeerThatNeverReads(t *testing.T) {
	c := setting(anyone())
	g := run(t, c)
	engine := g.back(t)
	good := talk(t, neighbour(address(), c))
	good.waitEnd(t, 0)
	const routes = 500
	var label atomic.Uint32
	announce := func(n uint32) {
		r := request(n)
		r.Label = evpn.VNI(label.Load())
		for n := range uint32(200) { // so long that the kernel holds no more than some hundred
			r.LargeCommunities = append(r.LargeCommunities, evpn.LargeCommunity{Global: as, Data1: 1, Data2: n})
		}
		if err := engine.Announce(r); err != nil {
			t.Error(err)
		}
	}
	heard := func() {
		good.Wait(t, 0, "the last change", func(e speakerEvent) bool {
			return e.Route.RouteKey == request(routes-1).RouteKey && e.Route.Label == evpn.VNI(label.Load())
		})
	}
	label.Store(1)
	for n := range uint32(routes) { // a busy machine would not get so far in the hold time
		announce(n)
	}
	heard()
	from := address()
	conn, err := tryCall(t.Context(), from, g.own(), small)
	if err != nil {
		t.Fatal(err)
	}
	bad := deaf(t, conn, from)
	open := bad.hello()
	open.HoldTime = 3 // its alone: others may be starved for so long
	bad.say(open.Append(nil), keepalive())
	g.waitUp(t, from)

	start, stop, announcing := time.Now(), make(chan struct{}), make(chan struct{})
	end := sync.OnceFunc(func() { close(stop); <-announcing })
	defer end()
	go func() {
		defer close(announcing)
		for n := uint32(0); ; n = (n + 1) % routes {
			select {
			case <-stop:
				return
			default:
				if n == 0 {
					label.Add(1)
				}
				announce(n)
			}
		}
	}()
	most := 0
	go func() {
		for alive := time.Tick(time.Second / 4); ; {
			select {
			case <-alive:
				bad.say(keepalive())
			case <-stop:
				return
			}
		}
	}()
	eventually(t, "the end of a peer that reads nothing", func() bool {
		s := g.status(t, from)
		most = max(most, s.Waiting)
		return s.State != guard.Established
	})
	end()
	t.Logf("%d changes waited at most; %d rounds, closed after %v: %s", most, label.Load(), time.Since(start), g.status(t, from).Failure)
	if most == 0 || most > routes+1 {
		t.Errorf("%d changes waited, want some and at most one a route, %d", most, routes)
	}
	if s := g.status(t, from); s.Failure == "" {
		t.Error("no reason is told")
	}
	label.Add(1)
	announce(routes - 1)
	heard()
	if d := time.Since(start); d < 2500*time.Millisecond {
		t.Errorf("closed after %v, want the hold time", d)
	}
}

// TestMessageRate: more messages than the rate allows wait in the peer's own socket, where no message waits for those after it, and the others go on.
func TestMessageRate(t *testing.T) {
	p := anyone()
	p.MessageRate = 100
	c := setting(p)
	g := run(t, c)
	engine := g.back(t)
	r := call(t, address(), g.own())
	r.establish(t, r.hello())
	g.waitUp(t, r.address)
	const burst = 300
	start := time.Now()
	for n := range uint32(burst) {
		r.say(update(n, 1))
	}
	engine.WaitRoute(t, 0, keyOf(50))
	if n := g.status(t, r.address).RoutesIn; n == burst {
		t.Errorf("the first messages of %d came with the last", n)
	}
	engine.WaitRoute(t, 0, keyOf(burst-1))
	// The bucket holds 100 at first, of which OPEN and KEEPALIVE took two; the others come at 100 a second.
	if took := time.Since(start); took < 1900*time.Millisecond {
		t.Errorf("%d messages were read in %v, with 100 a second and a burst of 100", burst, took)
	}
	if s := g.status(t, r.address); s.State != guard.Established || s.RoutesIn != burst {
		t.Errorf("state %v, routes %d", s.State, s.RoutesIn)
	}
}

// TestMirrorThatNeverReads: neither the peer nor the engine waits for GoBGP, and what it is still to be told is one change a route.
func TestMirrorThatNeverReads(t *testing.T) {
	const routes, rounds = 10_000, 5
	c := setting(anyone())
	g := run(t, c)
	e := g.link(t)
	accept := await(t, c.Engine.Address.Addr(), small)
	r := call(t, address(), g.own())
	r.establish(t, r.hello())
	mirror := accept()
	mirror.establish(t, &wire.Open{AS: as, RouterID: c.RouterID, HoldTime: 90, FourOctetAS: true, Families: []wire.Family{wire.EVPN}})
	_ = mirror.Conn.(interface{ SetReadDeadline(time.Time) error }).SetReadDeadline(time.Unix(1, 0)) // its reader ends
	g.waitMirror(t, r.address)
	for round := range byte(rounds) {
		for n := range uint32(routes) {
			r.say(update(n, round))
		}
	}
	r.say(withdrawal(0))
	e.waitRoutes(t, r.address, routes-1)
	if s := g.status(t, r.address); s.State != guard.Established || s.Mirror != guard.Established {
		t.Errorf("state %v, mirror %v: %s", s.State, s.Mirror, s.Failure)
	}
}

// TestTooManyRoutes ends the session of a peer that sends more than it may.
func TestTooManyRoutes(t *testing.T) {
	p := anyone()
	p.MaxRoutes = 2
	c := setting(p)
	g := run(t, c)
	r := call(t, address(), g.own())
	r.establish(t, r.hello())
	r.say(update(1, 1), update(2, 1), update(2, 2), update(3, 1))
	r.waitNotice(t, wire.Cease, wire.CeaseMaxPrefixes)
}
