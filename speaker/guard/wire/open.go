package wire

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/tns-project/tns/evpn"
)

// Open is an OPEN (RFC 4271 §4.2) with its capabilities (RFC 5492).
//
//	 0        1       3           5                9          10
//	+--------+-------+-----------+----------------+----------+---------------------+
//	| version| AS 16 | hold time | BGP identifier | length 8 | optional parameters |
//	+--------+-------+-----------+----------------+----------+---------------------+
type Open struct {
	AS       uint32        // of the four-octet AS capability where there is one (RFC 6793)
	HoldTime uint16        // seconds; 0 = no hold timer, 1 and 2 are refused
	RouterID evpn.RouterID // BGP identifier: four octets, not 0 (RFC 6286)

	FourOctetAS     bool
	Families        []Family         // multiprotocol (RFC 4760). None at all means IPv4Unicast alone; see Negotiate.
	RouteRefresh    bool             // RFC 2918
	EnhancedRefresh bool             // RFC 7313
	GracefulRestart *GracefulRestart // RFC 4724
	ExtendedMessage bool             // RFC 8654: seen, never offered
	AddPath         []AddPath        // RFC 7911: seen, never offered
	Unknown         []Capability     // any other, in order
}

// GracefulRestart is the graceful restart capability (RFC 4724 §3, RFC 8538 §2).
//
//	 0       4               16
//	+-------+---------------+--------------------------------+
//	| flags | time 12, in s | AFI 16, SAFI 8, flags 8, ...   |   flags: 8 restarted, 4 notification; of a family: 0x80 forwarding preserved
//	+-------+---------------+--------------------------------+
type GracefulRestart struct {
	Restarted    bool   // R: the sender has restarted
	Notification bool   // N: graceful also after a NOTIFICATION
	Time         uint16 // seconds, 12 bits
	Families     []RestartFamily
}

// RestartFamily is one family of a graceful restart capability.
type RestartFamily struct {
	Family    Family
	Preserved bool // F: forwarding state was preserved
}

// AddPath is one family of an add-path capability: Mode 1 receives, 2 sends, 3 both.
type AddPath struct {
	Family Family
	Mode   uint8
}

// Capability is a capability as octets.
type Capability struct {
	Code  uint8
	Value []byte
}

// Codes of the capabilities that are known here.
const (
	capMultiprotocol   = 1
	capRouteRefresh    = 2
	capExtendedMessage = 6
	capGracefulRestart = 64
	capFourOctetAS     = 65
	capAddPath         = 69
	capEnhancedRefresh = 70
)

const (
	version           = 4
	openFixed         = 10
	paramCapabilities = 2
	extendedParams    = 255 // RFC 9072: the real length is in two octets
	asTrans           = 23456
)

// ParseOpen reads a whole OPEN (RFC 4271 §6.2). Whether AS and identifier are the expected ones is the session's to judge. An error is a *Error.
func ParseOpen(msg []byte) (*Open, error) {
	if err := expect(msg, TypeOpen); err != nil {
		return nil, err
	}
	b := msg[HeaderLength:]
	if b[0] != version {
		return nil, openError(msg, 0, 1, OpenUnsupportedVersion, []byte{0, version}, "version %d, 4 is supported", b[0])
	}
	o := &Open{AS: uint32(binary.BigEndian.Uint16(b[1:])), HoldTime: binary.BigEndian.Uint16(b[3:]), RouterID: evpn.RouterID(binary.BigEndian.Uint32(b[5:]))}
	if o.HoldTime == 1 || o.HoldTime == 2 {
		return nil, openError(msg, 3, 2, OpenUnacceptableHoldTime, nil, "hold time of %d s, it is 0 or at least 3", o.HoldTime)
	}
	if o.RouterID == 0 {
		return nil, openError(msg, 5, 4, OpenBadRouterID, nil, "BGP identifier 0.0.0.0")
	}
	if err := o.readParameters(msg); err != nil {
		return nil, err
	}
	if o.AS == 0 {
		return nil, openError(msg, 1, 2, OpenBadPeerAS, nil, "AS 0 (RFC 7607)")
	}
	return o, nil
}

// openError is an error at an offset of the OPEN's body.
func openError(msg []byte, at, size int, subcode uint8, data []byte, format string, args ...any) *Error {
	at += HeaderLength
	return &Error{
		Code: OpenError, Subcode: subcode, Data: data, Offset: at, Octets: keep(msg[at:min(len(msg), at+size)]),
		Text: "OPEN: " + fmt.Sprintf(format, args...),
	}
}

// readParameters reads the optional parameters, in the form of RFC 4271 or of RFC 9072.
func (o *Open) readParameters(msg []byte) error {
	b, at, wide := msg[HeaderLength:], openFixed, 1
	size := int(b[9])
	if size == extendedParams && len(b) >= openFixed+3 && b[10] == extendedParams {
		at, wide, size = openFixed+3, 2, int(binary.BigEndian.Uint16(b[11:]))
	}
	if at+size != len(b) {
		return openError(msg, 9, len(b), 0, nil, "optional parameters of %d octets, there are %d", size, len(b)-at)
	}
	for at < len(b) {
		if len(b)-at < 1+wide {
			return openError(msg, at, len(b), 0, nil, "optional parameter cut off")
		}
		length := int(b[at+1])
		if wide == 2 {
			length = int(binary.BigEndian.Uint16(b[at+1:]))
		}
		value := at + 1 + wide
		if value+length > len(b) {
			return openError(msg, at, len(b), 0, nil, "optional parameter of %d octets, %d are left", length, len(b)-value)
		}
		if b[at] != paramCapabilities {
			return openError(msg, at, 1+wide+length, OpenUnsupportedParameter, nil, "optional parameter %d, only capabilities (2) are known", b[at])
		}
		if err := o.readCapabilities(msg, value, value+length); err != nil {
			return err
		}
		at = value + length
	}
	return nil
}

// readCapabilities reads those between two offsets of the body. The same capability again adds to, or replaces, what the first one said (RFC 5492 §4).
func (o *Open) readCapabilities(msg []byte, at, end int) error {
	b := msg[HeaderLength:]
	for at < end {
		if end-at < 2 || at+2+int(b[at+1]) > end {
			return openError(msg, at, end-at, 0, nil, "capability cut off")
		}
		next := at + 2 + int(b[at+1])
		if !o.readCapability(b[at], b[at+2:next]) {
			return openError(msg, at, next-at, 0, nil, "capability %d of %d octets", b[at], b[at+1])
		}
		at = next
	}
	return nil
}

// readCapability is false for a length that cannot be.
func (o *Open) readCapability(code uint8, v []byte) bool {
	switch code {
	case capMultiprotocol:
		if len(v) != 4 {
			return false
		}
		if f := NewFamily(binary.BigEndian.Uint16(v), v[3]); !slices.Contains(o.Families, f) {
			o.Families = append(o.Families, f)
		}
	case capRouteRefresh:
		o.RouteRefresh = true
		return len(v) == 0
	case capEnhancedRefresh:
		o.EnhancedRefresh = true
		return len(v) == 0
	case capExtendedMessage:
		o.ExtendedMessage = true
		return len(v) == 0
	case capFourOctetAS:
		if len(v) != 4 {
			return false
		}
		o.FourOctetAS, o.AS = true, binary.BigEndian.Uint32(v)
	case capGracefulRestart:
		if len(v) < 2 || len(v)%4 != 2 {
			return false
		}
		word := binary.BigEndian.Uint16(v)
		g := &GracefulRestart{Restarted: word&0x8000 != 0, Notification: word&0x4000 != 0, Time: word & 0x0fff}
		for v = v[2:]; len(v) > 0; v = v[4:] {
			g.Families = append(g.Families, RestartFamily{Family: NewFamily(binary.BigEndian.Uint16(v), v[2]), Preserved: v[3]&0x80 != 0})
		}
		o.GracefulRestart = g
	case capAddPath:
		if len(v)%4 != 0 {
			return false
		}
		for ; len(v) > 0; v = v[4:] {
			o.AddPath = append(o.AddPath, AddPath{Family: NewFamily(binary.BigEndian.Uint16(v), v[2]), Mode: v[3]})
		}
	default:
		o.Unknown = append(o.Unknown, Capability{Code: code, Value: slices.Clone(v)})
	}
	return true
}

// Append appends the message, with all capabilities in one optional parameter, in the form of RFC 9072 where they need it.
func (o *Open) Append(b []byte) []byte {
	b, start := begin(b, TypeOpen)
	as := o.AS
	if as > 0xffff {
		as = asTrans
	}
	b = append(b, version, byte(as>>8), byte(as))
	b = binary.BigEndian.AppendUint16(b, o.HoldTime)
	b = binary.BigEndian.AppendUint32(b, uint32(o.RouterID))
	var all []byte
	for _, c := range o.capabilities() {
		all = append(append(all, c.Code, byte(len(c.Value))), c.Value...)
	}
	switch size := len(all); {
	case size == 0:
		b = append(b, 0)
	case size+2 < extendedParams:
		b = append(b, byte(size+2), paramCapabilities, byte(size))
	default:
		b = append(b, extendedParams, extendedParams, byte((size+3)>>8), byte(size+3), paramCapabilities, byte(size>>8), byte(size))
	}
	return finish(append(b, all...), start)
}

func (o *Open) capabilities() (list []Capability) {
	for _, f := range o.Families {
		list = append(list, Capability{capMultiprotocol, []byte{byte(f.AFI() >> 8), byte(f.AFI()), 0, f.SAFI()}})
	}
	if o.RouteRefresh {
		list = append(list, Capability{Code: capRouteRefresh})
	}
	if o.EnhancedRefresh {
		list = append(list, Capability{Code: capEnhancedRefresh})
	}
	if o.ExtendedMessage {
		list = append(list, Capability{Code: capExtendedMessage})
	}
	if o.FourOctetAS {
		list = append(list, Capability{capFourOctetAS, binary.BigEndian.AppendUint32(nil, o.AS)})
	}
	if g := o.GracefulRestart; g != nil {
		list = append(list, Capability{capGracefulRestart, g.value()})
	}
	for some := range slices.Chunk(o.AddPath, 255/4) {
		var v []byte
		for _, a := range some {
			v = append(a.Family.append(v), a.Mode)
		}
		list = append(list, Capability{capAddPath, v})
	}
	return append(list, o.Unknown...)
}

func (g *GracefulRestart) value() []byte {
	word := g.Time & 0x0fff
	if g.Restarted {
		word |= 0x8000
	}
	if g.Notification {
		word |= 0x4000
	}
	v := binary.BigEndian.AppendUint16(nil, word)
	for _, f := range g.Families {
		flags := byte(0)
		if f.Preserved {
			flags = 0x80
		}
		v = append(f.Family.append(v), flags)
	}
	return v
}
