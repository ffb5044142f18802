package mrt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"
)

// maxRecord bounds what is kept of a record in memory, in octets. A BGP message has 65535 at most (RFC 8654).
const maxRecord = 1 << 17

// Reader reads records one after the other: messages and changes of state of BGP4MP and BGP4MP_ET, with AS numbers of two or four octets.
type Reader struct {
	r io.Reader
}

// NewReader reads from r; a file is best buffered.
func NewReader(r io.Reader) *Reader { return &Reader{r: r} }

// RecordError is a record that cannot be read. Reading goes on after it: what comes next is the next record or, where the file ended inside this one,
// io.EOF.
type RecordError struct {
	Type, Subtype uint16
	At            time.Time // to the second; zero where the header is cut off
	Octets        []byte    // after the header, as many as there are and are kept; the header's where that is cut off
	Err           error     // why; io.ErrUnexpectedEOF where the file, or what the record is said to hold, ends too early
}

// Error names the record's type.
func (e *RecordError) Error() string {
	return fmt.Sprintf("read MRT record of type %d, subtype %d: %v", e.Type, e.Subtype, e.Err)
}

// Unwrap is the reason.
func (e *RecordError) Unwrap() error { return e.Err }

// ErrOther is the reason of a record that is neither a message nor a change of state, or has path identifiers (RFC 8050).
var ErrOther = errors.New("neither a BGP message nor a change of state")

// Next is the next record, or io.EOF at the end. Another error is a *RecordError, or what the source said.
func (r *Reader) Next() (Record, error) {
	var h [header]byte
	if n, err := io.ReadFull(r.r, h[:]); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return Record{}, &RecordError{Octets: h[:n], Err: fmt.Errorf("%w inside its header", err)}
		}
		return Record{}, err
	}
	v := Record{At: time.Unix(int64(binary.BigEndian.Uint32(h[:])), 0)}
	bad := &RecordError{Type: binary.BigEndian.Uint16(h[4:]), Subtype: binary.BigEndian.Uint16(h[6:]), At: v.At}
	body, err := r.body(int64(binary.BigEndian.Uint32(h[8:])))
	if err == nil {
		err = v.read(bad.Type, bad.Subtype, body)
	}
	if err != nil {
		bad.Octets, bad.Err = body, err
		return Record{}, bad
	}
	return v, nil
}

// body reads what follows the header. Of what is too long to be kept it skips the rest.
func (r *Reader) body(size int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r.r, min(size, maxRecord)))
	switch {
	case err != nil:
		return b, err
	case int64(len(b)) < min(size, maxRecord):
		return b, fmt.Errorf("%w after %d octets of %d", io.ErrUnexpectedEOF, len(b), size)
	case size > maxRecord:
		if n, err := io.CopyN(io.Discard, r.r, size-maxRecord); err != nil {
			return b, fmt.Errorf("%w after %d octets of %d", io.ErrUnexpectedEOF, maxRecord+n, size)
		}
		return b, fmt.Errorf("%d octets, at most %d are read", size, maxRecord)
	}
	return b, nil
}

// layout is what a subtype of BGP4MP holds (RFC 6396 §4.4.1 to §4.4.3, §4.4.5).
type layout struct{ wide, change, local bool }

var layouts = map[uint16]layout{
	stateChange:     {change: true},
	message:         {},
	messageAS4:      {wide: true},
	stateChangeAS4:  {wide: true, change: true},
	messageLocal:    {local: true},
	messageAS4Local: {wide: true, local: true},
}

// fields takes the fields of a record one by one. Once they end, there are none.
type fields struct {
	b     []byte
	short bool
}

func (f *fields) take(n int) []byte {
	if len(f.b) < n {
		f.short, f.b = true, nil
		return make([]byte, n)
	}
	b := f.b[:n]
	f.b = f.b[n:]
	return b
}

func (f *fields) uint16() uint16 { return binary.BigEndian.Uint16(f.take(2)) }

func (f *fields) uint32() uint32 { return binary.BigEndian.Uint32(f.take(4)) }

func (f *fields) as(wide bool) uint32 {
	if wide {
		return f.uint32()
	}
	return uint32(f.uint16())
}

func (f *fields) addr(size int) netip.Addr {
	a, _ := netip.AddrFromSlice(f.take(size))
	return a
}

// read reads what follows the header into the record.
func (v *Record) read(typ, subtype uint16, b []byte) error {
	l, known := layouts[subtype]
	if !known || typ != typeBGP4MP && typ != typeBGP4MPExtended {
		return ErrOther
	}
	f := fields{b: b}
	if typ == typeBGP4MPExtended {
		v.At = v.At.Add(time.Duration(f.uint32()) * time.Microsecond)
	}
	v.PeerAS, v.LocalAS = f.as(l.wide), f.as(l.wide)
	f.uint16() // the interface
	family, size := f.uint16(), 4
	switch {
	case f.short:
		return tooShort(b)
	case family == afiIPv6:
		size = 16
	case family != afiIPv4:
		return fmt.Errorf("addresses of family %d, 1 and 2 are known", family)
	}
	v.Peer, v.Local, v.Sent = f.addr(size), f.addr(size), l.local
	if l.change {
		v.From, v.To = State(f.uint16()), State(f.uint16())
	}
	if f.short {
		return tooShort(b)
	}
	if !l.change {
		v.Message = f.b
		v.Truncated = len(f.b) < 19 || len(f.b) < int(binary.BigEndian.Uint16(f.b[16:]))
	}
	return nil
}

func tooShort(b []byte) error {
	return fmt.Errorf("%d octets are too few: %w", len(b), io.ErrUnexpectedEOF)
}
