package nve

import "slices"

// ByStation is what a VM has of something, by (VN, MAC): a few, in their order.
type ByStation[V any] []AtStation[V]

// AtStation is one of them.
type AtStation[V any] struct {
	StationKey
	Value V
}

func (all ByStation[V]) find(k StationKey) (at int, found bool) {
	return slices.BinarySearchFunc(all, k, func(one AtStation[V], k StationKey) int { return compareStations(one.StationKey, k) })
}

// Get is what is there of a (VN, MAC).
func (all ByStation[V]) Get(k StationKey) (v V, ok bool) {
	if at, found := all.find(k); found {
		return all[at].Value, true
	}
	return v, false
}

// Put adds it, in the place of what was there.
func (all *ByStation[V]) Put(k StationKey, v V) {
	at, found := all.find(k)
	if found {
		(*all)[at].Value = v
		return
	}
	*all = slices.Insert(*all, at, AtStation[V]{k, v})
}

// Drop takes it away.
func (all *ByStation[V]) Drop(k StationKey) {
	if at, found := all.find(k); found {
		*all = slices.Delete(*all, at, at+1)
	}
}
