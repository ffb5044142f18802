package link

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/tns-project/tns/evpn"
)

// Version is of the octets on the stream. Both sides must have the same: an engine may be newer than the guard before it.
const Version = 2

// Kind is the kind of a Message.
type Kind uint8

const (
	Up     Kind = 1 + iota // guard: a session stands. Peer, AS, RouterID, Memberships
	Down                   // guard: it ended. Peer, Text says why
	Routes                 // guard: Peer, At, Update; engine: Update, which withdraws or announces its own routes
	Whole                  // engine: it has announced everything that it has to
	Resend                 // engine: the peer is to be told everything again; the zero Peer means all
	Alive                  // both, where nothing else was said for AliveTime
	Show                   // engine: somebody asks the table for people, which is to be told what peers have said and say, at once
	Hide                   // engine: nobody does any more, and it is to be told nothing; so it begins
)

// AliveTime is the longest silence; after DeadTime of it the other side is taken for lost.
const (
	AliveTime = time.Second
	DeadTime  = 10 * time.Second
)

// Message is one thing that one side tells the other.
type Message struct {
	Kind     Kind
	Peer     netip.Addr    // its real address
	At       time.Time     // when the guard had read the first of it, by the clock of the machine
	AS       uint32        // of the peer
	RouterID evpn.RouterID // of the peer
	Text     string

	// Memberships are exchanged with the peer (RFC 4684): it may have sent End-of-RIB with the routes that it had sent so far, before it had read ours and
	// sent what they ask for (GoBGP does, unless told to wait).
	Memberships bool

	Update []byte // a whole UPDATE, header included. From a Reader it is valid until the next message
}

// maxMessage bounds a frame: more than an UPDATE and everything else has.
const maxMessage = 8 << 10

// flagMemberships is Message.Memberships.
const flagMemberships = 1

// frameHeader is the octets before what depends on the kind.
const frameHeader = 4 + 1 + 1 + 16 + 8

// Append appends the message to b.
//
//	 0         4        5           6                   22                 30
//	+---------+--------+-----------+-------------------+------------------+--------------------------------------+
//	| size 32 | kind 8 | address 8 | address, padded   | nanoseconds 64   | AS 32, router-id 32, flags 8 | text  |
//	|         |        |           |                   |                  | | UPDATE                             |
//	+---------+--------+-----------+-------------------+------------------+--------------------------------------+
//
// Size is of all of it. The address has as many octets as the octet before it says: 0, 4 or 16. Nanoseconds are since 1970, 0 for no
// time. The flags are 1 for Memberships.
func (m *Message) Append(b []byte) []byte {
	start := len(b)
	b = append(b, 0, 0, 0, 0, byte(m.Kind), 0)
	var address [16]byte
	if m.Peer.IsValid() {
		b[start+5] = byte(copy(address[:], m.Peer.AsSlice()))
	}
	b = append(b, address[:]...)
	var at int64
	if !m.At.IsZero() {
		at = m.At.UnixNano()
	}
	b = binary.BigEndian.AppendUint64(b, uint64(at))
	switch m.Kind {
	case Up:
		b = binary.BigEndian.AppendUint32(b, m.AS)
		b = binary.BigEndian.AppendUint32(b, uint32(m.RouterID))
		var flags byte
		if m.Memberships {
			flags |= flagMemberships
		}
		b = append(b, flags)
	case Down:
		b = append(b, m.Text[:min(len(m.Text), maxMessage-frameHeader)]...)
	case Routes:
		b = append(b, m.Update...)
	}
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start))
	return b
}

// Reader reads messages. It is not safe for concurrent use.
type Reader struct {
	in   *bufio.Reader
	last int // octets of the message that was returned, which are still in the buffer
}

// readBuffer is what is read from the stream in one go.
const readBuffer = 64 << 10

// NewReader reads from a stream.
func NewReader(r io.Reader) *Reader { return &Reader{in: bufio.NewReaderSize(r, readBuffer)} }

// Next is the next message. The error is that of the stream, io.EOF at its end, or says which frame cannot be read.
func (r *Reader) Next() (m Message, err error) {
	if _, err := r.in.Discard(r.last); err != nil {
		return Message{}, err
	}
	r.last = 0
	head, err := r.in.Peek(4)
	if err != nil {
		return Message{}, cutOff(err, len(head))
	}
	size := int(binary.BigEndian.Uint32(head))
	if size < frameHeader || size > maxMessage {
		return Message{}, fmt.Errorf("read link: a frame of %d octets, must be %d to %d", size, frameHeader, maxMessage)
	}
	b, err := r.in.Peek(size)
	if err != nil {
		return Message{}, cutOff(err, len(b))
	}
	r.last = size
	return parse(b)
}

// Waiting reports whether a whole message was read that Next has not returned yet, so that it will not have to wait.
func (r *Reader) Waiting() bool {
	have := r.in.Buffered() - r.last
	if have < 4 {
		return false
	}
	b, err := r.in.Peek(r.last + 4)
	return err == nil && uint64(have) >= uint64(binary.BigEndian.Uint32(b[r.last:]))
}

// cutOff tells the end of the stream from an end inside a frame.
func cutOff(err error, have int) error {
	if errors.Is(err, io.EOF) && have > 0 {
		return io.ErrUnexpectedEOF
	}
	return err
}

// parse reads a whole frame.
func parse(b []byte) (m Message, err error) {
	m.Kind = Kind(b[4])
	switch n := int(b[5]); n {
	case 0:
	case 4, 16:
		m.Peer, _ = netip.AddrFromSlice(b[6 : 6+n])
	default:
		return Message{}, fmt.Errorf("read link: an address of %d octets, must be 0, 4 or 16", n)
	}
	if at := int64(binary.BigEndian.Uint64(b[22:])); at != 0 {
		m.At = time.Unix(0, at)
	}
	rest := b[frameHeader:]
	switch m.Kind {
	case Up:
		if len(rest) != 9 {
			return Message{}, fmt.Errorf("read link: Up of %d octets, must be 9", len(rest))
		}
		m.Memberships = rest[8]&flagMemberships != 0
		m.AS, m.RouterID = binary.BigEndian.Uint32(rest), evpn.RouterID(binary.BigEndian.Uint32(rest[4:]))
	case Down:
		m.Text = string(rest)
	case Routes:
		m.Update = rest
	case Whole, Resend, Alive, Show, Hide:
	default:
		return Message{}, fmt.Errorf("read link: kind %d is not known", m.Kind)
	}
	return m, nil
}
