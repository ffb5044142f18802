package wire

import (
	"fmt"
)

// Code is the error code of a NOTIFICATION (RFC 4271 §4.5, RFC 7313 §5).
type Code uint8

const (
	HeaderError       Code = 1
	OpenError         Code = 2
	UpdateError       Code = 3
	HoldTimerExpired  Code = 4
	StateMachineError Code = 5
	Cease             Code = 6
	RefreshError      Code = 7
)

// Error subcodes that are sent or judged here or by a session engine (RFC 4271 §4.5, §6; RFC 4486, 5492, 6608, 7313, 8538, 9384).
const (
	HeaderNotSynchronized uint8 = 1
	HeaderBadLength       uint8 = 2
	HeaderBadType         uint8 = 3

	OpenUnsupportedVersion    uint8 = 1
	OpenBadPeerAS             uint8 = 2
	OpenBadRouterID           uint8 = 3
	OpenUnsupportedParameter  uint8 = 4
	OpenUnacceptableHoldTime  uint8 = 6
	OpenUnsupportedCapability uint8 = 7

	UpdateMalformedList     uint8 = 1
	UpdateUnknownWellKnown  uint8 = 2
	UpdateMissingWellKnown  uint8 = 3
	UpdateFlags             uint8 = 4
	UpdateLength            uint8 = 5
	UpdateBadOrigin         uint8 = 6
	UpdateBadNextHop        uint8 = 8
	UpdateOptionalAttribute uint8 = 9
	UpdateInvalidNetwork    uint8 = 10
	UpdateMalformedASPath   uint8 = 11

	StateInOpenSent    uint8 = 1
	StateInOpenConfirm uint8 = 2
	StateInEstablished uint8 = 3

	CeaseMaxPrefixes    uint8 = 1
	CeaseAdminShutdown  uint8 = 2
	CeaseDeconfigured   uint8 = 3
	CeaseAdminReset     uint8 = 4
	CeaseRejected       uint8 = 5
	CeaseConfigChange   uint8 = 6
	CeaseCollision      uint8 = 7
	CeaseOutOfResources uint8 = 8
	CeaseHardReset      uint8 = 9
	CeaseBFDDown        uint8 = 10

	RefreshBadLength uint8 = 1
)

// Error is what is wrong with a message: the NOTIFICATION that it deserves, and where it was found. It keeps octets of its own.
type Error struct {
	Code    Code
	Subcode uint8
	Data    []byte // of the NOTIFICATION
	Offset  int    // in the message, header included
	Octets  []byte // the offending ones, at most OctetsKept
	Text    string
}

// OctetsKept limits how many offending octets an Error or a Refusal keeps.
const OctetsKept = 64

// Error tells it in one line, with the offending octets.
func (e *Error) Error() string {
	return fmt.Sprintf("%s (NOTIFICATION %d/%d, at octet %d: %x)", e.Text, e.Code, e.Subcode, e.Offset, e.Octets)
}

// Notification is the message to send before the session is closed.
func (e *Error) Notification() Notification {
	return Notification{Code: e.Code, Subcode: e.Subcode, Data: e.Data}
}

// keep copies the offending octets.
func keep(b []byte) []byte { return append([]byte(nil), b[:min(len(b), OctetsKept)]...) }
