package guard_test

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/tns-project/tns/speaker/guard/wire"
)

// mutator changes the messages of its author: parts of them while the lengths around stay right, and octets, so that the one gets deep and the other
// everywhere.
type mutator struct {
	author
}

// next is a message that no author would write, in one piece: its header is in order and tells its length, or the header alone resets the session.
func (m *mutator) next() []byte {
	for {
		d := m.author.next()
		before := d.octets()
		for range 1 + min(m.random.IntN(4), m.random.IntN(4)) {
			m.bend(d)
		}
		msg := d.octets()
		if m.one(3) {
			for range 1 + m.random.IntN(2) {
				msg = m.flip(msg)
			}
		}
		if m.one(100) {
			msg = m.control()
		}
		if msg = m.frame(msg); !bytes.Equal(msg, before) {
			return msg
		}
	}
}

// frame makes the message one that is as long as its header says, unless the header is one that no message has.
func (m *mutator) frame(msg []byte) []byte {
	if len(msg) > wire.MaxLength {
		msg = msg[:wire.MaxLength]
	}
	binary.BigEndian.PutUint16(msg[16:], uint16(len(msg)))
	if m.one(1000) {
		broken := slices.Clone(msg)
		broken[m.random.IntN(wire.HeaderLength)] ^= 1 << m.random.IntN(8)
		if _, _, err := wire.CheckHeader(broken); err != nil {
			return broken
		}
	}
	return msg
}

// control is a message that is no UPDATE, or one that says it is none.
func (m *mutator) control() []byte {
	switch m.random.IntN(6) {
	case 0:
		return message(wire.TypeRouteRefresh, []byte{0, byte(m.random.IntN(30)), byte(m.random.IntN(4)), byte(m.random.IntN(140))})
	case 1:
		return message(wire.TypeRouteRefresh, []byte{0, 25, byte(m.random.IntN(3)), 70})
	case 2:
		return message(wire.TypeRouteRefresh, m.some(m.random.IntN(8)))
	case 3:
		return message(wire.TypeKeepalive, nil)
	case 4:
		return message(wire.TypeNotification, append([]byte{byte(1 + m.random.IntN(9)), byte(m.random.IntN(12))}, m.some(m.random.IntN(40))...))
	default:
		return message(wire.TypeOpen, append([]byte{4, 0xfd, 0xe8, 0, 90, 10, 0, 0, 1, 0}, m.some(m.random.IntN(40))...))
	}
}

// flip changes octets of the body.
func (m *mutator) flip(b []byte) []byte {
	if len(b) <= wire.HeaderLength {
		return b
	}
	at := wire.HeaderLength + m.random.IntN(len(b)-wire.HeaderLength)
	switch m.random.IntN(6) {
	case 0:
		b[at] ^= 1 << m.random.IntN(8)
	case 1:
		b[at] = byte(m.random.Uint32())
	case 2:
		b[at] += byte(m.random.IntN(5)) - 2
	case 3: // what lengths, types and flags are made of
		b[at] = []byte{0, 1, 2, 3, 4, 5, 6, 9, 14, 15, 16, 32, 48, 64, 96, 128, 192, 255}[m.random.IntN(18)]
	case 4:
		b = slices.Insert(b, at, byte(m.random.Uint32()))
	default:
		b = slices.Delete(b, at, min(len(b), at+1+m.random.IntN(4)))
	}
	return b[:max(len(b), wire.HeaderLength+4)]
}

// bend changes one thing about the message's structure.
func (m *mutator) bend(d *draft) {
	r := m.random
	if len(d.attributes) == 0 || m.one(40) {
		d.skew[r.IntN(2)] += r.IntN(7) - 3
		return
	}
	i := r.IntN(len(d.attributes))
	if m.one(2) { // the routes are where most can go wrong
		if j := slices.IndexFunc(d.attributes, func(a attribute) bool { return a.routes != nil }); j >= 0 {
			i = j
		}
	}
	a := &d.attributes[i]
	switch r.IntN(14) {
	case 0:
		a.flags ^= 1 << r.IntN(8)
	case 1:
		a.typ = []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 14, 15, 16, 17, 18, 22, 23, 25, 26, 29, 32, 35, 40, 128, 255, byte(r.Uint32())}[r.IntN(26)]
	case 2:
		d.attributes = slices.Insert(d.attributes, r.IntN(len(d.attributes)+1), *a)
	case 3:
		d.attributes = slices.Delete(d.attributes, i, i+1)
	case 4:
		r.Shuffle(len(d.attributes), func(i, j int) { d.attributes[i], d.attributes[j] = d.attributes[j], d.attributes[i] })
	case 5:
		d.attributes = slices.Insert(d.attributes, r.IntN(len(d.attributes)+1), m.any())
	case 6:
		if other := m.author.next(); len(other.attributes) > 0 {
			d.attributes = slices.Insert(d.attributes, i, other.attributes[r.IntN(len(other.attributes))])
		}
	case 7:
		if m.one(4) { // most often it costs the session
			a.skew += r.IntN(5) - 2
		}
		fallthrough
	default:
		if a.routes != nil {
			m.bendRoutes(a.routes)
		} else {
			m.bendValue(a)
		}
	}
}

// bendValue changes what an attribute says, or how long it is.
func (m *mutator) bendValue(a *attribute) {
	r := m.random
	v := slices.Clone(a.value)
	switch {
	case len(v) == 0 || m.one(6):
		v = append(v, m.some(1+r.IntN(9))...)
	case m.one(6):
		v = v[:r.IntN(len(v))]
	case a.typ == attrExtended && len(v) >= 8 && !m.one(3):
		at := r.IntN(len(v)/8) * 8
		switch r.IntN(4) {
		case 0:
			copy(v[at:], kinds[r.IntN(len(kinds))][:])
		case 1:
			v[at+r.IntN(2)] = byte(r.Uint32())
		case 2:
			v[at+2+r.IntN(6)] = byte(r.Uint32())
		default:
			v = append(v, v[at:at+8]...)
		}
	case m.one(4):
		v = m.some(len(v))
	default:
		at := r.IntN(len(v))
		switch r.IntN(3) {
		case 0:
			v[at] ^= 1 << r.IntN(8)
		case 1:
			v[at] += byte(r.IntN(5)) - 2
		default:
			v[at] = []byte{0, 1, 2, 3, 4, 127, 128, 254, 255}[r.IntN(9)]
		}
	}
	a.value = v
}

// bendRoutes changes the header or one of the NLRI.
func (m *mutator) bendRoutes(v *routes) {
	r := m.random
	if len(v.nlri) == 0 || m.one(6) {
		m.bendHeader(v)
		return
	}
	i := r.IntN(len(v.nlri))
	switch r.IntN(10) {
	case 0:
		v.nlri = append(v.nlri, v.nlri[i])
	case 1:
		v.nlri = slices.Delete(slices.Clone(v.nlri), i, i+1)
	case 2:
		v.nlri = append(v.nlri, [][]byte{m.other(), m.macIP(0), m.multicast(), m.membership()}[r.IntN(4)])
	default:
		v.nlri = slices.Clone(v.nlri)
		v.nlri[i] = m.bendNLRI(slices.Clone(v.nlri[i]))
	}
}

func (m *mutator) bendHeader(v *routes) {
	r := m.random
	switch {
	case len(v.header) == 0 || m.one(3):
		v.family = [][]byte{{0, 1, 1}, {0, 2, 1}, {0, 1, 128}, {0, 1, 132}, {0, 25, 70}, {0, 25, 65}, {0, 1, 133}, {0x40, 4, 71}, {0, 25, 71}, {0, 0, 0}}[r.IntN(10)]
	default:
		v.header = slices.Clone(v.header)
		at := r.IntN(len(v.header))
		switch r.IntN(4) {
		case 0: // another next hop, of the length that it says
			n := []int{0, 4, 4, 8, 12, 16, 16, 24, 32, 48}[r.IntN(10)]
			v.header = append(append([]byte{byte(n)}, m.some(n)...), 0)
		case 1:
			v.header[len(v.header)-1] = byte(r.Uint32()) // reserved
		default:
			v.header[at] = []byte{0, 4, 12, 16, 127, 224, 255, byte(r.Uint32())}[r.IntN(8)]
		}
	}
}

// bendNLRI changes an octet of a route, or its length together with what says how long it is.
func (m *mutator) bendNLRI(n []byte) []byte {
	r := m.random
	const macIPBits = 31 // where type 2 has the length of its IP address
	switch at := r.IntN(len(n)); r.IntN(10) {
	case 0: // shorter or longer, and it says so
		if len(n) > 3 && n[0] <= 5 {
			if n = n[:2+r.IntN(len(n)-2)]; m.one(2) {
				n = append(n, m.some(1+r.IntN(12))...)
			}
			n[1] = byte(len(n) - 2)
		}
	case 1: // of another type
		n[0] = byte(r.IntN(12))
	case 2:
		if len(n) > macIPBits && n[0] == 2 {
			n[macIPBits] = []byte{0, 31, 32, 33, 64, 127, 128, 129, 255}[r.IntN(9)]
		}
	case 3: // RD of another type
		if len(n) > 3 {
			n[3] = byte(r.IntN(4))
		}
	case 4:
		if len(n) > 20 { // ESI
			n[10], n[19] = byte(r.IntN(7)), byte(r.IntN(2))
		}
	case 5:
		n[at] = []byte{0, 1, 24, 32, 33, 47, 48, 49, 64, 96, 97, 128, 255}[r.IntN(13)]
	case 6:
		n[r.IntN(min(2, len(n)))] += byte(r.IntN(5)) - 2
	default:
		n[max(at, min(2, len(n)-1))] ^= 1 << r.IntN(8)
	}
	return n
}
