package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Sizes of a message in octets (RFC 4271 §4.1). Extended messages are not offered.
const (
	HeaderLength = 19
	MaxLength    = 4096
)

// Type is the type of a message (RFC 4271 §4.1, RFC 2918).
type Type uint8

const (
	TypeOpen         Type = 1
	TypeUpdate       Type = 2
	TypeNotification Type = 3
	TypeKeepalive    Type = 4
	TypeRouteRefresh Type = 5
)

// String is the type's name in the RFC's letters.
func (t Type) String() string {
	switch t {
	case TypeOpen:
		return "OPEN"
	case TypeUpdate:
		return "UPDATE"
	case TypeNotification:
		return "NOTIFICATION"
	case TypeKeepalive:
		return "KEEPALIVE"
	case TypeRouteRefresh:
		return "ROUTE-REFRESH"
	}
	return fmt.Sprintf("message type %d", uint8(t))
}

// The least length of a message of each type (RFC 4271 §4, RFC 2918 §3). A KEEPALIVE has no other; a ROUTE-REFRESH of another length has an error code
// of its own (RFC 7313 §5).
var minLength = [...]int{TypeOpen: 29, TypeUpdate: 23, TypeNotification: 21, TypeKeepalive: HeaderLength, TypeRouteRefresh: HeaderLength}

// TypeOf is the type of a whole message.
func TypeOf(msg []byte) Type { return Type(msg[18]) }

// CheckHeader checks the first 19 octets of a message and returns its length, header included (RFC 4271 §6.1). An error is a *Error.
//
//	 0                                          16        18       19
//	+------------------------------------------+---------+--------+
//	| marker: all ones                         | length  | type 8 |
//	+------------------------------------------+---------+--------+
func CheckHeader(b []byte) (length int, t Type, err error) {
	if len(b) < HeaderLength {
		return 0, 0, &Error{Code: HeaderError, Subcode: HeaderBadLength, Octets: keep(b), Text: fmt.Sprintf("header of %d octets, it has 19", len(b))}
	}
	for i, v := range b[:16] {
		if v != 0xff {
			return 0, 0, &Error{Code: HeaderError, Subcode: HeaderNotSynchronized, Offset: i, Octets: keep(b[:HeaderLength]), Text: "marker is not all ones"}
		}
	}
	length, t = int(binary.BigEndian.Uint16(b[16:])), Type(b[18])
	bad := length < HeaderLength || length > MaxLength
	if !bad && int(t) < len(minLength) && t != 0 {
		bad = length < minLength[t] || t == TypeKeepalive && length != HeaderLength
	}
	if bad {
		return 0, 0, &Error{Code: HeaderError, Subcode: HeaderBadLength, Data: keep(b[16:18]), Offset: 16, Octets: keep(b[16:HeaderLength]), Text: fmt.Sprintf("%v of %d octets", t, length)}
	}
	if t == 0 || int(t) >= len(minLength) {
		return 0, 0, &Error{Code: HeaderError, Subcode: HeaderBadType, Data: keep(b[18:19]), Offset: 18, Octets: keep(b[16:HeaderLength]), Text: fmt.Sprintf("unknown message type %d", b[18])}
	}
	return length, t, nil
}

// ReadMessage reads one whole message into buf, which holds MaxLength octets, and returns the part of buf that it takes. The header is checked before
// anything else is read. An error is a *Error, or what r said: io.EOF where it ends between two messages, io.ErrUnexpectedEOF inside one.
func ReadMessage(r io.Reader, buf []byte) ([]byte, error) {
	if _, err := io.ReadFull(r, buf[:HeaderLength]); err != nil {
		return nil, err
	}
	length, _, err := CheckHeader(buf)
	if err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(r, buf[HeaderLength:length]); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return buf[:length], nil
}

// AppendKeepalive appends a KEEPALIVE.
func AppendKeepalive(b []byte) []byte {
	b, start := begin(b, TypeKeepalive)
	return finish(b, start)
}

var marker = [16]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// begin appends a header whose length finish writes.
func begin(b []byte, t Type) (msg []byte, start int) {
	start = len(b)
	b = append(b, marker[:]...)
	return append(b, 0, 0, byte(t)), start
}

func finish(b []byte, start int) []byte {
	binary.BigEndian.PutUint16(b[start+16:], uint16(len(b)-start))
	return b
}
