package probe

import (
	"encoding/binary"
	"net"
)

// etherType is IEEE 802's Local Experimental EtherType 1 (RFC 9542 §3).
const etherType = 0x88B5

// A probe frame:
//
//	 0          6          12      14        22       26          60
//	+----------+----------+-------+---------+--------+-----------+
//	| dst MAC  | src MAC  | 0x88B5| flow    | number | zero      |
//	+----------+----------+-------+---------+--------+-----------+
const (
	offsetType   = 12
	offsetFlow   = 14
	offsetNumber = 22
	frameLength  = 60
)

// Flow is one stream of probe frames.
type Flow struct {
	ID                  uint64 // tells this flow's frames from another's
	Source, Destination net.HardwareAddr
}

// frame writes the flow's frame of a number.
func (f Flow) frame(number uint32) []byte {
	b := make([]byte, frameLength)
	copy(b, f.Destination)
	copy(b[6:], f.Source)
	binary.BigEndian.PutUint16(b[offsetType:], etherType)
	binary.BigEndian.PutUint64(b[offsetFlow:], f.ID)
	binary.BigEndian.PutUint32(b[offsetNumber:], number)
	return b
}

// number reads the number of a frame of the flow.
func (f Flow) number(b []byte) (uint32, bool) {
	if len(b) < offsetNumber+4 || binary.BigEndian.Uint16(b[offsetType:]) != etherType || binary.BigEndian.Uint64(b[offsetFlow:]) != f.ID {
		return 0, false
	}
	return binary.BigEndian.Uint32(b[offsetNumber:]), true
}
