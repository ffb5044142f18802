package history

import (
	"encoding/binary"
	"strings"
	"time"
)

// Zones of a time.
const (
	utc = iota
	local
	elsewhere
)

// appendTime appends a time, to the nanosecond and with its zone. The zone of the process is what a time that was local is in when it is read.
func appendTime(b []byte, t time.Time) []byte {
	zone := byte(elsewhere)
	switch t.Location() {
	case time.UTC:
		zone = utc
	case time.Local:
		zone = local
	}
	if n := t.UnixNano(); zone != elsewhere && time.Unix(0, n).Equal(t) { // not so far away that it has none
		return binary.BigEndian.AppendUint64(append(b, zone), uint64(n))
	}
	at := len(b) + 1
	b, _ = t.AppendBinary(append(b, elsewhere, 0)) // what cannot be is an offset that is none
	b[at] = byte(len(b) - at - 1)
	return b
}

func (r *unpacker) time() (t time.Time) {
	switch zone := r.octets(1)[0]; zone {
	case utc, local:
		t = time.Unix(0, int64(binary.BigEndian.Uint64([]byte(r.octets(8)))))
		if zone == utc {
			t = t.UTC()
		}
	default:
		_ = t.UnmarshalBinary([]byte(r.octets(int(r.octets(1)[0]))))
	}
	return t
}

// mac appends a text that mostly is a MAC.
func (w *words) mac(b []byte, s string) []byte {
	if len(s) != 17 {
		return w.text(b, s, 0)
	}
	start := len(b)
	b = append(b, six)
	for i := 0; i < len(s); i += 3 {
		high, low := strings.IndexByte(digits, s[i]), strings.IndexByte(digits, s[i+1])
		if high < 0 || low < 0 || i+2 < len(s) && s[i+2] != ':' {
			return w.text(b[:start], s, 0)
		}
		b = append(b, byte(high<<4|low))
	}
	return b
}

const digits = "0123456789abcdef"

// macText is six octets in lower case, colon-separated.
func macText(octets string) string {
	b := make([]byte, 0, 18)
	for i := range len(octets) {
		b = append(b, digits[octets[i]>>4], digits[octets[i]&15], ':')
	}
	return string(b[:17])
}
