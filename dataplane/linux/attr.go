package linux

import (
	"encoding/binary"
	"iter"

	"golang.org/x/sys/unix"
)

// attr adds a netlink attribute: length (16 bits, without padding), type (16 bits), value, padding to four octets; all in host order.
func attr(buf []byte, kind uint16, value []byte) []byte {
	length := unix.SizeofRtAttr + len(value)
	buf = binary.NativeEndian.AppendUint16(buf, uint16(length))
	buf = binary.NativeEndian.AppendUint16(buf, kind)
	buf = append(buf, value...)
	return append(buf, make([]byte, -length&3)...)
}

func attr8(buf []byte, kind uint16, v uint8) []byte { return attr(buf, kind, []byte{v}) }

func attr32(buf []byte, kind uint16, v uint32) []byte {
	var value [4]byte
	binary.NativeEndian.PutUint32(value[:], v)
	return attr(buf, kind, value[:])
}

// attributes goes through the attributes in b, without the bits that flag nesting and byte order, and stops at the first that is
// cut short.
func attributes(b []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(b) >= unix.SizeofRtAttr {
			length := int(binary.NativeEndian.Uint16(b))
			kind := binary.NativeEndian.Uint16(b[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
			if length < unix.SizeofRtAttr || length > len(b) {
				return
			}
			if !yield(kind, b[unix.SizeofRtAttr:length]) {
				return
			}
			b = b[min(length+(-length&3), len(b)):]
		}
	}
}
