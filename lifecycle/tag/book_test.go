package tag

import (
	"errors"
	"testing"
	"time"
)

var start = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

func key(vni uint32) Key { return Key{"eth1", vni} }

func take(t *testing.T, b *Book, vni uint32, proposal, want uint16) {
	t.Helper()
	told, err := b.Check(key(vni), proposal)
	got, err2 := b.Take(key(vni), proposal)
	if err != nil || err2 != nil || got.VID != want || told != want {
		t.Fatalf("VN %d with proposal %d: told %d, %v, has %+v, %v; want VID %d", vni, proposal, told, err, got, err2, want)
	}
}

func TestVIDsAreTheLowestThatNobodyHasOrHad(t *testing.T) {
	b := New([]Segment{{Name: "eth1"}}, nil)
	take(t, b, 1, 0, 2)
	take(t, b, 2, 0, 3)
	take(t, b, 2, 9, 3) // it is there already
	b.Free(key(1))
	take(t, b, 3, 0, 4)
	take(t, b, 1, 0, 2) // as before
}

func TestRestartKeepsVIDs(t *testing.T) {
	b := New([]Segment{{Name: "eth1"}}, nil)
	take(t, b, 1, 0, 2)
	take(t, b, 2, 0, 3)
	tags := map[Key]Tag{{"gone", 1}: {VID: 5, Sent: 5}, key(3): {VID: 4095}}
	for k, c := range b.Changes() {
		tags[k] = *c
	}
	next := New([]Segment{{Name: "eth1"}}, tags)
	for k, c := range next.Changes() {
		if c != nil || k != (Key{"gone", 1}) && k != key(3) {
			t.Errorf("%v changed to %v", k, c)
		}
	}
	take(t, next, 5, 0, 4)
	take(t, next, 2, 0, 3)
	if !next.Resume(key(1)) || next.Resume(key(7)) {
		t.Error("a remembered VN is not resumed, or one that is not")
	}
	take(t, next, 1, 77, 2)
}

func TestProposals(t *testing.T) {
	b := New([]Segment{{Name: "eth1", VIDs: []Range{{100, 199}}, Fixed: map[uint32]uint16{9: 150, 8: 7}}}, nil)
	take(t, b, 1, 120, 120)
	take(t, b, 2, 120, 100) // taken
	take(t, b, 3, 200, 101) // not allowed
	take(t, b, 4, 150, 102) // another VN's
	take(t, b, 9, 120, 150) // fixed
	take(t, b, 8, 0, 7)
	b.Free(key(1))
	take(t, b, 5, 120, 120) // only remembered
	if _, known := b.Get(key(1)); known {
		t.Error("the VID that another VN has now is still remembered")
	}
	if _, err := b.Take(key(6), 4095); !errors.Is(err, ErrInvalid) {
		t.Errorf("VID 4095: %v", err)
	}
}

func TestExhaustion(t *testing.T) {
	b := New([]Segment{{Name: "eth1", VIDs: []Range{{10, 10}, {20, 21}}}}, nil)
	take(t, b, 1, 0, 10)
	take(t, b, 2, 0, 20)
	take(t, b, 3, 0, 21)
	if _, err := b.Take(key(4), 0); !errors.Is(err, ErrExhausted) {
		t.Fatalf("a fourth VN: %v", err)
	}
	if _, err := b.Begin(key(3), 0, start); !errors.Is(err, ErrExhausted) {
		t.Fatalf("a change: %v", err)
	}
	b.Free(key(2))
	take(t, b, 4, 0, 20) // the remembered one
	b.Free(key(3))
	if _, err := b.Begin(key(1), 0, start); err != nil {
		t.Fatal(err)
	}
	if _, changed := b.Step(key(1), start, Tally{Failed: 1}); !changed {
		t.Fatal("the change is not over")
	}
	take(t, b, 2, 0, 10) // what is only kept for a VM that failed
	if got, _ := b.Get(key(1)); got != (Tag{VID: 21, Sent: 21}) {
		t.Errorf("VN 1 has %+v", got)
	}
}

func TestBeginRefuses(t *testing.T) {
	b := New([]Segment{{Name: "eth1", VIDs: []Range{{100, 199}}, Fixed: map[uint32]uint16{9: 150}}}, nil)
	take(t, b, 1, 0, 100)
	take(t, b, 2, 0, 101)
	take(t, b, 9, 0, 150)
	for _, c := range []struct {
		vni  uint32
		vid  uint16
		want error
	}{
		{1, 101, ErrTaken}, {1, 150, ErrForbidden}, {1, 200, ErrForbidden}, {1, 4095, ErrInvalid}, {3, 102, ErrUnknown}, {9, 102, ErrFixed}, {9, 0, ErrFixed},
	} {
		if _, err := b.Begin(key(c.vni), c.vid, start); !errors.Is(err, c.want) {
			t.Errorf("VN %d to %d: %v, want %v", c.vni, c.vid, err, c.want)
		}
	}
}

func TestMisplaced(t *testing.T) {
	before := map[Key]Tag{key(1): {VID: 50, Sent: 50}, key(2): {VID: 100, Sent: 100}, key(3): {VID: 101, Sent: 101}, key(4): {VID: 102, Sent: 102, Next: 0}}
	b := New([]Segment{{Name: "eth1", VIDs: []Range{{100, 199}}, Fixed: map[uint32]uint16{3: 150, 4: 102}}}, before)
	for vni, want := range map[uint32]struct {
		vid uint16
		yes bool
	}{1: {0, true}, 2: {0, false}, 3: {150, true}, 4: {102, false}} {
		b.Resume(key(vni))
		if vid, yes := b.Misplaced(key(vni)); vid != want.vid || yes != want.yes {
			t.Errorf("VN %d: %d, %v, want %v", vni, vid, yes, want)
		}
		if vid, yes := b.Misplaced(key(vni)); yes {
			if _, err := b.Begin(key(vni), vid, start); err != nil {
				t.Error(err)
			}
			if _, still := b.Misplaced(key(vni)); still {
				t.Errorf("VN %d is on its way and still misplaced", vni)
			}
		}
	}
}
