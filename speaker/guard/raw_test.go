package guard_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker/guard/wire"
)

// raw is a peer by hand: it says what a test says, and keeps what it hears.
type raw struct {
	net.Conn
	address netip.Addr

	mu    sync.Mutex
	heard [][]byte
	err   error         // of reading
	news  chan struct{} // closed and replaced with each message, and with the end
}

// call dials the guard from an address; options go to the socket before.
func call(t testing.TB, from, to netip.Addr, options ...func(fd int) error) *raw {
	t.Helper()
	c, err := tryCall(t.Context(), from, to, options...)
	if err != nil {
		t.Fatal(err)
	}
	return listenTo(t, c, from)
}

func tryCall(ctx context.Context, from, to netip.Addr, options ...func(fd int) error) (net.Conn, error) {
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0)), Control: withOptions(options)}
	d.SetMultipathTCP(false)
	return d.DialContext(ctx, "tcp", netip.AddrPortFrom(to, port).String())
}

func withOptions(options []func(fd int) error) func(string, string, syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) error {
		var errs []error
		err := c.Control(func(fd uintptr) {
			for _, o := range options {
				errs = append(errs, o(int(fd)))
			}
		})
		return errors.Join(append(errs, err)...)
	}
}

// await listens for the guard's call.
func await(t testing.TB, at netip.Addr, options ...func(fd int) error) func() *raw {
	t.Helper()
	config := net.ListenConfig{Control: withOptions(options)}
	config.SetMultipathTCP(false)
	l, err := config.Listen(t.Context(), "tcp", netip.AddrPortFrom(at, port).String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return func() *raw {
		t.Helper()
		if err := l.(*net.TCPListener).SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		return listenTo(t, c, at)
	}
}

// listenTo reads until the connection ends.
func listenTo(t testing.TB, c net.Conn, address netip.Addr) *raw {
	r := deaf(t, c, address)
	go func() {
		buf := make([]byte, wire.MaxLength)
		for {
			msg, err := wire.ReadMessage(c, buf)
			r.mu.Lock()
			if err == nil {
				r.heard = append(r.heard, append([]byte(nil), msg...))
			}
			r.err = err
			close(r.news)
			r.news = make(chan struct{})
			r.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return r
}

// deaf is a peer that never reads.
func deaf(t testing.TB, c net.Conn, address netip.Addr) *raw {
	t.Cleanup(func() { c.Close() })
	return &raw{Conn: c, address: address, news: make(chan struct{})}
}

// say writes octets, as far as the other side takes them.
func (r *raw) say(octets ...[]byte) {
	for _, b := range octets {
		_, _ = r.Write(b)
	}
}

// wait is the first message of a type, from index `from` on, and the index after it.
func (r *raw) wait(t testing.TB, from int, want wire.Type) ([]byte, int) {
	t.Helper()
	timeout := time.After(patience)
	for {
		r.mu.Lock()
		heard, err, news := r.heard, r.err, r.news
		r.mu.Unlock()
		for i := from; i < len(heard); i++ {
			if wire.TypeOf(heard[i]) == want {
				return heard[i], i + 1
			}
		}
		if err != nil {
			t.Fatalf("wait for %v: the connection ended: %v; heard %x", want, err, heard)
		}
		select {
		case <-news:
		case <-timeout:
			t.Fatalf("wait for %v, heard %x", want, heard)
		}
	}
}

// waitClosed waits for the end of the connection, and is the NOTIFICATION before it, if there was one.
func (r *raw) waitClosed(t testing.TB) (n wire.Notification, ok bool) {
	t.Helper()
	eventually(t, "the connection is closed", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.err != nil
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.heard) == 0 || wire.TypeOf(r.heard[len(r.heard)-1]) != wire.TypeNotification {
		return n, false
	}
	n, err := wire.ParseNotification(r.heard[len(r.heard)-1])
	return n, err == nil
}

// waitNotice is waitClosed of a connection that ends with a NOTIFICATION.
func (r *raw) waitNotice(t testing.TB, code wire.Code, subcode uint8) {
	t.Helper()
	if n, ok := r.waitClosed(t); !ok || n.Code != code || n.Subcode != subcode {
		t.Errorf("the connection ends with NOTIFICATION %v (%t), want %d/%d", n, ok, code, subcode)
	}
}

// count is how many messages of a type came so far.
func (r *raw) count(want wire.Type) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.heard {
		if wire.TypeOf(m) == want {
			n++
		}
	}
	return n
}

// hello is an OPEN with EVPN and graceful restart.
func (r *raw) hello() *wire.Open {
	return &wire.Open{
		AS: as, RouterID: id(r.address), HoldTime: 90, FourOctetAS: true, Families: []wire.Family{wire.EVPN}, RouteRefresh: true,
		GracefulRestart: &wire.GracefulRestart{Time: 1},
	}
}

// establish says OPEN and KEEPALIVE and waits for the guard's.
func (r *raw) establish(t testing.TB, o *wire.Open) {
	t.Helper()
	r.say(o.Append(nil))
	r.wait(t, 0, wire.TypeOpen)
	r.say(wire.AppendKeepalive(nil))
	r.wait(t, 0, wire.TypeKeepalive)
}

// keepalive is one.
func keepalive() []byte { return wire.AppendKeepalive(nil) }

// update announces one EVPN route of type 2 with a MAC that has n in it, and more path attributes.
func update(n uint32, label byte, more ...byte) []byte {
	nlri := []byte{2, 33, 0, 1, 10, 0, 0, 9, 0, 1}
	nlri = append(nlri, make([]byte, 14)...) // ESI, Ethernet tag
	nlri = append(nlri, 48, 2, 0, byte(n>>24), byte(n>>16), byte(n>>8), byte(n), 0, 0, 0, label)
	reach := append([]byte{0, 25, 70, 4, 10, 0, 0, 9, 0}, nlri...)
	attributes := []byte{0x40, 1, 1, 0, 0x40, 2, 0, 0x40, 5, 4, 0, 0, 0, 100, 0x80, 14, byte(len(reach))}
	attributes = append(append(attributes, reach...), more...)
	return message(wire.TypeUpdate, append([]byte{0, 0, 0, byte(len(attributes))}, attributes...))
}

// message puts a header before a body.
func message(t wire.Type, body []byte) []byte {
	b := make([]byte, 16, 19+len(body))
	for i := range b {
		b[i] = 0xff
	}
	length := 19 + len(body)
	return append(append(b, byte(length>>8), byte(length), byte(t)), body...)
}

// ttl sends with a TTL.
func ttl(n int) func(fd int) error {
	return func(fd int) error { return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TTL, n) }
}

// signed signs with a key for the guard's address.
func signed(to netip.Addr, password string) func(fd int) error {
	return func(fd int) error {
		s := unix.TCPMD5Sig{Keylen: uint16(len(password))}
		s.Addr.Family = unix.AF_INET
		copy(s.Addr.Data[2:], to.AsSlice())
		copy(s.Key[:], password)
		return unix.SetsockoptTCPMD5Sig(fd, unix.IPPROTO_TCP, unix.TCP_MD5SIG, &s)
	}
}

// keyOf is the key of the route that update announces.
func keyOf(n uint32) evpn.RouteKey {
	return evpn.RouteKey{Type: evpn.MACIPAdvertisement, RD: evpn.NewRD(0x0a000009, 1), MAC: evpn.MAC{2, 0, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}}
}

// waitEnd waits for the guard's End-of-RIB, and is how many UPDATEs came up to it.
func (r *raw) waitEnd(t *testing.T) (updates int) {
	t.Helper()
	for at := 0; ; updates++ {
		msg, next := r.wait(t, at, wire.TypeUpdate)
		if at = next; bytes.Equal(msg, wire.AppendEndOfRIB(nil, wire.EVPN)) {
			return updates + 1
		}
	}
}
