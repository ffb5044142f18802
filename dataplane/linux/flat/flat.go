// Package flat is a hash table for small keys and values in one piece of memory: to find a key is one access to it.
//
// A map takes four, one after the other, and where the kernel has worked in between, none of them is in a cache any more. That is as long as a tenth of what the kernel takes for
// a forwarding entry.
package flat

import (
	"hash/maphash"
	"iter"
)

// Map holds a value for each key but the zero key, which it never has. The zero Map is empty. It is not safe for concurrent use.
//
// Keys are looked for from where their hash says, one place after the other, until there is a free one (linear probing); at most three quarters of all are taken. It grows, and never shrinks.
type Map[K comparable, V any] struct {
	slots []slot[K, V] // a power of two of them, or none
	used  int
	seed  maphash.Seed
}

// slot is free with the zero key.
type slot[K comparable, V any] struct {
	key   K
	value V
}

const least = 8 // slots

// Len is how many keys it has.
func (m *Map[K, V]) Len() int { return m.used }

// Get is the key's value, or the zero value.
func (m *Map[K, V]) Get(k K) (v V) {
	if s := m.find(k); s != nil {
		return s.value
	}
	return v
}

// Set gives a key a value.
func (m *Map[K, V]) Set(k K, v V) {
	var zero K
	if k == zero {
		panic("flat: the zero key")
	}
	if (m.used+1)*4 > len(m.slots)*3 {
		m.resize(max(2*len(m.slots), least))
	}
	s := m.place(k)
	if s.key == zero {
		s.key = k
		m.used++
	}
	s.value = v
}

// Delete takes a key away, if it is there. Those after it that would not be found any more move up.
func (m *Map[K, V]) Delete(k K) {
	var zero K
	if m.find(k) == nil {
		return
	}
	mask := uint64(len(m.slots) - 1)
	hole := m.index(k)
	for m.slots[hole].key != k {
		hole = (hole + 1) & mask
	}
	for i := (hole + 1) & mask; m.slots[i].key != zero; i = (i + 1) & mask {
		if home := m.index(m.slots[i].key); (i-home)&mask >= (i-hole)&mask {
			m.slots[hole] = m.slots[i]
			hole = i
		}
	}
	m.slots[hole] = slot[K, V]{}
	m.used--
}

// All goes through keys and values in no order. The Map must not change meanwhile.
func (m *Map[K, V]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		var zero K
		for i := range m.slots {
			if s := &m.slots[i]; s.key != zero && !yield(s.key, s.value) {
				return
			}
		}
	}
}

// index is where a key is looked for first.
func (m *Map[K, V]) index(k K) uint64 { return maphash.Comparable(m.seed, k) & uint64(len(m.slots)-1) }

// place is the key's slot, or the free one that it would get.
func (m *Map[K, V]) place(k K) *slot[K, V] {
	var zero K
	for i := m.index(k); ; i = (i + 1) & uint64(len(m.slots)-1) {
		if s := &m.slots[i]; s.key == k || s.key == zero {
			return s
		}
	}
}

// find is the key's slot, nil if it has none.
func (m *Map[K, V]) find(k K) *slot[K, V] {
	var zero K
	if m.used == 0 {
		return nil
	}
	if s := m.place(k); s.key != zero {
		return s
	}
	return nil
}

// resize gives it so many slots.
func (m *Map[K, V]) resize(slots int) {
	if m.slots == nil {
		m.seed = maphash.MakeSeed()
	}
	old := m.slots
	m.slots = make([]slot[K, V], slots)
	var zero K
	for i := range old {
		if old[i].key != zero {
			*m.place(old[i].key) = old[i]
		}
	}
}
