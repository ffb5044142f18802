package guarded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker"
	"github.com/tns-project/tns/speaker/guard/wire"
	"github.com/tns-project/tns/speaker/link"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

var (
	peerA = netip.MustParseAddr("192.0.2.1")
	peerB = netip.MustParseAddr("2001:db8::2")
)

// macRoute is a type 2 route; the label tells versions of it apart.
func macRoute(n byte, label evpn.VNI) evpn.Route {
	return evpn.Route{
		RouteKey:    evpn.RouteKey{Type: evpn.MACIPAdvertisement, RD: evpn.NewRD(0xc6336401, 1), MAC: evpn.MAC{2, 0, 0, 0, 0, n}},
		Label:       label,
		NextHop:     netip.MustParseAddr("198.51.100.1"),
		Communities: []evpn.ExtendedCommunity{evpn.ExtendedCommunity(evpn.RequestTarget(0xc0000201))},
	}
}

// guards is where the engine dials: whoever takes the other ends is the guard.
type guards struct {
	ends chan net.Conn
	pair func() (engine, guard net.Conn, err error)
}

func (g *guards) dial(ctx context.Context) (net.Conn, error) {
	ours, theirs, err := g.pair()
	if err != nil {
		return nil, err
	}
	select {
	case g.ends <- theirs:
		return ours, nil
	case <-ctx.Done():
		ours.Close()
		theirs.Close()
		return nil, ctx.Err()
	}
}

// pipes are in memory, for synctest.
func pipes() *guards {
	return &guards{ends: make(chan net.Conn), pair: func() (net.Conn, net.Conn, error) {
		a, b := net.Pipe()
		return a, b, nil
	}}
}

// sockets are as between processes.
func sockets() *guards {
	return &guards{ends: make(chan net.Conn), pair: func() (net.Conn, net.Conn, error) {
		fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
		if err != nil {
			return nil, nil, err
		}
		var ends [2]net.Conn
		for i, fd := range fds {
			f := os.NewFile(uintptr(fd), "link")
			if ends[i], err = net.FileConn(f); err != nil {
				return nil, nil, err
			}
			f.Close()
		}
		return ends[0], ends[1], nil
	}}
}

// fakeGuard is the guard's end of one link, whose test says what it does.
type fakeGuard struct {
	net.Conn
	reader  *link.Reader
	decoder link.Decoder
}

func (g *guards) accept() *fakeGuard {
	c := <-g.ends
	return &fakeGuard{Conn: c, reader: link.NewReader(c)}
}

// say writes messages.
func (g *fakeGuard) say(t testing.TB, messages ...link.Message) {
	t.Helper()
	var b []byte
	for i := range messages {
		b = messages[i].Append(b)
	}
	if _, err := g.Write(b); err != nil {
		t.Error(err)
	}
}

// hear is the next message but Alive, in short: the key's last octet and label, or the key's and nothing.
func (g *fakeGuard) hear() (string, error) {
	for {
		m, err := g.reader.Next()
		if err != nil {
			return "", err
		}
		switch m.Kind {
		case link.Alive:
		case link.Whole:
			return "whole", nil
		case link.Show:
			return "show", nil
		case link.Hide:
			return "hide", nil
		case link.Resend:
			return fmt.Sprint("resend ", m.Peer), nil
		case link.Routes:
			said, err := g.decoder.Update(m.Update)
			switch {
			case err != nil:
				return "", err
			case len(said.Announced) == 1:
				return fmt.Sprint(said.Announced[0].MAC[5], "=", said.Announced[0].Label), nil
			case len(said.Withdrawn) == 1:
				return fmt.Sprint(said.Withdrawn[0].MAC[5], " gone"), nil
			}
			return "", fmt.Errorf("%+v: want one route", said)
		default:
			return "", fmt.Errorf("kind %d", m.Kind)
		}
	}
}

// want hears these messages, in that order.
func (g *fakeGuard) want(t testing.TB, messages ...string) {
	t.Helper()
	for _, want := range messages {
		if got, err := g.hear(); err != nil || got != want {
			t.Fatalf("the guard hears %q, %v, want %q", got, err, want)
		}
	}
}

// wantAll hears these messages, in any order.
func (g *fakeGuard) wantAll(t testing.TB, messages ...string) {
	t.Helper()
	left := map[string]int{}
	for _, m := range messages {
		left[m]++
	}
	for range messages {
		got, err := g.hear()
		if left[got]--; err != nil || left[got] < 0 {
			t.Fatalf("the guard hears %q, %v, want of %v", got, err, left)
		}
	}
}

// run runs a speaker until the test ends.
func run(t testing.TB, c Config) *Speaker {
	t.Helper()
	s := New(c)
	ctx, cancel := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	ended.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); ended.Wait() })
	return s
}

func update(t testing.TB, r evpn.Route) []byte {
	t.Helper()
	b, err := link.AppendAnnouncement(nil, &r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func withdrawal(t testing.TB, k evpn.RouteKey) []byte {
	t.Helper()
	b, err := link.AppendWithdrawal(nil, k)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var endOfRIB = wire.AppendEndOfRIB(nil, wire.EVPN)

// text is an event in short.
func text(e speaker.Event) string {
	s := fmt.Sprintf("%v/%d", e.Peer, e.Epoch)
	switch e.Kind {
	case speaker.SessionUp:
		return fmt.Sprintf("up %s AS %d", s, e.AS)
	case speaker.SessionDown:
		return fmt.Sprintf("down %s: %s", s, e.Text)
	case speaker.Announced:
		return fmt.Sprintf("%s %d=%d", s, e.Route.MAC[5], e.Route.Label)
	case speaker.Withdrawn:
		return fmt.Sprintf("%s %d gone", s, e.Key.MAC[5])
	case speaker.EndOfRIB:
		return fmt.Sprintf("%s end, implied %t", s, e.Implied)
	case speaker.Refused:
		return fmt.Sprintf("%s %d refused", s, e.Key.MAC[5])
	}
	return "?"
}

// next waits for the next event.
func next(t testing.TB, s *Speaker) speaker.Event {
	t.Helper()
	select {
	case e := <-s.Events():
		return e
	case <-time.After(patience):
		t.Fatal("no event")
	}
	return speaker.Event{}
}

// wantEvents waits for these.
func wantEvents(t testing.TB, s *Speaker, want ...string) {
	t.Helper()
	for _, w := range want {
		if got := text(next(t, s)); got != w {
			t.Fatalf("event %q, want %q", got, w)
		}
	}
}

// announce announces or fails the test.
func announce(t testing.TB, s *Speaker, routes ...evpn.Route) {
	t.Helper()
	for _, r := range routes {
		if err := s.Announce(r); err != nil {
			t.Error(err)
		}
	}
}

func withdraw(t testing.TB, s *Speaker, k evpn.RouteKey) {
	t.Helper()
	if err := s.Withdraw(k); err != nil {
		t.Error(err)
	}
}

var errNoGuard = errors.New("no guard")
