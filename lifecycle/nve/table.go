package nve

import (
	"encoding/binary"
	"hash/maphash"
	"iter"
	"slices"

	"github.com/tns-project/tns/evpn"
)

// table is things by their route, which they have themselves: it holds where each is, and a part of the hash. A map has each route once more, of 48 octets, and
// half of its room is empty. The zero value is empty.
type table[T routed] struct {
	hashes []uint32
	things []T // the zero value is a free place; a thing is in the first place from that of its hash on that was free
	used   int
}

// seed makes it unknown outside which routes have one place.
var seed = maphash.MakeSeed()

func hashOf(k *evpn.RouteKey) uint32 {
	var room [1 + len(k.RD) + 4 + len(k.MAC) + 16]byte
	ip := k.IP.As16()
	b := append(append(append(room[:0], byte(k.Type)), k.RD[:]...), k.MAC[:]...)
	b = append(binary.BigEndian.AppendUint32(b, uint32(k.Tag)), ip[:]...)
	return uint32(maphash.Bytes(seed, b))
}

// find is where the route's thing is, or would be.
func (t *table[T]) find(k *evpn.RouteKey, hash uint32) (at int, found bool) {
	var free T
	mask := len(t.things) - 1
	for at = int(hash) & mask; ; at = (at + 1) & mask {
		switch one := t.things[at]; {
		case one == free:
			return at, false
		case t.hashes[at] == hash && one.nlri() == *k:
			return at, true
		}
	}
}

// get is the route's, nil if it has none.
func (t *table[T]) get(k evpn.RouteKey) (one T) {
	if t.used == 0 {
		return one
	}
	at, _ := t.find(&k, hashOf(&k))
	return t.things[at]
}

// put adds one, in the place of the one that its route has, if it has one.
func (t *table[T]) put(one T) {
	if t.used >= len(t.things)/4*3 {
		t.resize(max(8, 2*len(t.things)))
	}
	k := one.nlri()
	hash := hashOf(&k)
	at, found := t.find(&k, hash)
	if !found {
		t.used++
	}
	t.hashes[at], t.things[at] = hash, one
}

// drop takes away what the route has. Those behind it that are not in the place of their hash move up.
func (t *table[T]) drop(k evpn.RouteKey) {
	if t.used == 0 {
		return
	}
	hole, found := t.find(&k, hashOf(&k))
	if !found {
		return
	}
	var free T
	mask := len(t.things) - 1
	for at := (hole + 1) & mask; t.things[at] != free; at = (at + 1) & mask {
		if home := int(t.hashes[at]) & mask; (at-home)&mask >= (at-hole)&mask {
			t.hashes[hole], t.things[hole] = t.hashes[at], t.things[at]
			hole = at
		}
	}
	t.things[hole] = free
	if t.used--; t.used == 0 {
		*t = table[T]{}
	} else if len(t.things) > 64 && t.used < len(t.things)/8 {
		t.resize(len(t.things) / 2)
	}
}

func (t *table[T]) resize(size int) {
	var free T
	old := *t
	*t = table[T]{hashes: make([]uint32, size), things: make([]T, size), used: old.used}
	for i, one := range old.things {
		if one == free {
			continue
		}
		at := int(old.hashes[i]) & (size - 1)
		for t.things[at] != free {
			at = (at + 1) & (size - 1)
		}
		t.hashes[at], t.things[at] = old.hashes[i], one
	}
}

func (t *table[T]) len() int { return t.used }

// all is what is in the table, in no order. Nothing is put or dropped meanwhile.
func (t *table[T]) all() iter.Seq[T] {
	var free T
	return func(yield func(T) bool) {
		for _, one := range t.things {
			if one != free && !yield(one) {
				return
			}
		}
	}
}

// routes is the routes of all, in their order.
func (t *table[T]) routes() []evpn.RouteKey {
	keys := make([]evpn.RouteKey, 0, t.used)
	for one := range t.all() {
		keys = append(keys, one.nlri())
	}
	slices.SortFunc(keys, compareRoutes)
	return keys
}
