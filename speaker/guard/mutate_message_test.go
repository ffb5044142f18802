package guard_test

import (
	"encoding/binary"
	"math/rand/v2"

	"github.com/tns-project/tns/speaker/guard/wire"
)

// draft is an UPDATE in its parts, so that they can be changed while everything around them stays right: lengths are written last, from what is there.
type draft struct {
	withdrawn  []byte
	attributes []attribute
	nlri       []byte
	skew       [2]int // by how much the lengths of withdrawn and attributes are wrong
}

// attribute is a path attribute: flags, type and a value or, in MP_REACH_NLRI and MP_UNREACH_NLRI, routes.
type attribute struct {
	flags, typ byte
	value      []byte
	routes     *routes
	skew       int // by how much its length is wrong
}

// routes is the value of MP_REACH_NLRI or, without a header, of MP_UNREACH_NLRI.
type routes struct {
	family []byte // AFI and SAFI
	header []byte // length of the next hop, the next hop, a reserved octet
	nlri   [][]byte
}

// Path attributes.
const (
	attrReach    = 14
	attrUnreach  = 15
	attrExtended = 16
	attrLarge    = 32
)

func (r *routes) append(b []byte) []byte {
	b = append(append(b, r.family...), r.header...)
	for _, n := range r.nlri {
		b = append(b, n...)
	}
	return b
}

func (a *attribute) append(b []byte) []byte {
	value := a.value
	if a.routes != nil {
		value = a.routes.append(nil)
	}
	length := len(value) + a.skew
	flags := a.flags
	if length > 255 {
		flags |= 0x10
	}
	if b = append(b, flags, a.typ); flags&0x10 != 0 {
		b = append(b, byte(length>>8))
	}
	return append(append(b, byte(length)), value...)
}

// octets is the message.
func (d *draft) octets() []byte {
	var attributes []byte
	for i := range d.attributes {
		attributes = d.attributes[i].append(attributes)
	}
	body := binary.BigEndian.AppendUint16(make([]byte, 0, 4+len(d.withdrawn)+len(attributes)+len(d.nlri)), uint16(len(d.withdrawn)+d.skew[0]))
	body = append(body, d.withdrawn...)
	body = binary.BigEndian.AppendUint16(body, uint16(len(attributes)+d.skew[1]))
	return message(wire.TypeUpdate, append(append(body, attributes...), d.nlri...))
}

// author writes UPDATEs of every kind that passes between a TES, an NVE, and other VTEPs, for one session.
type author struct {
	random  *rand.Rand
	session wire.Session
	as      uint32 // its own
	rd      [8]byte
	turn    uint32 // of the MAC addresses, so that one comes again only after keysInUse others, and is not merged with itself on the way
}

// keysInUse is how many MAC addresses there are, so that GoBGP's memory of what was withdrawn does not grow by that; mutations bring more.
const keysInUse = 1 << 13

func (w *author) some(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(w.random.Uint32())
	}
	return b
}

func (w *author) one(n int) bool { return w.random.IntN(n) == 0 }

// key is route distinguisher and, behind it, zeros; the number chooses among the peer's.
func (w *author) key(zeros int) []byte {
	b := append(make([]byte, 0, 64), w.rd[:]...)
	b[7] = byte(1 + w.random.IntN(4))
	return append(b, make([]byte, zeros)...)
}

func evpnRoute(typ byte, b []byte) []byte { return append([]byte{typ, byte(len(b))}, b...) }

// esi is mostly none.
func (w *author) esi(b []byte, always bool) []byte {
	if always || w.one(8) {
		b[8], b[9], b[17] = byte(w.random.IntN(6)), 0x11, 0
	}
	return b
}

// macIP is a route of type 2.
func (w *author) macIP(tag uint32) []byte {
	w.turn++
	n := w.turn % keysInUse
	b := w.esi(w.key(10), false)
	b = binary.BigEndian.AppendUint32(b, tag)
	b = append(b, 48, 2, 0, 0, 0, byte(n>>8), byte(n))
	switch w.random.IntN(4) {
	case 0:
		b = append(b, 128, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, byte(n>>8), byte(n))
	case 1:
		b = append(b, 32, 10, 0, byte(n>>8), byte(n))
	default:
		b = append(b, 0)
	}
	b = append(b, 0, byte(w.random.IntN(256)), byte(w.random.IntN(256)))
	if w.one(6) {
		b = append(b, 0, 3, 0xe9)
	}
	return evpnRoute(2, b)
}

// multicast is a route of type 3.
func (w *author) multicast() []byte {
	b := append(w.key(3), byte(w.random.IntN(64)))
	if w.one(3) {
		return evpnRoute(3, append(b, 128, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, w.rd[5]))
	}
	return evpnRoute(3, append(b, 32, 10, 0, 0, w.rd[5]))
}

// other is a route of another type, known or not.
func (w *author) other() []byte {
	switch w.random.IntN(6) {
	case 0:
		return evpnRoute(1, append(w.esi(w.key(10), true), 0, 0, 0, byte(w.random.IntN(64)), 0, 0x27, 0x74))
	case 1:
		return evpnRoute(4, append(w.esi(w.key(10), true), 32, 10, 0, 0, byte(w.random.IntN(64))))
	case 2:
		return evpnRoute(4, append(w.esi(w.key(10), true), 128, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, byte(w.random.IntN(64))))
	case 3:
		b := append(w.esi(w.key(14), false), 24, 10, 1, byte(w.random.IntN(256)), 0)
		return evpnRoute(5, append(b, 0, 0, 0, 0, 0, 3, 0xe9))
	case 4:
		b := append(w.esi(w.key(14), false), 64, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, byte(w.random.IntN(256)))
		return evpnRoute(5, append(b, append(make([]byte, 24), 0, 3, 0xe9)...))
	default:
		return evpnRoute(byte(6+w.random.IntN(6)), append(w.key(0), w.some(w.random.IntN(30))...))
	}
}

// membership is an NLRI of route target constraint.
func (w *author) membership() []byte {
	n := byte(w.random.IntN(64))
	switch w.random.IntN(6) {
	case 0:
		return []byte{0}
	case 1:
		return []byte{32, 0, 0, 0xfd, 0xe8 + n%4}
	case 2:
		return []byte{48 + n%40, 0, 0, 0xfd, 0xe8, 0, 2, 0x20, 0xca, 10, 0, 0}[:1+(48+int(n%40)+7)/8]
	default:
		return []byte{96, 0, 0, 0xfd, 0xe8, n % 3, 2, 0x20, 0xca, 10, 0, 0, n}
	}
}

var evpnFamily, targetsFamily = []byte{0, 25, 70}, []byte{0, 1, 132}

func (w *author) hop() []byte {
	switch w.random.IntN(8) {
	case 0:
		return []byte{16, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0}
	case 1:
		return append(append([]byte{32, 0x20, 0x01, 0x0d, 0xb8}, make([]byte, 12)...), append([]byte{0xfe, 0x80}, make([]byte, 15)...)...)
	}
	return []byte{4, 10, 0, 0, w.rd[5], 0}
}

func (w *author) reach(family []byte, nlri ...[]byte) attribute {
	return attribute{flags: 0x80, typ: attrReach, routes: &routes{family, w.hop(), nlri}}
}

func (w *author) unreach(family []byte, nlri ...[]byte) attribute {
	return attribute{flags: 0x80, typ: attrUnreach, routes: &routes{family: family, nlri: nlri}}
}

// several is n of what make makes.
func several(n int, make func() []byte) (list [][]byte) {
	for range n {
		list = append(list, make())
	}
	return list
}

// path is an AS_PATH value of n AS numbers, in segments.
func (w *author) path(n int) (b []byte) {
	for n > 0 {
		k := min(n, 255)
		n -= k
		b = append(b, 2, byte(k))
		if w.one(8) {
			b[len(b)-2] = 1
		}
		for range k {
			b = w.appendAS(b, 64512+w.random.Uint32N(400))
		}
	}
	return b
}

func (w *author) appendAS(b []byte, as uint32) []byte {
	if w.session.FourOctetAS {
		return binary.BigEndian.AppendUint32(b, as)
	}
	return binary.BigEndian.AppendUint16(b, uint16(as))
}

// well is what every announcement needs.
func (w *author) well() []attribute {
	n := 0
	if !w.session.Internal || w.one(4) {
		n = 1 + w.random.IntN(4)
	}
	list := []attribute{{flags: 0x40, typ: 1, value: []byte{byte(w.random.IntN(3))}}, {flags: 0x40, typ: 2, value: w.path(n)}}
	if w.session.Internal {
		list = append(list, attribute{flags: 0x40, typ: 5, value: []byte{0, 0, 0, 100}})
	}
	return list
}

// any is an attribute that a route may have besides.
func (w *author) any() attribute {
	switch w.random.IntN(16) {
	case 0:
		return attribute{flags: 0x80, typ: 4, value: w.some(4)}
	case 1:
		return attribute{flags: 0x40, typ: 6}
	case 2:
		return attribute{flags: 0xc0, typ: 7, value: append(w.appendAS(nil, 65001), 10, 0, 0, 1)}
	case 3:
		return attribute{flags: 0xc0, typ: 8, value: w.some(4 * (1 + w.random.IntN(5)))}
	case 4:
		return attribute{flags: 0x80, typ: 9, value: []byte{192, 0, 2, byte(w.random.IntN(256))}}
	case 5:
		return attribute{flags: 0x80, typ: 10, value: w.some(4 * (1 + w.random.IntN(5)))}
	case 6:
		return attribute{flags: 0xc0, typ: attrExtended, value: w.communities(1 + w.random.IntN(8))}
	case 7:
		return attribute{flags: 0xc0, typ: 17, value: []byte{2, 2, 0, 1, 0, 1, 0, 0, 0xfd, 0xe9}}
	case 8:
		return attribute{flags: 0xc0, typ: 18, value: []byte{0, 1, 0, 1, 10, 0, 0, 1}}
	case 9:
		return w.tunnel()
	case 10:
		return attribute{flags: 0xc0, typ: 23, value: []byte{0, 8, 0, 4, 1, 2, 3, 4}}
	case 11:
		return attribute{flags: 0xc0, typ: attrLarge, value: w.some(12 * (1 + w.random.IntN(4)))}
	case 12:
		return attribute{flags: 0xc0, typ: 40, value: []byte{1, 0, 7, 0, 0, 0, 0, 0, 0, 5}}
	case 13:
		return attribute{flags: 0x80, typ: []byte{25, 26, 29, 255}[w.random.IntN(4)], value: w.some(w.random.IntN(24))}
	default:
		return attribute{flags: 0xc0, typ: byte(41 + w.random.IntN(214)), value: w.some(w.random.IntN(40))}
	}
}

// tunnel is PMSI_TUNNEL: none, ingress replication, and others.
func (w *author) tunnel() attribute {
	switch w.random.IntN(4) {
	case 0:
		return attribute{flags: 0xc0, typ: 22, value: []byte{0, 0, 0, 0, 0}}
	case 1:
		return attribute{flags: 0xc0, typ: 22, value: append([]byte{0, byte(w.random.IntN(12)), 0, 0x27, 0x74}, w.some(w.random.IntN(24))...)}
	}
	return attribute{flags: 0xc0, typ: 22, value: []byte{0, 6, 0, 0x27, 0x74, 10, 0, 0, w.rd[5]}}
}

// kinds of extended communities that somebody gives a meaning.
var kinds = [...][2]byte{
	{0, 2}, {0, 3}, {1, 2}, {2, 2}, {3, 0x0b}, {3, 0x0c}, {3, 0x0d}, {6, 0}, {6, 1}, {6, 2}, {6, 3}, {6, 4}, {6, 5}, {6, 6}, {6, 8}, {0x40, 4}, {0x43, 0}, {0x0c, 0},
	{0x80, 6}, {0x80, 7}, {0x80, 8}, {0x80, 9}, {0x80, 0x0a}, {0x80, 0x0b}, {0x81, 6}, {0x82, 8},
	{0x88, 1}, {0x88, 2}, {0x88, 3}, {0x88, 4}, {0x88, 5}, {0x88, 7}, {0x88, 8}, {0x88, 9}, {0x88, 0x0c}, {0x88, 0x0e}, {0x88, 0x0f}, {0x88, 0x10}, {0x88, 0x14}, {0x88, 0x17}, {0x88, 0x99},
}

func (w *author) communities(n int) (b []byte) {
	b = append(b, 0, 2, 0xfd, 0xe8, 0, 0, 0x27, byte(w.random.IntN(4)))
	for range n - 1 {
		k := kinds[w.random.IntN(len(kinds))]
		v := append(k[:], w.some(6)...)
		if w.one(2) {
			clear(v[2:7])
		}
		b = append(b, v...)
	}
	return b
}

// ours are the communities of a TES's request or an NVE's response (package evpn), each route's own.
func (w *author) ours(subs ...byte) (b []byte) {
	b = append(b, 0, 2, 0x20, 0xca, 192, 0, 2, 1)
	for _, sub := range subs {
		b = append(append(b, 0x88, sub), w.some(6)...)
	}
	return b
}

// next is an UPDATE in order; now and then one that is large.
func (w *author) next() *draft {
	d := &draft{attributes: w.well()}
	add := func(a ...attribute) { d.attributes = append(a, d.attributes...) }
	kind := w.random.IntN(20)
	switch {
	case kind < 5: // a TES's request, an NVE's response
		subs := []byte{1, 2, 3, 4, 5}
		if w.one(2) {
			subs = []byte{2, 3, 4, 7, 8, 9, 0x0e, 0x0f}
		}
		add(w.reach(evpnFamily, w.macIP(uint32(w.random.IntN(2)))))
		d.attributes = append(d.attributes, attribute{flags: 0xc0, typ: attrExtended, value: w.ours(subs...)},
			attribute{flags: 0xc0, typ: attrLarge, value: append([]byte{0, 0, 0xfd, 0xe8}, w.some(8)...)})
	case kind < 6: // a beacon
		add(w.reach(evpnFamily, w.multicast()))
		d.attributes = append(d.attributes, attribute{flags: 0xc0, typ: attrExtended, value: w.ours(9, 0x10)}, w.tunnel())
	case kind < 9: // the fabric's
		add(w.reach(evpnFamily, several(1+w.random.IntN(5), func() []byte { return w.macIP(0) })...))
		d.attributes = append(d.attributes, attribute{flags: 0xc0, typ: attrExtended, value: w.communities(1 + w.random.IntN(5))})
	case kind < 10:
		add(w.reach(evpnFamily, w.multicast()))
		d.attributes = append(d.attributes, attribute{flags: 0xc0, typ: attrExtended, value: w.communities(2)}, w.tunnel())
	case kind < 12: // every type of route
		add(w.reach(evpnFamily, append(several(1+w.random.IntN(3), w.other), w.macIP(0), w.other())...))
		d.attributes = append(d.attributes, attribute{flags: 0xc0, typ: attrExtended, value: w.communities(1 + w.random.IntN(5))})
	case kind < 14: // withdrawals, also of what is not there
		w.turn -= uint32(w.random.IntN(64))
		d.attributes = []attribute{w.unreach(evpnFamily, append(several(w.random.IntN(6), func() []byte { return w.macIP(0) }), w.multicast(), w.other())...)}
	case kind < 15: // both
		add(w.unreach(evpnFamily, w.macIP(0), w.other()), w.reach(evpnFamily, w.macIP(0)))
	case kind < 17 && (w.session.Has(wire.RouteTargets) || w.one(16)): // memberships
		add(w.reach(targetsFamily, several(1+w.random.IntN(3), w.membership)...))
		if w.one(3) {
			d.attributes = []attribute{w.unreach(targetsFamily, several(1+w.random.IntN(3), w.membership)...)}
		}
	case kind < 17: // IPv4, which no session carries
		add(w.reach(evpnFamily, w.macIP(0)))
		d.withdrawn, d.nlri = []byte{24, 192, 0, 2}, []byte{16, 10, 1, 8, 11}
		d.attributes = append(d.attributes, attribute{flags: 0x40, typ: 3, value: []byte{10, 0, 0, 9}})
	case kind < 18: // large
		w.large(d)
	case w.one(8):
		d.attributes = []attribute{w.unreach(evpnFamily)} // End-of-RIB
	default:
		add(w.reach(evpnFamily, w.macIP(0)))
	}
	for len(d.attributes) > 1 && w.one(3) {
		d.attributes = append(d.attributes, w.any())
	}
	return d
}

// large makes an announcement of many routes, or with many communities, a long path, or a large unknown attribute.
func (w *author) large(d *draft) {
	nlri := [][]byte{w.macIP(0)}
	switch w.random.IntN(6) {
	case 0:
		if w.one(3) {
			nlri = several(40+w.random.IntN(40), func() []byte { return w.macIP(0) })
		}
	case 1:
		d.attributes = append(d.attributes, attribute{flags: 0xc0, typ: attrExtended, value: w.communities(100 + w.random.IntN(380))})
	case 2:
		d.attributes = append(d.attributes, attribute{flags: 0xc0, typ: 8, value: w.some(4 * (100 + w.random.IntN(850)))})
	case 3:
		d.attributes = append(d.attributes, attribute{flags: 0xc0, typ: attrLarge, value: w.some(12 * (50 + w.random.IntN(270)))})
	case 4:
		d.attributes[1].value = w.path(200 + w.random.IntN(700))
	default:
		d.attributes = append(d.attributes, attribute{flags: 0xc0, typ: 99, value: w.some(w.random.IntN(3900))})
	}
	d.attributes = append([]attribute{w.reach(evpnFamily, nlri...)}, d.attributes...)
}
