package guard_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	logtest "github.com/sirupsen/logrus/hooks/test"
	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/speaker/guard"
	"github.com/tns-project/tns/speaker/guard/wire"
)

// soon bounds an attempt to connect that must fail: the kernel answers a SYN without the right signature with nothing.
const soon = 1500 * time.Millisecond

// TestPasswordOfPrefix: a prefix with a key lets in who has it, and nobody else.
func TestPasswordOfPrefix(t *testing.T) {
	t.Parallel()
	p := guard.Peer{Prefix: netip.MustParsePrefix("127.0.0.0/8"), Dynamic: true, Password: "correct horse"}
	g := run(t, setting(p))
	for _, test := range []struct {
		name    string
		options []func(int) error
		let     bool
	}{
		{"no key", nil, false},
		{"wrong key", []func(int) error{signed(g.own(), "battery staple")}, false},
		{"right key", []func(int) error{signed(g.own(), "correct horse")}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			from := address()
			ctx, cancel := context.WithTimeout(t.Context(), soon)
			defer cancel()
			c, err := tryCall(ctx, from, g.own(), test.options...)
			if err != nil {
				if test.let {
					t.Fatal(err)
				}
				return
			}
			if !test.let {
				c.Close()
				t.Fatal("connected")
			}
			r := listenTo(t, c, from)
			r.establish(t, r.hello())
		})
	}
}

// TestPasswordOfStaticPeer: the guard signs when it dials, and its listener knows the peer's key, not another's.
func TestPasswordOfStaticPeer(t *testing.T) {
	t.Parallel()
	a, b := address(), address()
	with, without := static(a), static(b)
	with.Password = "correct horse"
	with.Passive, without.Passive = true, true
	g := run(t, setting(with, without))
	for _, test := range []struct {
		name    string
		from    netip.Addr
		options []func(int) error
		let     bool
	}{
		{"with a key, unsigned", a, nil, false},
		{"with a key, wrong", a, []func(int) error{signed(g.own(), "battery staple")}, false},
		{"with a key, right", a, []func(int) error{signed(g.own(), "correct horse")}, true},
		{"without a key, unsigned", b, nil, true},
		{"without a key, signed", b, []func(int) error{signed(g.own(), "correct horse")}, false},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), soon)
		c, err := tryCall(ctx, test.from, g.own(), test.options...)
		cancel()
		if let := err == nil; let != test.let {
			t.Errorf("%s: connected %t, want %t", test.name, let, test.let)
		}
		if err == nil {
			c.Close()
		}
	}
}

func TestDialledPassword(t *testing.T) {
	t.Parallel()
	for _, right := range []bool{true, false} {
		a := address()
		p := static(a)
		p.Password = "correct horse"
		c := setting(p)
		c.Listen = nil
		p.LocalAddress = c.RouterID.Addr()
		c.Peers[0] = p
		key := "correct horse"
		if !right {
			key = "battery staple"
		}
		var config net.ListenConfig
		config.SetMultipathTCP(false)
		l, err := config.Listen(t.Context(), "tcp4", netip.AddrPortFrom(a, port).String())
		if err != nil {
			t.Fatal(err)
		}
		tcp := l.(*net.TCPListener)
		raw, err := tcp.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		if err := raw.Control(func(fd uintptr) { err = signed(p.LocalAddress, key)(int(fd)) }); err != nil {
			t.Fatal(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		run(t, c)
		deadline := patience
		if !right {
			deadline = soon
		}
		if err := tcp.SetDeadline(time.Now().Add(deadline)); err != nil {
			t.Fatal(err)
		}
		conn, err := tcp.Accept()
		if (err == nil) != right {
			t.Errorf("right key %t: connected %t: %v", right, err == nil, err)
		}
		if err == nil {
			conn.Close()
		}
		tcp.Close()
	}
}

// TestTTLSecurity: packets that have come too far are not heard; the guard's own say 255.
func TestTTLSecurity(t *testing.T) {
	t.Parallel()
	near := address()
	p, q := static(near), anyone()
	p.Passive, p.SecurityHops = true, 1
	far := netip.MustParsePrefix(address().String() + "/32")
	q.Prefix, q.SecurityHops = far, 3
	g := run(t, setting(p, q))
	for _, test := range []struct {
		name string
		from netip.Addr
		ttl  int
		let  bool
	}{
		{"adjacent, 255", near, 255, true},
		{"adjacent, 254", near, 254, false},
		{"three hops, 253", far.Addr(), 253, true},
		{"three hops, 252", far.Addr(), 252, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), soon)
			defer cancel()
			c, err := tryCall(ctx, test.from, g.own(), ttl(test.ttl))
			if err != nil {
				if test.let {
					t.Fatal(err)
				}
				return
			}
			r := listenTo(t, c, test.from)
			r.say(r.hello().Append(nil), keepalive())
			if test.let {
				eventually(t, "session", func() bool { return g.status(t, test.from).State == guard.Established })
				c.Close()
				eventually(t, "its end", func() bool { return g.status(t, test.from).State != guard.Established })
				return
			}
			// What is heard of it is nothing, for as long as a session takes many times over.
			timeout := time.After(soon)
			for {
				select {
				case <-timeout:
					return
				case <-time.After(time.Millisecond):
					if s := g.status(t, test.from); s.MessagesIn > 0 && s.State >= guard.OpenConfirm {
						t.Fatalf("state %v", s.State)
					}
				}
			}
		})
	}
}

// TestOwnTTL: what the guard sends carries the TTL that the peer's kind wants.
func TestOwnTTL(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*guard.Peer)
		want   int
	}{
		{"adjacent external", func(p *guard.Peer) { p.AS = as + 1 }, 1},
		{"multihop", func(p *guard.Peer) { p.MultihopTTL = 7 }, 7},
		{"TTL security", func(p *guard.Peer) { p.SecurityHops = 1 }, 255},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := address()
			p := static(a)
			test.change(&p)
			// The listener lets in what comes with that TTL, and another one of the same peer, that wants more, does not.
			accept := await(t, a, ttl(255), least(test.want))
			run(t, setting(p))
			r := accept()
			o := r.hello()
			o.AS = p.AS
			r.establish(t, o)
			if test.want == 255 {
				return
			}
			b := address()
			p.Prefix = netip.PrefixFrom(b, 32)
			var config net.ListenConfig
			config.Control = withOptions([]func(int) error{least(test.want + 1)})
			config.SetMultipathTCP(false)
			l, err := config.Listen(t.Context(), "tcp4", netip.AddrPortFrom(b, port).String())
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			run(t, setting(p))
			if err := l.(*net.TCPListener).SetDeadline(time.Now().Add(soon)); err != nil {
				t.Fatal(err)
			}
			if conn, err := l.Accept(); err == nil {
				conn.Close()
				t.Errorf("packets came with a TTL above %d", test.want)
			}
		})
	}
}

// least lets in packets with at least a TTL.
func least(n int) func(fd int) error {
	return func(fd int) error { return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MINTTL, n) }
}

// TestNoDescriptors: a guard that has no room for another connection lets it wait, and lives on.
func TestNoDescriptors(t *testing.T) {
	base, lines := logtest.NewNullLogger()
	c := setting(anyone())
	c.Log = base.WithField("part", "guard")
	g := run(t, c)
	from := address()
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(socket), "peer")
	defer file.Close()
	if err := unix.Bind(socket, &unix.SockaddrInet4{Addr: from.As4()}); err != nil {
		t.Fatal(err)
	}
	free, err := unix.Dup(socket)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(free)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(free), Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	err = unix.Connect(socket, &unix.SockaddrInet4{Addr: g.own().As4(), Port: port})
	eventually(t, "the connection has to wait", func() bool { return err != nil || len(loud(lines.AllEntries())) > 0 })
	if err := errors.Join(err, unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)); err != nil {
		t.Fatal(err)
	}
	conn, err := net.FileConn(file)
	if err != nil {
		t.Fatal(err)
	}
	r := listenTo(t, conn, from)
	r.establish(t, r.hello())
	if said := loud(lines.AllEntries()); len(said) != 1 || !strings.Contains(said[0], "have to wait") {
		t.Errorf("it says %q", said)
	}
}

// TestSocketErrorsAreErrors: a protection that cannot be had is never left out.
func TestSocketErrorsAreErrors(t *testing.T) {
	c := setting(anyone())
	c.Listen[0] = netip.MustParseAddrPort("192.0.2.1:1790") // not ours
	if g, err := guard.New(c); err == nil || !strings.Contains(err.Error(), "192.0.2.1:1790") {
		t.Errorf("guard %v, error %v", g, err)
	}
	// A prefix whose key the kernel does not take: it has no room for more than a socket may have of them.
	c = setting()
	for n := range 4000 {
		c.Peers = append(c.Peers, guard.Peer{
			Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n >> 8), byte(n), 1}), 32), AS: as, Passive: true, Password: strings.Repeat("x", 80),
		})
	}
	if g, err := guard.New(c); err == nil || !strings.Contains(err.Error(), "TCP MD5 signature of 10.") {
		t.Errorf("guard %v, error %v", g, err)
	}
}

// TestTTLSecurityOfAConnection: also within a connection, and on one that the guard dials, packets from too far are not heard.
func TestTTLSecurityOfAConnection(t *testing.T) {
	t.Parallel()
	p := anyone()
	p.SecurityHops = 1
	g := run(t, setting(p))
	r := call(t, address(), g.own(), ttl(255))
	r.wait(t, 0, wire.TypeOpen)
	raw, err := r.Conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	far := func(n int) {
		if e := raw.Control(func(fd uintptr) { err = ttl(n)(int(fd)) }); e != nil || err != nil {
			t.Fatal(e, err)
		}
	}
	far(254)
	r.say(r.hello().Append(nil), keepalive())
	select {
	case <-time.After(soon):
	case <-t.Context().Done():
	}
	if n := g.status(t, r.address).MessagesIn; n != 0 {
		t.Errorf("%d messages from two hops away were heard", n)
	}
	far(255) // what TCP sends again is
	eventually(t, "session", func() bool { return g.status(t, r.address).State == guard.Established })

	a := address()
	q := static(a)
	q.SecurityHops = 1
	var config net.ListenConfig
	config.SetMultipathTCP(false)
	l, err := config.Listen(t.Context(), "tcp4", addrPort(a).String()) // answers with the system's TTL, 64
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	run(t, setting(q))
	if err := l.(*net.TCPListener).SetDeadline(time.Now().Add(soon)); err != nil {
		t.Fatal(err)
	}
	if conn, err := l.Accept(); err == nil {
		conn.Close()
		t.Error("the guard connected to a peer that is too far away")
	}
}
