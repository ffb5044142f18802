package mrt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"
)

// Record is one BGP message of a session.
type Record struct {
	At        time.Time // to the microsecond
	PeerAS    uint32
	LocalAS   uint32
	Peer      netip.Addr // both of one family
	Local     netip.Addr
	Sent      bool   // by us
	Message   []byte // whole, with its header
	Truncated bool   // Message is shorter than it says; only a reader sets it
}

// Numbers of RFC 6396 §4.
const (
	typeBGP4MP         = 16
	typeBGP4MPExtended = 17 // with microseconds
	messageAS4         = 4
	messageAS4Local    = 7
	header             = 12
	afiIPv4            = 1
	afiIPv6            = 2
	maxRecord          = 1 << 17
)

// Append appends the record's octets. Addresses of two families, or none, are written as 0.0.0.0.
func (r Record) Append(b []byte) []byte {
	subtype := uint16(messageAS4)
	if r.Sent {
		subtype = messageAS4Local
	}
	start := len(b)
	b = binary.BigEndian.AppendUint32(b, uint32(r.At.Unix()))
	b = binary.BigEndian.AppendUint16(b, typeBGP4MPExtended)
	b = binary.BigEndian.AppendUint16(b, subtype)
	b = append(b, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(r.At.Nanosecond()/1000))
	b = binary.BigEndian.AppendUint32(b, r.PeerAS)
	b = binary.BigEndian.AppendUint32(b, r.LocalAS)
	b = append(b, 0, 0, 0, afiIPv4)
	peer, local := r.Peer, r.Local
	switch {
	case peer.Is6() && local.Is6():
		b[len(b)-1] = afiIPv6
	case !peer.Is4() || !local.Is4():
		peer, local = netip.IPv4Unspecified(), netip.IPv4Unspecified()
	}
	b = append(append(b, peer.AsSlice()...), local.AsSlice()...)
	b = append(b, r.Message...)
	binary.BigEndian.PutUint32(b[start+8:], uint32(len(b)-start-header))
	return b
}

// Reader reads records one after the other.
type Reader struct {
	r io.Reader
}

// NewReader reads from r; a file is best buffered.
func NewReader(r io.Reader) *Reader { return &Reader{r: r} }

// ErrOther is a whole record that is no BGP message with AS numbers of four octets; reading goes on after it.
var ErrOther = errors.New("mrt: record of another type")

// Next is the next record, io.EOF at the end, and io.ErrUnexpectedEOF where the file ends inside one.
func (r *Reader) Next() (Record, error) {
	var h [header]byte
	if _, err := io.ReadFull(r.r, h[:]); err != nil {
		return Record{}, err
	}
	size := binary.BigEndian.Uint32(h[8:])
	if size > maxRecord {
		return Record{}, fmt.Errorf("read MRT record: %d octets, at most %d are read", size, maxRecord)
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(r.r, b); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return Record{}, err
	}
	return parse(h, b)
}

func parse(h [header]byte, b []byte) (Record, error) {
	v := Record{At: time.Unix(int64(binary.BigEndian.Uint32(h[:])), 0)}
	kind, subtype := binary.BigEndian.Uint16(h[4:]), binary.BigEndian.Uint16(h[6:])
	v.Sent = subtype == messageAS4Local
	if kind != typeBGP4MP && kind != typeBGP4MPExtended || subtype != messageAS4 && subtype != messageAS4Local {
		return v, ErrOther
	}
	short := fmt.Errorf("read MRT record: %d octets are too few: %w", len(b), io.ErrUnexpectedEOF)
	if kind == typeBGP4MPExtended {
		if len(b) < 4 {
			return v, short
		}
		v.At = v.At.Add(time.Duration(binary.BigEndian.Uint32(b)) * time.Microsecond)
		b = b[4:]
	}
	if len(b) < 12 {
		return v, short
	}
	v.PeerAS, v.LocalAS = binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
	size := 4
	if afi := binary.BigEndian.Uint16(b[10:]); afi == afiIPv6 {
		size = 16
	} else if afi != afiIPv4 {
		return v, fmt.Errorf("read MRT record: address family %d, 1 and 2 are known", afi)
	}
	if b = b[12:]; len(b) < 2*size {
		return v, short
	}
	v.Peer, _ = netip.AddrFromSlice(b[:size])
	v.Local, _ = netip.AddrFromSlice(b[size : 2*size])
	v.Message = b[2*size:]
	v.Truncated = len(v.Message) < 19 || len(v.Message) < int(binary.BigEndian.Uint16(v.Message[16:]))
	return v, nil
}
