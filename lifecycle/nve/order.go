package nve

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/tns-project/tns/evpn"
)

// What goes out goes out in a fixed order, whatever the order of the maps it comes from.

func compareVMs(a, b evpn.VMID) int { return bytes.Compare(a[:], b[:]) }

func compareVMKeys(a, b VMKey) int {
	if c := bytes.Compare(a.VM[:], b.VM[:]); c != 0 {
		return c
	}
	return cmp.Compare(a.TES, b.TES)
}

func compareStations(a, b StationKey) int {
	return cmp.Or(cmp.Compare(a.VNI, b.VNI), bytes.Compare(a.MAC[:], b.MAC[:]))
}

func compareRoutes(a, b evpn.RouteKey) int {
	if c := bytes.Compare(a.RD[:], b.RD[:]); c != 0 {
		return c
	}
	if c := cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Tag, b.Tag)); c != 0 {
		return c
	}
	if c := bytes.Compare(a.MAC[:], b.MAC[:]); c != 0 {
		return c
	}
	return a.IP.Compare(b.IP)
}

// keysOf is a map's keys in the order of compare.
func keysOf[K comparable, V any](m map[K]V, compare func(a, b K) int) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	if len(keys) > 1 {
		slices.SortFunc(keys, compare)
	}
	return keys
}

// recordsOf is a set of records in the order of their keys.
func recordsOf(m map[*record]struct{}) []*record { return keysOf(m, compareRecords) }

func compareRecords(a, b *record) int { return compareVMKeys(a.key, b.key) }

// A set of a few is sorted, too: has, with and without are its verbs.

func has[T any](all []T, one T, compare func(a, b T) int) bool {
	_, found := slices.BinarySearchFunc(all, one, compare)
	return found
}

func with[T any](all []T, one T, compare func(a, b T) int) []T {
	at, found := slices.BinarySearchFunc(all, one, compare)
	if found {
		all[at] = one
		return all
	}
	return slices.Insert(all, at, one)
}

func without[T any](all []T, one T, compare func(a, b T) int) []T {
	if at, found := slices.BinarySearchFunc(all, one, compare); found {
		return slices.Delete(all, at, at+1)
	}
	return all
}
