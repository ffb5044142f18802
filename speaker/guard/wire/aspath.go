package wire

import "encoding/binary"

// Segment types of AS_PATH (RFC 4271 §4.3, RFC 5065 §3).
const (
	segmentSet            = 1
	segmentSequence       = 2
	segmentConfedSequence = 3
	segmentConfedSet      = 4
)

// segment is one segment of an AS_PATH:
//
//	 0         1          2
//	+---------+----------+--------------------------------------+
//	| type 8  | count 8  | count AS numbers of 2 or 4 octets     |
//	+---------+----------+--------------------------------------+
type segment struct {
	typ  byte
	ases []byte
}

// nextSegment takes the first segment off a path whose AS numbers have size octets; ok is false where it is malformed (RFC 7606 §7.2).
func nextSegment(path []byte, size int) (s segment, rest []byte, ok bool) {
	if len(path) < 2 || path[0] < segmentSet || path[0] > segmentConfedSet || path[1] == 0 || len(path) < 2+int(path[1])*size {
		return segment{}, nil, false
	}
	end := 2 + int(path[1])*size
	return segment{path[0], path[2:end]}, path[end:], true
}

func (s segment) confederation() bool {
	return s.typ == segmentConfedSequence || s.typ == segmentConfedSet
}

// length is what the segment counts in the length of a path (RFC 4271 §9.1.2.2, RFC 5065 §5.3).
func (s segment) length(size int) int {
	switch s.typ {
	case segmentSequence:
		return len(s.ases) / size
	case segmentSet:
		return 1
	}
	return 0
}

// wrongPath tells why a path is malformed, or "". The AS number 0 is none (RFC 7607), and confederation segments are for a confederation's own sessions
// (RFC 5065 §5).
func wrongPath(path []byte, size int, internal bool) string {
	for len(path) > 0 {
		s, rest, ok := nextSegment(path, size)
		if !ok {
			return "segment cut off, empty or of an unknown type"
		}
		if s.confederation() && !internal {
			return "confederation segment from another AS (RFC 5065 §5)"
		}
		for at := 0; at < len(s.ases); at += size {
			if asNumber(s.ases[at:], size) == 0 {
				return "AS number 0 (RFC 7607)"
			}
		}
		path = rest
	}
	return ""
}

// passes reports whether a path with AS numbers of four octets has that one, which is not 0.
func passes(path []byte, as uint32) bool {
	for len(path) > 0 {
		s, rest, _ := nextSegment(path, 4)
		for at := 0; at < len(s.ases); at += 4 {
			if asNumber(s.ases[at:], 4) == as {
				return true
			}
		}
		path = rest
	}
	return false
}

func asNumber(b []byte, size int) uint32 {
	if size == 2 {
		return uint32(binary.BigEndian.Uint16(b))
	}
	return binary.BigEndian.Uint32(b)
}

func pathLength(path []byte, size int) (n int) {
	for len(path) > 0 {
		s, rest, _ := nextSegment(path, size)
		n, path = n+s.length(size), rest
	}
	return n
}

// appendWidePath appends a path of two-octet AS numbers as one of four, with the numbers that the AS4_PATH as4 knows better (RFC 6793 §4.2.3). Both are
// well formed; as4 is nil where there is none.
func appendWidePath(b, path, as4 []byte) []byte {
	ahead := pathLength(path, 2)
	if known := pathLength(as4, 4); known > 0 && known <= ahead {
		ahead -= known
	} else {
		as4 = nil
	}
	for len(path) > 0 && (ahead > 0 || as4 == nil || path[0] > segmentSequence) {
		s, rest, _ := nextSegment(path, 2)
		if as4 != nil && s.length(2) > ahead && !s.confederation() {
			s.ases = s.ases[:2*ahead] // a sequence: a set counts 1
		}
		ahead, path = ahead-s.length(2), rest
		b = append(b, s.typ, byte(len(s.ases)/2))
		for at := 0; at < len(s.ases); at += 2 {
			b = append(b, 0, 0, s.ases[at], s.ases[at+1])
		}
	}
	for len(as4) > 0 {
		s, rest, _ := nextSegment(as4, 4)
		if !s.confederation() { // to be discarded (RFC 6793 §6)
			b = append(append(b, s.typ, byte(len(s.ases)/4)), s.ases...)
		}
		as4 = rest
	}
	return b
}

// appendNarrowPath appends a path of four-octet AS numbers as one of two; lossy tells that AS_TRANS stands for some.
func appendNarrowPath(b, path []byte) (_ []byte, lossy bool) {
	for len(path) > 0 {
		s, rest, _ := nextSegment(path, 4)
		b = append(b, s.typ, byte(len(s.ases)/4))
		for at := 0; at < len(s.ases); at += 4 {
			as := binary.BigEndian.Uint32(s.ases[at:])
			if as > 0xffff {
				as, lossy = asTrans, true
			}
			b = append(b, byte(as>>8), byte(as))
		}
		path = rest
	}
	return b, lossy
}

// withoutConfederation is a path of four-octet AS numbers without the segments that an AS4_PATH must not have (RFC 6793 §3).
func withoutConfederation(path []byte) (b []byte) {
	for len(path) > 0 {
		s, rest, ok := nextSegment(path, 4)
		if !ok {
			return b
		}
		if !s.confederation() {
			b = append(b, path[:len(path)-len(rest)]...)
		}
		path = rest
	}
	return b
}
