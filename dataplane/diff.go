package dataplane

import "slices"

// Diff returns what to set and what to delete so that a kernel that has have holds want, both sorted by key. A wanted entry that is
// the same as none (a closed port) is never set over nothing, but set where the kernel has something else.
func Diff(want map[Key]Entry, have []Entry) (set []Entry, del []Key) {
	held := make(map[Key]Entry, len(have))
	for _, e := range have {
		held[e.Key] = e
		if _, wanted := want[e.Key]; !wanted {
			del = append(del, e.Key)
		}
	}
	for k, e := range want {
		if h, ok := held[k]; ok && h.Equal(e) || !ok && e.Absent() {
			continue
		}
		set = append(set, e)
	}
	slices.SortFunc(set, func(a, b Entry) int { return a.Compare(b.Key) })
	slices.SortFunc(del, Key.Compare)
	return set, slices.Compact(del)
}
