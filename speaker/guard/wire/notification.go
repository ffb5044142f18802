package wire

import (
	"fmt"
	"unicode/utf8"
)

// Notification is a NOTIFICATION (RFC 4271 §4.5).
type Notification struct {
	Code    Code
	Subcode uint8
	Data    []byte
}

// MaxShutdownText is the most octets of UTF-8 of a shutdown communication (RFC 9003 §2).
const MaxShutdownText = 255

// ShutdownNotification is a Cease with a text for the other operator (RFC 9003), cut off between characters after MaxShutdownText octets. Subcode is
// CeaseAdminShutdown or CeaseAdminReset.
func ShutdownNotification(subcode uint8, text string) Notification {
	for len(text) > MaxShutdownText {
		_, size := utf8.DecodeLastRuneInString(text[:MaxShutdownText+1])
		text = text[:min(MaxShutdownText, MaxShutdownText+1-size)]
	}
	return Notification{Code: Cease, Subcode: subcode, Data: append([]byte{byte(len(text))}, text...)}
}

// ParseNotification reads a whole NOTIFICATION. Data points into msg.
func ParseNotification(msg []byte) (Notification, error) {
	if err := expect(msg, TypeNotification); err != nil {
		return Notification{}, err
	}
	return Notification{Code: Code(msg[19]), Subcode: msg[20], Data: msg[21:]}, nil
}

// Append appends the message; Data beyond what a message holds is cut off.
func (n Notification) Append(b []byte) []byte {
	b, start := begin(b, TypeNotification)
	b = append(b, byte(n.Code), n.Subcode)
	b = append(b, n.Data[:min(len(n.Data), MaxLength-HeaderLength-2)]...)
	return finish(b, start)
}

// ShutdownText is the text of an administrative shutdown or reset (RFC 9003 §2); ok is false where there is none, or none in UTF-8.
func (n Notification) ShutdownText() (text string, ok bool) {
	if n.Code != Cease || n.Subcode != CeaseAdminShutdown && n.Subcode != CeaseAdminReset || len(n.Data) == 0 {
		return "", false
	}
	if size := int(n.Data[0]); size == 0 || size > len(n.Data)-1 || !utf8.Valid(n.Data[1:1+size]) {
		return "", false
	}
	return string(n.Data[1 : 1+int(n.Data[0])]), true
}

// HardReset reports whether a graceful restart is ruled out: a Cease of subcode 9, which wraps the real reason (RFC 8538 §3).
func (n Notification) HardReset() bool { return n.Code == Cease && n.Subcode == CeaseHardReset }

// String is the code, subcode and text, such as "6/2 administrative shutdown: maintenance".
func (n Notification) String() string {
	s := fmt.Sprintf("%d/%d", n.Code, n.Subcode)
	if name := n.name(); name != "" {
		s += " " + name
	}
	if text, ok := n.ShutdownText(); ok {
		return fmt.Sprintf("%s: %q", s, text)
	}
	return s
}

func (n Notification) name() string {
	if int(n.Subcode) < len(subcodeNames[n.Code]) && subcodeNames[n.Code][n.Subcode] != "" {
		return subcodeNames[n.Code][n.Subcode]
	}
	return codeNames[n.Code]
}

var codeNames = map[Code]string{
	HeaderError: "message header error", OpenError: "OPEN error", UpdateError: "UPDATE error", HoldTimerExpired: "hold timer expired",
	StateMachineError: "state machine error", Cease: "cease", RefreshError: "ROUTE-REFRESH error",
}

var subcodeNames = map[Code][]string{
	HeaderError: {1: "not synchronized", 2: "bad message length", 3: "bad message type"},
	OpenError: {
		1: "unsupported version", 2: "bad peer AS", 3: "bad BGP identifier", 4: "unsupported optional parameter", 6: "unacceptable hold time",
		7: "unsupported capability",
	},
	UpdateError: {
		1: "malformed attribute list", 2: "unrecognized well-known attribute", 3: "missing well-known attribute", 4: "attribute flags error",
		5: "attribute length error", 6: "invalid ORIGIN", 8: "invalid NEXT_HOP", 9: "optional attribute error", 10: "invalid network field",
		11: "malformed AS_PATH",
	},
	StateMachineError: {1: "unexpected message in OpenSent", 2: "unexpected message in OpenConfirm", 3: "unexpected message in Established"},
	Cease: {
		1: "maximum number of prefixes reached", 2: "administrative shutdown", 3: "peer de-configured", 4: "administrative reset",
		5: "connection rejected", 6: "other configuration change", 7: "connection collision resolution", 8: "out of resources", 9: "hard reset",
		10: "BFD down",
	},
	RefreshError: {1: "invalid message length"},
}

// expect checks the header of a whole message that is to be of one type.
func expect(msg []byte, want Type) error {
	length, t, err := CheckHeader(msg)
	switch {
	case err != nil:
		return err
	case t != want:
		return &Error{Code: HeaderError, Subcode: HeaderBadType, Data: []byte{byte(t)}, Offset: 18, Octets: keep(msg[16:19]), Text: fmt.Sprintf("%v where %v is read", t, want)}
	case length != len(msg):
		return &Error{Code: HeaderError, Subcode: HeaderBadLength, Data: keep(msg[16:18]), Offset: 16, Octets: keep(msg[16:19]), Text: fmt.Sprintf("%v of %d octets in %d", t, length, len(msg))}
	}
	return nil
}
