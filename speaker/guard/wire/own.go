package wire

import "encoding/binary"

// ownPreference is the LOCAL_PREF of routes of our own, which most speakers take where there is none.
const ownPreference = 100

// appendOwn appends the path attributes of a route of our own, in order of type, with those that depend on the peer: ORIGIN is IGP, AS_PATH is empty to a
// peer of our AS and else our AS alone, LOCAL_PREF is for a peer of our AS (RFC 4271 §5.1.1, §5.1.2, §5.1.5). AS numbers have four octets.
func appendOwn(b []byte, attributes string, s Session) []byte {
	b = appendAttribute(b, wellKnown, attrOrigin, []byte{0})
	if s.Internal {
		b = appendAttribute(b, wellKnown, attrASPath, nil)
	} else {
		b = appendAttribute(b, wellKnown, attrASPath, binary.BigEndian.AppendUint32([]byte{segmentSequence, 1}, s.AS))
	}
	at := 0 // of the first attribute that comes after LOCAL_PREF
	for at+3 <= len(attributes) && attributes[at+1] < attrLocalPref {
		size := 3 + int(attributes[at+2])
		if attributes[at]&flagExtended != 0 && at+4 <= len(attributes) {
			size = 4 + int(attributes[at+2])<<8 + int(attributes[at+3])
		}
		at = min(at+size, len(attributes))
	}
	b = append(b, attributes[:at]...)
	if s.Internal {
		b = appendAttribute(b, wellKnown, attrLocalPref, binary.BigEndian.AppendUint32(nil, ownPreference))
	}
	return append(b, attributes[at:]...)
}
