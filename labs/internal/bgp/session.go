package bgp

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/tns-project/tns/labs/internal/netns"
)

// port of BGP (RFC 4271 §8.2.1).
const port = 179

// Types of messages (RFC 4271 §4.1).
const (
	typeOpen         = 1
	typeUpdate       = 2
	typeNotification = 3
	typeKeepalive    = 4
)

// headerLength is that of a message's header in octets.
const headerLength = 19

// handshake is how long a session may take to come up.
const handshake = 10 * time.Second

// Session is an established session. Its methods may be called by several goroutines.
type Session struct {
	address    netip.Addr // of this side, its BGP identifier and its next hop too
	connection net.Conn
	done       chan struct{}
	failed     error // why the session ended; read after done is closed
	heard      func(update []byte)
	tes        bool // it tells what it wants to hear

	writing sync.Mutex
}

// Dial brings up an iBGP session in a two-octet AS, from an address in a namespace. Heard, if it is not nil, is called with the body of each UPDATE, one
// after the other.
func Dial(ctx context.Context, n *netns.Namespace, as uint16, from, to netip.Addr, heard func(update []byte)) (*Session, error) {
	return call(ctx, n, as, from, to, &Session{heard: heard})
}

// call brings a session up on a connection that it makes.
func call(ctx context.Context, n *netns.Namespace, as uint16, from, to netip.Addr, s *Session) (*Session, error) {
	dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0)), Timeout: handshake}
	dialer.SetMultipathTCP(false)
	var connection net.Conn
	err := n.Do(func() (err error) {
		connection, err = dialer.DialContext(ctx, "tcp", netip.AddrPortFrom(to, port).String())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("BGP session of %v: %w", from, err)
	}
	return start(connection, as, from, s)
}

// Accept brings up an iBGP session with whoever calls an address in a namespace first, within the limit.
func Accept(n *netns.Namespace, as uint16, at netip.Addr, limit time.Duration) (*Session, error) {
	var listener *net.TCPListener
	var connection net.Conn
	err := n.Do(func() (err error) {
		listener, err = net.ListenTCP("tcp4", net.TCPAddrFromAddrPort(netip.AddrPortFrom(at, port)))
		return err
	})
	if err == nil {
		defer listener.Close()
		err = listener.SetDeadline(time.Now().Add(limit))
	}
	if err == nil {
		connection, err = listener.Accept()
	}
	if err != nil {
		return nil, fmt.Errorf("BGP session of %v: %w", at, err)
	}
	return start(connection, as, at, &Session{})
}

// start brings a session up on a connection, which is closed on an error.
func start(c net.Conn, as uint16, address netip.Addr, s *Session) (*Session, error) {
	s.address, s.connection, s.done = address, c, make(chan struct{})
	if err := s.establish(as); err != nil {
		c.Close()
		return nil, fmt.Errorf("BGP session of %v with %v: %w", address, c.RemoteAddr(), err)
	}
	go s.run()
	return s, nil
}

// establish exchanges OPEN and KEEPALIVE.
func (s *Session) establish(as uint16) error {
	if err := s.connection.SetDeadline(time.Now().Add(handshake)); err != nil {
		return err
	}
	if err := s.say(typeOpen, s.open(as)); err != nil {
		return err
	}
	if err := s.expect(typeOpen); err != nil {
		return err
	}
	if err := s.say(typeKeepalive, nil); err != nil {
		return err
	}
	if err := s.expect(typeKeepalive); err != nil {
		return err
	}
	if s.tes {
		if err := s.Send(s.wants(as)); err != nil {
			return err
		}
	}
	return s.connection.SetDeadline(time.Time{})
}

// open is the body of an OPEN: version 4, hold time 90 s, one capability, EVPN (RFC 4271 §4.2, RFC 4760 §8); a TES has two more.
func (s *Session) open(as uint16) []byte {
	body := binary.BigEndian.AppendUint16([]byte{4}, as)
	body = binary.BigEndian.AppendUint16(body, 90)
	body = append(body, s.address.AsSlice()...)
	capabilities := []byte{1, 4, 0, afi, 0, safi}
	if s.tes {
		capabilities = append(capabilities, memberships...)
	}
	body = append(body, byte(2+len(capabilities)), 2, byte(len(capabilities)))
	return append(body, capabilities...)
}

// run reads what the peer says until the session ends. A KEEPALIVE is answered with one: the peer's pace is good enough for both.
func (s *Session) run() {
	defer close(s.done)
	for {
		typ, body, err := s.hear()
		switch {
		case err != nil:
			s.failed = err
		case typ == typeNotification:
			s.failed = fmt.Errorf("NOTIFICATION %x", body)
		case typ == typeKeepalive:
			s.failed = s.say(typeKeepalive, nil)
		case typ == typeUpdate && s.heard != nil:
			s.heard(body)
		}
		if s.failed != nil {
			return
		}
	}
}

// Failed is why the session has ended, nil while it is up.
func (s *Session) Failed() error {
	select {
	case <-s.done:
		return s.failed
	default:
		return nil
	}
}

// Close ends the session without a word.
func (s *Session) Close() error {
	err := s.connection.Close()
	<-s.done
	return err
}

// say sends a message.
func (s *Session) say(typ byte, body []byte) error { return s.Send(message(nil, typ, body)) }

// message appends a message with its header.
func message(b []byte, typ byte, body []byte) []byte {
	for range 16 {
		b = append(b, 0xff)
	}
	b = append(binary.BigEndian.AppendUint16(b, uint16(headerLength+len(body))), typ)
	return append(b, body...)
}

// chunk is how much goes out at once: between two of them a KEEPALIVE may.
const chunk = 64 << 10

// Send sends whole messages that were made before.
func (s *Session) Send(messages []byte) error {
	for len(messages) > 0 {
		n := len(messages)
		if n > chunk {
			for n = 0; n+4096 < chunk; { // RFC 4271 §4.1: no message is longer
				n += int(binary.BigEndian.Uint16(messages[n+16:]))
			}
		}
		s.writing.Lock()
		_, err := s.connection.Write(messages[:n])
		s.writing.Unlock()
		if err != nil {
			return err
		}
		messages = messages[n:]
	}
	return nil
}

// hear reads a message.
func (s *Session) hear() (typ byte, body []byte, err error) {
	var header [headerLength]byte
	if _, err := io.ReadFull(s.connection, header[:]); err != nil {
		return 0, nil, err
	}
	length := int(binary.BigEndian.Uint16(header[16:]))
	if length < headerLength {
		return 0, nil, fmt.Errorf("a message of %d octets", length)
	}
	body = make([]byte, length-headerLength)
	_, err = io.ReadFull(s.connection, body)
	return header[18], body, err
}

// expect reads the message that has to come now.
func (s *Session) expect(want byte) error {
	typ, body, err := s.hear()
	if err == nil && typ != want {
		err = fmt.Errorf("message of type %d (%x), want type %d", typ, body, want)
	}
	return err
}
