package wire

import "encoding/binary"

// Pack writes changes as UPDATEs, with as many NLRI in each as have equal attributes and as MaxLength allows. Of several changes of one route the last
// one counts. Announcements come before withdrawals, so that a route that another one takes the place of is not missing in between; else the order is
// that of each group's first change. It writes what is there, and waits for nothing. To a session without four-octet AS numbers AS_PATH and AGGREGATOR
// are written in two (RFC 6793 §4.2.2). A route that does not fit into a message by itself is left out and returned in unsent.
func Pack(changes []Change, s Session) (msgs [][]byte, unsent []Change) {
	var p Packer
	p.sort(changes, newest(changes))
	unsent = p.write(changes, s)
	return p.writer.messages(nil), unsent
}

// Packer is Pack for who packs again and again: it appends to what there is, and uses its memory again. The zero value is ready; it is not safe for
// concurrent use.
type Packer struct {
	Own bool // the routes are our own, and have no attributes that depend on the peer: they are added (own.go)

	index                map[groupOf]int
	announced, withdrawn []batch
	next                 []int // the change that follows in its batch, or -1
	writer               writer
}

// Append appends changes, of which no two may be of one route, to b as UPDATEs, and is how many of these there are.
func (p *Packer) Append(b []byte, changes []Change, s Session) (_ []byte, updates int, unsent []Change) {
	p.sort(changes, nil)
	p.writer = p.writer.empty()
	p.writer.b = b
	unsent = p.write(changes, s)
	p.writer.close()
	b, p.writer.b = p.writer.b, nil
	return b, len(p.writer.ends), unsent
}

// batch is the changes of one group, as a list through next.
type batch struct{ first, last int }

// groupOf is what the changes of one UPDATE have in common.
type groupOf struct {
	family     Family
	attributes Attributes
}

// newest is, by route, the last change of each.
func newest(changes []Change) map[string]int {
	last := make(map[string]int, len(changes))
	var scratch [64]byte
	for i := range changes {
		last[string(appendRoute(scratch[:0], &changes[i]))] = i
	}
	return last
}

// sort sorts changes into batches. Where last is there, only the last change of a route counts.
func (p *Packer) sort(changes []Change, last map[string]int) {
	p.announced, p.withdrawn, p.next = p.announced[:0], p.withdrawn[:0], p.next[:0]
	if len(changes) > 1 && p.index == nil {
		p.index = make(map[groupOf]int, len(changes))
	}
	clear(p.index)
	var scratch [64]byte
	for i := range changes {
		c := &changes[i]
		p.next = append(p.next, -1)
		if last != nil && last[string(appendRoute(scratch[:0], c))] != i {
			continue
		}
		list := &p.announced
		if c.Withdrawal() {
			list = &p.withdrawn
		}
		if at, ok := p.index[groupOf{c.Family, c.Attributes}]; ok {
			p.next[(*list)[at].last], (*list)[at].last = i, i
			continue
		}
		if len(changes) > 1 {
			p.index[groupOf{c.Family, c.Attributes}] = len(*list)
		}
		*list = append(*list, batch{i, i})
	}
}

// appendRoute appends family and key of the route: what two changes of one route have in common.
func appendRoute(b []byte, c *Change) []byte {
	b, n := splitKey(c.Family.append(b), c.Family, c.NLRI)
	return b[:3+n]
}

// write writes the batches.
func (p *Packer) write(changes []Change, s Session) (unsent []Change) {
	w := &p.writer
	for _, list := range [...][]batch{p.announced, p.withdrawn} {
		for _, batch := range list {
			c := &changes[batch.first]
			if c.Withdrawal() {
				group(w, c.Family, "", "")
			} else {
				group(w, c.Family, c.Attributes.NextHop(), c.Attributes.Octets())
				if p.Own {
					w.attributes = appendOwn(w.attributes[:0], c.Attributes.Octets(), s)
				}
				if !s.FourOctetAS {
					w.attributes = narrow(w.attributes)
				}
			}
			for i := batch.first; i >= 0; i = p.next[i] {
				if !put(w, changes[i].NLRI) {
					unsent = append(unsent, changes[i])
				}
			}
		}
	}
	return unsent
}

// narrow is path attributes for a speaker that knows AS numbers of two octets only.
func narrow(attributes []byte) []byte {
	list, _, _ := splitAttributes(nil, attributes, 0, len(attributes))
	var b, wide []byte
	for _, a := range list {
		v := attributes[a.value:a.end]
		switch {
		case a.typ == attrASPath:
			path, lossy := appendNarrowPath(nil, v)
			b = appendAttribute(b, a.flags, a.typ, path)
			if lossy {
				wide = appendAttribute(wide, optionalTransitive, attrAS4Path, withoutConfederation(v))
			}
		case a.typ == attrAggregator && len(v) == 8:
			as := binary.BigEndian.Uint32(v)
			if as > 0xffff {
				wide = appendAttribute(wide, optionalTransitive, attrAS4Aggregator, v)
				as = asTrans
			}
			b = appendAttribute(b, a.flags, a.typ, append([]byte{byte(as >> 8), byte(as)}, v[4:]...))
		default:
			b = append(b, attributes[a.start:a.end]...)
		}
	}
	return append(b, wide...)
}
