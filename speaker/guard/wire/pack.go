package wire

import "encoding/binary"

// Pack writes changes as UPDATEs, with as many NLRI in each as have equal attributes and as MaxLength allows. Of several changes of one route the last
// one counts. Announcements come before withdrawals, so that a route that another one takes the place of is not missing in between; else the order is
// that of each group's first change. It writes what is there, and waits for nothing. To a session without four-octet AS numbers AS_PATH and AGGREGATOR
// are written in two (RFC 6793 §4.2.2). A route that does not fit into a message by itself is left out and returned in unsent.
func Pack(changes []Change, s Session) (msgs [][]byte, unsent []Change) {
	if len(changes) == 1 { // the usual case
		return pack([]batch{{first: 0, last: 0}}, []int{-1}, changes, s)
	}
	batches, next := sort(changes)
	return pack(batches, next, changes, s)
}

// batch is the changes of one group, as a list through next.
type batch struct{ first, last int }

// groupOf is what the changes of one UPDATE have in common.
type groupOf struct {
	family     Family
	attributes Attributes
}

// sort sorts changes into batches, announcements first; next is the change that follows in its batch, or -1.
func sort(changes []Change) (batches []batch, next []int) {
	latest := make(map[string]int, len(changes))
	var scratch [64]byte
	for i := range changes {
		latest[string(appendRoute(scratch[:0], &changes[i]))] = i
	}
	next = make([]int, len(changes))
	index := make(map[groupOf]int)
	var withdrawn []batch
	for i := range changes {
		c := &changes[i]
		next[i] = -1
		if latest[string(appendRoute(scratch[:0], c))] != i {
			continue
		}
		list := &batches
		if c.Withdrawal() {
			list = &withdrawn
		}
		if at, ok := index[groupOf{c.Family, c.Attributes}]; ok {
			next[(*list)[at].last], (*list)[at].last = i, i
			continue
		}
		index[groupOf{c.Family, c.Attributes}] = len(*list)
		*list = append(*list, batch{i, i})
	}
	return append(batches, withdrawn...), next
}

// appendRoute appends family and key of the route: what two changes of one route have in common.
func appendRoute(b []byte, c *Change) []byte {
	b, n := splitKey(c.Family.append(b), c.Family, c.NLRI)
	return b[:3+n]
}

func pack(batches []batch, next []int, changes []Change, s Session) (msgs [][]byte, unsent []Change) {
	var w writer
	for _, batch := range batches {
		c := &changes[batch.first]
		if c.Withdrawal() {
			group(&w, c.Family, "", "")
		} else {
			group(&w, c.Family, c.Attributes.NextHop(), c.Attributes.Octets())
			if !s.FourOctetAS {
				w.attributes = narrow(w.attributes)
			}
		}
		for i := batch.first; i >= 0; i = next[i] {
			if !put(&w, changes[i].NLRI) {
				unsent = append(unsent, changes[i])
			}
		}
	}
	return w.messages(nil), unsent
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
