package guarded

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker/link"
)

// What is announced before there is a guard is told to the first and to each that comes after it, and so is Whole, if it was said.
func TestEachGuardIsToldEverything(t *testing.T) {
	all := sockets()
	s := run(t, Config{Dial: all.dial})
	announce(t, s, macRoute(1, 1), macRoute(2, 2), macRoute(3, 3))
	withdraw(t, s, macRoute(3, 0).RouteKey)
	first := all.accept()
	first.wantAll(t, "1=1", "2=2")
	announce(t, s, macRoute(1, 11))
	first.want(t, "1=11")
	s.Whole()
	s.Whole()
	first.want(t, "whole")
	withdraw(t, s, macRoute(2, 0).RouteKey)
	withdraw(t, s, macRoute(2, 0).RouteKey) // is not there any more
	announce(t, s, macRoute(4, 4))
	first.want(t, "2 gone", "4=4")
	first.Close()
	second := all.accept()
	second.wantAll(t, "1=11", "4=4")
	second.want(t, "whole")
	if err := s.Resend(peerA); err != nil {
		t.Error(err)
	}
	if err := s.Resend(netip.Addr{}); err != nil {
		t.Error(err)
	}
	second.want(t, "resend 192.0.2.1", "resend invalid IP")
	if n := s.Stats(); n.Announced != 5 || n.Withdrawn != 2 || n.Links != 2 {
		t.Errorf("%+v", n)
	}
	if keys := s.Keys(); len(keys) != 2 {
		t.Errorf("announced: %v", keys)
	}
}

// Whole comes after everything that was announced before it, also where that is a lot.
func TestWholeIsTheEnd(t *testing.T) {
	all := sockets()
	s := run(t, Config{Dial: all.dial})
	const n = 5000
	for i := range n {
		r := macRoute(1, 1)
		r.Tag = evpn.EthernetTag(i)
		announce(t, s, r)
	}
	s.Whole()
	g := all.accept()
	for i := range n {
		if got, err := g.hear(); err != nil || got != "1=1" {
			t.Fatalf("message %d is %q, %v", i, got, err)
		}
	}
	g.want(t, "whole")
}

// At rest a message is in the socket when Announce returns.
func TestAtRestItIsWrittenAtOnce(t *testing.T) {
	all := sockets()
	s := run(t, Config{Dial: all.dial})
	g := all.accept()
	for n := range byte(5) {
		time.Sleep(3 * gatherTime) // rest
		announce(t, s, macRoute(n, 1))
		if waiting := inSocket(t, g.Conn); waiting == 0 {
			t.Errorf("announcement %d is not in the socket", n)
		}
		g.want(t, fmt.Sprint(n, "=1"))
	}
}

// A guard that does not read makes nobody wait, and takes no more memory than the routes there are: it reads what holds by then.
func TestGuardThatDoesNotRead(t *testing.T) {
	all := sockets()
	s := run(t, Config{Dial: all.dial})
	g := all.accept()
	const keys, rounds = 100, 300 // some 3 MB
	for round := range rounds {
		for n := range byte(keys) {
			announce(t, s, macRoute(n, evpn.VNI(round+1)))
		}
	}
	s.mu.Lock()
	if n := len(s.out.pending); n > 2*mostPending {
		t.Errorf("%d octets wait", n)
	}
	if n := len(s.out.dirty); n == 0 || n > keys {
		t.Errorf("%d routes wait", n)
	}
	s.mu.Unlock()
	for n := range byte(keys / 2) {
		withdraw(t, s, macRoute(n, 0).RouteKey)
	}
	s.Whole()
	has, messages := map[byte]string{}, 0
	for {
		m, err := g.hear()
		if err != nil {
			t.Fatal(err)
		}
		if m == "whole" {
			break
		}
		messages++
		var n byte
		var what string
		if _, err := fmt.Sscanf(m, "%d%s", &n, &what); err != nil {
			t.Fatal(m, err)
		}
		has[n] = what
	}
	for n := range byte(keys) {
		want := fmt.Sprint("=", rounds)
		if n < keys/2 {
			want = "gone"
		}
		if has[n] != want {
			t.Errorf("route %d%s, want %s", n, has[n], want)
		}
	}
	if messages >= keys*rounds {
		t.Errorf("%d messages: nothing was merged", messages)
	}
}

func TestAliveWhileNothingIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := pipes()
		run(t, Config{Dial: all.dial})
		g := all.accept()
		for range 3 {
			began := time.Now()
			m, err := g.reader.Next()
			if err != nil || m.Kind != link.Alive || time.Since(began) > link.AliveTime {
				t.Errorf("%+v, %v, after %v", m, err, time.Since(began))
			}
		}
		g.Close()
	})
}

func TestInjectedRoutes(t *testing.T) {
	all := sockets()
	s := run(t, Config{Dial: all.dial})
	own, other := macRoute(1, 1), macRoute(2, 2)
	announce(t, s, own)
	s.Inject(own.RouteKey, update(t, macRoute(1, 99))) // ours stands above it
	s.Inject(other.RouteKey, update(t, other))
	g := all.accept()
	g.wantAll(t, "1=1", "2=2")
	if err := s.Eject(own.RouteKey); err != nil {
		t.Error(err)
	}
	if err := s.Eject(other.RouteKey); err != nil {
		t.Error(err)
	}
	g.want(t, "2 gone")
	s.Inject(other.RouteKey, update(t, other))
	announce(t, s, macRoute(2, 22))
	g.want(t, "2=2", "2=22")
	if err := s.Eject(other.RouteKey); err != nil {
		t.Error(err)
	}
	announce(t, s, macRoute(1, 11)) // comes next, so nothing was withdrawn
	g.want(t, "1=11")
	if _, ok := s.Route(other.RouteKey); !ok {
		t.Error("the role's own route is gone")
	}
}

func TestChangesAreTold(t *testing.T) {
	var changed []byte
	s := New(Config{Dial: func(context.Context) (net.Conn, error) { return nil, errNoGuard }, Changed: func(k evpn.RouteKey) { changed = append(changed, k.MAC[5]) }})
	announce(t, s, macRoute(1, 1), macRoute(2, 1))
	withdraw(t, s, macRoute(1, 0).RouteKey)
	withdraw(t, s, macRoute(1, 0).RouteKey)
	bad := macRoute(3, 1)
	bad.NextHop = netip.Addr{}
	if err := s.Announce(bad); err == nil {
		t.Error("a route without a next hop is announced")
	}
	if string(changed) != "\x01\x02\x01" {
		t.Errorf("changed: %v", changed)
	}
}

// Whatever is announced and withdrawn, however slowly guards read, and whenever they go: the last one has what is announced.
func TestGuardHasWhatIsAnnounced(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		all := sockets()
		s := New(Config{Dial: all.dial})
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		defer func() {
			cancel()
			if err := <-done; err != nil {
				rt.Error(err)
			}
		}()
		want := map[string]bool{}
		g := all.accept()
		defer func() { g.Close() }()
		has := map[string]bool{}
		read := func(most int) bool {
			for range most {
				if err := g.SetReadDeadline(time.Now().Add(patience)); err != nil {
					rt.Fatal(err)
				}
				m, err := g.hear()
				if err != nil {
					rt.Fatal(err)
				}
				if m == "whole" {
					return true
				}
				var n byte
				var label string
				if _, err := fmt.Sscanf(m, "%d%s", &n, &label); err != nil {
					rt.Fatal(m, err)
				}
				maps.DeleteFunc(has, func(k string, _ bool) bool { return k[:2] == fmt.Sprintf("%02d", n) })
				if label != "gone" {
					has[fmt.Sprintf("%02d%s", n, label)] = true
				}
			}
			return false
		}
		for i, step := range rapid.SliceOfN(rapid.IntRange(0, 41), 1, 200).Draw(rt, "steps") {
			n := byte(step % 20)
			maps.DeleteFunc(want, func(k string, _ bool) bool { return step < 40 && k[:2] == fmt.Sprintf("%02d", n) })
			switch {
			case step < 20:
				if err := s.Announce(macRoute(n, evpn.VNI(i))); err != nil {
					rt.Fatal(err)
				}
				want[fmt.Sprintf("%02d=%d", n, i)] = true
			case step < 40:
				if err := s.Withdraw(macRoute(n, 0).RouteKey); err != nil {
					rt.Fatal(err)
				}
			case step == 40:
				g.Close()
				g, has = all.accept(), map[string]bool{}
			default:
				time.Sleep(gatherTime)
			}
		}
		s.Whole()
		for !read(1) {
		}
		if !maps.Equal(has, want) {
			rt.Errorf("the guard has %v, want %v", has, want)
		}
	})
}

// BenchmarkAnnounce is from a route to its octets at the guard's end of the socket, in a flood.
func BenchmarkAnnounce(b *testing.B) {
	all := sockets()
	s := run(b, Config{Dial: all.dial})
	g := all.accept()
	read := make(chan int)
	go func() {
		n := 0
		for {
			m, err := g.reader.Next()
			if err != nil || m.Kind == link.Whole {
				break
			}
			if m.Kind == link.Routes {
				n++
			}
		}
		read <- n
	}()
	routes := make([]evpn.Route, 1<<14)
	for i := range routes {
		routes[i] = macRoute(1, 1)
		routes[i].Tag = evpn.EthernetTag(i)
		announce(b, s, routes[i])
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if err := s.Announce(routes[i%len(routes)]); err != nil {
			b.Fatal(err)
		}
	}
	s.Whole()
	if n := <-read; n < min(b.N, len(routes)) {
		b.Errorf("the guard has read %d routes", n)
	}
	b.StopTimer()
	g.Close()
}

// BenchmarkEvent is from the octets of an UPDATE, with one request each, to the event as its reader takes it.
func BenchmarkEvent(b *testing.B) {
	all := sockets()
	s := run(b, Config{Dial: all.dial})
	g := all.accept()
	go drain(g)
	const each = 1 << 10
	octets := (&link.Message{Kind: link.Up, Peer: peerA}).Append(nil)
	if _, err := g.Write(octets); err != nil {
		b.Fatal(err)
	}
	octets = octets[:0]
	for i := range each {
		r := macRoute(1, 1)
		r.Tag = evpn.EthernetTag(i)
		for sub := range byte(7) {
			r.Communities = append(r.Communities, evpn.ExtendedCommunity{0x88, sub + 1, 0, 0, 0, byte(i >> 8), byte(i), 1})
		}
		octets = (&link.Message{Kind: link.Routes, Peer: peerA, Update: update(b, r)}).Append(octets)
	}
	b.ReportAllocs()
	b.ResetTimer()
	in := s.Inbox()
	for n := 0; n < b.N; n += each {
		go func() { _, _ = g.Write(octets) }()
		for got := 0; got < each; {
			<-in.Ready()
			events, _ := in.Take(nil, each)
			for i := range events {
				if !events[i].At.IsZero() && events[i].Kind != 1 { // not SessionUp
					got++
				}
			}
		}
	}
	b.StopTimer()
	g.Close()
}

// inSocket is how many octets wait to be read.
func inSocket(t *testing.T, c net.Conn) (n int) {
	t.Helper()
	raw, err := c.(*net.UnixConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { n, failed = unix.IoctlGetInt(int(fd), unix.SIOCINQ) }); err != nil {
		t.Fatal(err)
	}
	if failed != nil {
		t.Fatal(failed)
	}
	return n
}
