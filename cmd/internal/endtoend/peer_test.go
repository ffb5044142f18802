package endtoend

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Types of BGP messages (RFC 4271 §4.1); unknown is none.
const (
	typeOpen         = 1
	typeUpdate       = 2
	typeNotification = 3
	typeKeepalive    = 4
	typeUnknown      = 99
)

// inside runs f on a thread that is in the namespace; sockets that it opens stay there.
func inside(t *testing.T, namespace string, f func() error) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		ns, err := os.Open("/run/netns/" + namespace)
		if err != nil {
			done <- err
			return
		}
		defer ns.Close()
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- err
			return
		}
		done <- f()
	}()
	if err := <-done; err != nil {
		t.Fatalf("in %s: %v", namespace, err)
	}
}

// peer is a BGP speaker that says what a test writes, octet for octet.
type peer struct {
	net.Conn
	t  *testing.T
	id netip.Addr // BGP identifier
}

// call connects to a daemon from an address in a namespace, with a socket that has the options.
func call(t *testing.T, namespace, from, to string, options ...option) *peer {
	t.Helper()
	p, err := tryCall(t, 5*time.Second, namespace, from, to, options...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// tryCall is call where nobody may answer for that long.
func tryCall(t *testing.T, patience time.Duration, namespace, from, to string, options ...option) (*peer, error) {
	t.Helper()
	p := &peer{t: t, id: netip.MustParseAddr(from)}
	var refused error
	inside(t, namespace, func() error {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: p.id.AsSlice()}, Timeout: patience, Control: control(options)}
		p.Conn, refused = d.Dial("tcp4", to)
		return nil
	})
	if refused == nil {
		t.Cleanup(func() { p.Close() })
	}
	return p, refused
}

// await listens in a namespace, with a socket that has the options; the function that it returns waits for the next connection.
func await(t *testing.T, namespace, at string, options ...option) func() *peer {
	t.Helper()
	l := listen(t, namespace, at, options...)
	return func() *peer {
		t.Helper()
		p, err := l.accept(20 * time.Second)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
}

// listener is where a daemon may connect to.
type listener struct {
	*net.TCPListener
	t  *testing.T
	id netip.Addr
}

// listen listens in a namespace, with a socket that has the options.
func listen(t *testing.T, namespace, at string, options ...option) *listener {
	t.Helper()
	l := &listener{t: t, id: netip.MustParseAddrPort(at).Addr()}
	inside(t, namespace, func() error {
		c := net.ListenConfig{Control: control(options)}
		c.SetMultipathTCP(false) // it has no MD5 signatures
		v, err := c.Listen(t.Context(), "tcp4", at)
		if err == nil {
			l.TCPListener = v.(*net.TCPListener)
		}
		return err
	})
	t.Cleanup(func() { l.Close() })
	return l
}

// accept waits that long for the next connection.
func (l *listener) accept(patience time.Duration) (*peer, error) {
	l.t.Helper()
	if err := l.SetDeadline(time.Now().Add(patience)); err != nil {
		l.t.Fatal(err)
	}
	c, err := l.Accept()
	if err != nil {
		return nil, err
	}
	l.t.Cleanup(func() { c.Close() })
	return &peer{Conn: c, t: l.t, id: l.id}, nil
}

// message is a whole message.
func message(typ byte, body []byte) []byte {
	b := make([]byte, 16, 19+len(body))
	for i := range b {
		b[i] = 0xff
	}
	b = append(binary.BigEndian.AppendUint16(b, uint16(19+len(body))), typ)
	return append(b, body...)
}

// say sends a message.
func (p *peer) say(typ byte, body []byte) {
	p.t.Helper()
	if _, err := p.Write(message(typ, body)); err != nil {
		p.t.Fatal(err)
	}
}

// hear waits for a message of a type, and returns its body. Others before it are passed over.
func (p *peer) hear(typ byte) []byte {
	p.t.Helper()
	if err := p.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		p.t.Fatal(err)
	}
	for {
		header := make([]byte, 19)
		if _, err := io.ReadFull(p, header); err != nil {
			p.t.Fatalf("wait for a message of type %d: %v", typ, err)
		}
		body := make([]byte, binary.BigEndian.Uint16(header[16:])-19)
		if _, err := io.ReadFull(p, body); err != nil {
			p.t.Fatalf("wait for a message of type %d: %v", typ, err)
		}
		if header[18] == typ {
			return body
		}
	}
}

// refused waits for a NOTIFICATION.
func (p *peer) refused(code byte) {
	p.t.Helper()
	if n := p.hear(typeNotification); n[0] != code {
		p.t.Errorf("NOTIFICATION %d/%d, want code %d", n[0], n[1], code)
	}
}

// open is the body of an OPEN with EVPN and four-octet AS numbers, in AS 65000.
func (p *peer) open() []byte {
	capabilities := []byte{1, 4, 0, 25, 0, 70, 65, 4, 0, 0, 0xfd, 0xe8}
	body := append([]byte{4, 0xfd, 0xe8, 0, 90}, p.id.AsSlice()...)
	return append(append(body, byte(2+len(capabilities)), 2, byte(len(capabilities))), capabilities...)
}

// establish brings the session up.
func (p *peer) establish() {
	p.t.Helper()
	p.say(typeOpen, p.open())
	p.hear(typeOpen)
	p.say(typeKeepalive, nil)
	p.hear(typeKeepalive)
}

// update is the body of an UPDATE that announces in MP_REACH_NLRI what is given, with more attributes.
func update(reach []byte, more ...byte) []byte {
	attributes := []byte{0x40, 1, 1, 0, 0x40, 2, 0, 0x40, 5, 4, 0, 0, 0, 100}
	attributes = append(append(attributes, 0x80, 14, byte(len(reach))), reach...)
	attributes = append(attributes, more...)
	return append(binary.BigEndian.AppendUint16([]byte{0, 0}, uint16(len(attributes))), attributes...)
}

// reach is the value of MP_REACH_NLRI for a MAC of VNI 10100 behind a VTEP, the peer itself.
func (p *peer) reach(mac string) []byte {
	p.t.Helper()
	m, err := net.ParseMAC(mac)
	if err != nil {
		p.t.Fatal(err)
	}
	nlri := append(append([]byte{0, 1}, p.id.AsSlice()...), 0, 1) // RD
	nlri = append(nlri, make([]byte, 14)...)                      // ESI, Ethernet tag
	nlri = append(append(append(nlri, 48), m...), 0, 0, 0x27, 0x74)
	value := append(append([]byte{0, 25, 70, 4}, p.id.AsSlice()...), 0)
	return append(append(value, 2, byte(len(nlri))), nlri...)
}

// communities is an attribute with the route target 65000:10100, VXLAN encapsulation, and more.
func communities(more ...[8]byte) []byte {
	list := [][8]byte{{0, 2, 0xfd, 0xe8, 0, 0, 0x27, 0x74}, {3, 0x0c, 0, 0, 0, 0, 0, 8}}
	list = append(list, more...)
	attribute := []byte{0xc0, 16, byte(8 * len(list))}
	for _, c := range list {
		attribute = append(attribute, c[:]...)
	}
	return attribute
}

// address gives a namespace another address on the underlay, which the other one can reach.
func (w *world) address(namespace, address, other string) {
	w.t.Helper()
	run(w.t, "ip", "-n", namespace, "addr", "add", address+"/32", "dev", "underlay")
	run(w.t, "ip", "-n", other, "route", "add", address+"/32", "dev", "underlay")
}

// session is one as tnsctl lists it.
type session struct {
	Plane, Peer, State, Since string
}

// session is a daemon's with a peer.
func (w *world) session(daemon, peer string) (session, error) {
	s := w.tnsctl(daemon, "--json", "sessions")
	if s.status != 0 {
		return session{}, fmt.Errorf("exit status %d: %s", s.status, s.errs)
	}
	for _, v := range decode[[]session](w.t, s) {
		if v.Peer == peer {
			return v, nil
		}
	}
	return session{}, fmt.Errorf("%s has no session with %s: %s", daemon, peer, s.out)
}
