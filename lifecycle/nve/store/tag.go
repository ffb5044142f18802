package store

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/nve"
	"github.com/tns-project/tns/lifecycle/tag"
)

func encodeTagKey(k tag.Key) []byte { return append(be32(k.VNI), k.Segment...) }

func decodeTagKey(b []byte) (tag.Key, error) {
	if len(b) < 5 {
		return tag.Key{}, fmt.Errorf("%d octets, want 4 and a segment", len(b))
	}
	return tag.Key{VNI: binary.BigEndian.Uint32(b), Segment: string(b[4:])}, nil
}

const (
	flagSentOld = 1
	flagSecond  = 2
)

// encodeTag is nil for nothing.
func encodeTag(t *tag.Tag) []byte {
	if t == nil {
		return nil
	}
	b := append(be16(t.VID), be16(t.Old)...)
	b = append(b, be16(t.Next)...)
	var flags byte
	if t.Sent == t.Old {
		flags |= flagSentOld
	}
	if t.Second {
		flags |= flagSecond
	}
	return append(append(b, flags), moment(t.Until)...)
}

func decodeTag(b []byte) (t tag.Tag, err error) {
	if len(b) != 15 {
		return t, fmt.Errorf("%d octets, want 15", len(b))
	}
	t.VID, t.Old, t.Next = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint16(b[4:])
	t.Sent, t.Second, t.Until = t.VID, b[6]&flagSecond != 0, readMoment(b[7:])
	if b[6]&flagSentOld != 0 {
		t.Sent = t.Old
	}
	for _, vid := range []uint16{t.VID, t.Old, t.Next} {
		if vid > tag.Last {
			return t, fmt.Errorf("VID %d", vid)
		}
	}
	if t.VID == 0 || t.Sent == 0 || t.VID == t.Old {
		return t, fmt.Errorf("VIDs %d and %d", t.VID, t.Old)
	}
	return t, nil
}

// encodeTold is nil for nothing.
func encodeTold(t *nve.Told) []byte {
	if t == nil {
		return nil
	}
	b := append([]byte{t.Type, t.PCP, t.Change, byte(t.Answer)}, be16(t.VID)...)
	return append(b, moment(t.Changed)...)
}

func decodeTold(b []byte) (t nve.Told, err error) {
	if len(b) != 14 {
		return t, fmt.Errorf("%d octets, want 14", len(b))
	}
	t.LocalTag = evpn.LocalTag{Type: b[0], PCP: b[1] & 7, Change: b[2], VID: binary.BigEndian.Uint16(b[4:])}
	t.Answer, t.Changed = nve.Applied(b[3]), readMoment(b[6:])
	if t.Type > evpn.TagDot1Q || t.Answer > nve.TagFailed || t.VID > tag.Last {
		return t, fmt.Errorf("type %d, VID %d, answer %d", t.Type, t.VID, t.Answer)
	}
	return t, nil
}

// moment is a time as nanoseconds since 1970, 0 for none.
func moment(t time.Time) []byte {
	if t.IsZero() {
		return make([]byte, 8)
	}
	return binary.BigEndian.AppendUint64(nil, uint64(t.UnixNano()))
}

func readMoment(b []byte) time.Time {
	n := int64(binary.BigEndian.Uint64(b))
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n)
}
