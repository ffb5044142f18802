package dataplane

import (
	"net/netip"
	"testing"
)

// TestDirtyTwice: a record that a pass has settled, and that is asked for again before the next write, is written once, and each change stands where its error will.
func TestDirtyTwice(t *testing.T) {
	table := newTable()
	here := func(n byte) *Entry {
		return &Entry{Key: Key{Kind: Unicast, VNI: 10100, MAC: MAC{2, 0, 0, 0, 0, n}}, VTEP: netip.MustParseAddr("192.0.2.2")}
	}
	rec, _ := table.set(here(1))
	gone := table.unset(&here(2).Key)
	table.done(rec)
	table.done(gone)
	table.set(here(3))
	table.unset(&here(1).Key)
	gone = table.unset(&here(2).Key)
	rec, _ = table.set(here(1))
	take := func() ([]Entry, []Key, []change) {
		w := new(work)
		table.takeDirty(w, table.dirty.len(), table.dirty.len())
		return w.set, w.del, w.changes
	}
	set, del, changes := take()
	if len(set) != 2 || len(del) != 1 || len(changes) != 3 {
		t.Fatalf("%d to set, %d to delete, %d changes; want 2, 1 and 3", len(set), len(del), len(changes))
	}
	for i, c := range changes {
		want := Key{}
		if i < len(set) {
			want = set[i].Key
		} else {
			want = del[i-len(set)]
		}
		if c.record == nil || c.key() != want || c.removed != (i >= len(set)) {
			t.Errorf("change %d is %+v, want one of %v", i, c, want)
		}
	}
	if set, del, changes := take(); len(set)+len(del)+len(changes) > 0 {
		t.Errorf("then %v, %v, %v", set, del, changes)
	}
	if rec.dirty || gone.dirty {
		t.Error("still dirty")
	}
}
