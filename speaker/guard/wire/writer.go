package wire

import "encoding/binary"

// writer writes UPDATEs one after the other, each with as many NLRI as fit. Those of one group have family, next hop and attributes in common:
//
//	announced            | 0 | length | MP_REACH_NLRI: family, next hop, NLRI ... | attributes |
//	withdrawn            | 0 | length | MP_UNREACH_NLRI: family, NLRI ...         |
//	announced, IPv4      | 0 | length | attributes | NEXT_HOP | NLRI ...          |
//	withdrawn, IPv4      | length | NLRI ... | 0 |
type writer struct {
	b    []byte
	ends []int // of the messages in b

	family     Family
	hop        []byte // of those announced; empty: the group is withdrawn
	attributes []byte

	start int // of the open message, where one is
	field int // where what holds its NLRI begins: the attribute's value, the list of IPv4
	open  bool
}

// empty is the writer with nothing written, and its memory.
func (w *writer) empty() writer {
	return writer{b: w.b[:0], ends: w.ends[:0], hop: w.hop[:0], attributes: w.attributes[:0]}
}

// group closes the group before and begins another one.
func group[T string | []byte](w *writer, family Family, hop, attributes T) {
	w.close()
	w.family, w.hop, w.attributes = family, append(w.hop[:0], hop...), append(w.attributes[:0], attributes...)
}

// put appends an NLRI, in another message if it must; it is false if it does not fit into one at all.
func put[T string | []byte](w *writer, nlri T) bool {
	if w.open && !w.fits(len(nlri)) {
		w.close()
	}
	if !w.open {
		mark := len(w.b)
		w.begin()
		if !w.fits(len(nlri)) {
			w.b, w.open = w.b[:mark], false
			return false
		}
	}
	w.b = append(w.b, nlri...)
	return true
}

// fits reports whether so many octets more fit into the open message, with what close does to it.
func (w *writer) fits(n int) bool {
	n += len(w.b) - w.start
	switch {
	case w.family != IPv4Unicast && n-(w.field-w.start) <= 255:
		n += len(w.attributes) - 1
	case w.family != IPv4Unicast:
		n += len(w.attributes)
	case len(w.hop) == 0:
		n += 2
	}
	return n <= MaxLength
}

func (w *writer) begin() {
	w.open = true
	w.b, w.start = begin(w.b, TypeUpdate)
	switch {
	case w.family == IPv4Unicast && len(w.hop) == 0:
		w.b = append(w.b, 0, 0)
	case w.family == IPv4Unicast:
		w.b = append(w.b, 0, 0)
		w.b = binary.BigEndian.AppendUint16(w.b, uint16(len(w.attributes)+3+len(w.hop)))
		w.b = append(w.b, w.attributes...)
		w.b = appendAttribute(w.b, wellKnown, attrNextHop, w.hop)
	case len(w.hop) == 0:
		w.b = append(w.b, 0, 0, 0, 0, optionalNonTransitive|flagExtended, attrMPUnreach, 0, 0)
		w.field = len(w.b)
		w.b = w.family.append(w.b)
		return
	default:
		w.b = append(w.b, 0, 0, 0, 0, optionalNonTransitive|flagExtended, attrMPReach, 0, 0)
		w.field = len(w.b)
		w.b = append(w.family.append(w.b), byte(len(w.hop)))
		w.b = append(append(w.b, w.hop...), 0)
		return
	}
	w.field = len(w.b)
}

// close fills in the lengths. That of the attribute takes one octet where it can.
func (w *writer) close() {
	if !w.open {
		return
	}
	size := uint16(len(w.b) - w.field)
	switch {
	case w.family != IPv4Unicast:
		binary.BigEndian.PutUint16(w.b[w.field-2:], size)
		if size <= 255 {
			w.b[w.field-4] &^= flagExtended
			w.b = append(w.b[:w.field-2], w.b[w.field-1:]...)
		}
		w.b = append(w.b, w.attributes...)
		binary.BigEndian.PutUint16(w.b[w.field-6:], uint16(len(w.b)-w.field+4))
	case len(w.hop) == 0:
		binary.BigEndian.PutUint16(w.b[w.field-2:], size)
		w.b = append(w.b, 0, 0)
	}
	w.b = finish(w.b, w.start)
	w.ends, w.open = append(w.ends, len(w.b)), false
}

// messages appends what was written to msgs, message by message.
func (w *writer) messages(msgs [][]byte) [][]byte {
	w.close()
	start := 0
	for _, end := range w.ends {
		msgs = append(msgs, w.b[start:end:end])
		start = end
	}
	return msgs
}

// withdraw writes withdrawals.
func (w *writer) withdraw(list []NLRI) {
	for i, n := range list {
		if i == 0 || n.Family != list[i-1].Family {
			group(w, n.Family, []byte(nil), nil)
		}
		put(w, n.Octets)
	}
}

// announce writes announcements; it is false if one does not fit into a message.
func (w *writer) announce(list []NLRI, attributes []byte) bool {
	for i, n := range list {
		if i == 0 || n.Family != list[i-1].Family || string(n.NextHop) != string(list[i-1].NextHop) {
			group(w, n.Family, n.NextHop, attributes)
		}
		if !put(w, n.Octets) {
			return false
		}
	}
	return true
}
