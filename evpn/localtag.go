package evpn

// LocalTag is LOCAL-TAG.
//
//	 0             8    9     12       24              32           48
//	+-------------+----+-----+--------+---------------+------------+
//	| tag type 8  | PS | PCP | VID 12 | change number | reserved   |
//	+-------------+----+-----+--------+---------------+------------+
type LocalTag struct {
	Type   uint8 // 0 untagged, 1 = 802.1Q
	PS     bool
	PCP    uint8  // 3 bits
	VID    uint16 // 12 bits
	Change uint8
}

// Tag types of LOCAL-TAG.
const (
	TagNone  uint8 = 0
	TagDot1Q uint8 = 1
)

func (t LocalTag) value() value {
	v := value(t.Type)<<40 | value(t.PCP&7)<<36 | value(t.VID&0xfff)<<24 | value(t.Change)<<16
	if t.PS {
		v |= 1 << 39
	}
	return v
}

func readLocalTag(v value) LocalTag {
	return LocalTag{
		Type:   uint8(v >> 40),
		PS:     v>>39&1 == 1,
		PCP:    uint8(v >> 36 & 7),
		VID:    uint16(v >> 24 & 0xfff),
		Change: uint8(v >> 16),
	}
}

// Echo is ECHO: a TES's answer to a changed LOCAL-TAG (§3.3.9).
//
//	 0                8            16                           48
//	+----------------+------------+----------------------------+
//	| change number  | result 8   | reserved                   |   result: 0 applied, 1 failed
//	+----------------+------------+----------------------------+
type Echo struct {
	Change uint8
	Failed bool
}

func (e Echo) value() value {
	v := value(e.Change) << 40
	if e.Failed {
		v |= 1 << 32
	}
	return v
}

// readEcho takes ECHO apart; only results 0 and 1 are defined.
func readEcho(v value) (e Echo, result uint8) {
	result = uint8(v >> 32)
	return Echo{Change: uint8(v >> 40), Failed: result != 0}, result
}
