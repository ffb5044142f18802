package tag

import (
	"maps"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// world is a Book and what must hold of it.
type world struct {
	segments []Segment
	book     *Book
	disk     map[Key]Tag
	now      time.Time
}

func (w *world) save() {
	for k, t := range w.book.Changes() {
		if t == nil {
			delete(w.disk, k)
		} else {
			w.disk[k] = *t
		}
	}
}

// inForce is the VIDs that are taken.
func inForce(t Tag) map[uint16]bool {
	m := map[uint16]bool{t.Sent: true}
	if also := t.Also(); also != 0 {
		m[also] = true
	}
	return m
}

func (w *world) check(t *rapid.T, before map[Key]Tag) {
	owners := map[string]map[uint16]Key{}
	for _, k := range w.book.Held() {
		tag, _ := w.book.Get(k)
		if tag.VID < First || tag.VID > Last || tag.Sent != tag.VID && tag.Sent != tag.Old || tag.Old == tag.VID || tag.Sent == tag.Also() {
			t.Fatalf("%v has %+v", k, tag)
		}
		if owners[k.Segment] == nil {
			owners[k.Segment] = map[uint16]Key{}
		}
		for vid := range inForce(tag) {
			if other, taken := owners[k.Segment][vid]; taken {
				t.Fatalf("%v and %v both have VID %d", k, other, vid)
			}
			owners[k.Segment][vid] = k
		}
		if old, was := before[k]; was && !inForce(tag)[old.Sent] {
			t.Fatalf("%v had %+v and has %+v: what was sent is not taken any more", k, old, tag)
		}
	}
	if d := w.disk; !maps.Equal(d, w.book.tags) {
		t.Fatalf("on disk is %v, in the book %v", d, w.book.tags)
	}
}

func TestBookHoldsWhateverHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{now: start, disk: map[Key]Tag{}, segments: []Segment{
			{Name: "eth1", VIDs: []Range{{2, 6}}, Fixed: map[uint32]uint16{1: 9, 2: 4}},
			{Name: "eth2", VIDs: []Range{{4093, 4094}, {2, 3}}},
		}}
		w.book = New(w.segments, nil)
		vid := rapid.Uint16Range(0, 10)
		anyKey := rapid.Custom(func(t *rapid.T) Key {
			return Key{rapid.SampledFrom([]string{"eth1", "eth2"}).Draw(t, "segment"), rapid.Uint32Range(1, 6).Draw(t, "vni")}
		})
		tally := rapid.Custom(func(t *rapid.T) Tally {
			n := rapid.IntRange(0, 2)
			return Tally{n.Draw(t, "applied"), n.Draw(t, "failed"), n.Draw(t, "waiting"), n.Draw(t, "old")}
		})
		held := func() map[Key]Tag {
			m := map[Key]Tag{}
			for _, k := range w.book.Held() {
				m[k], _ = w.book.Get(k)
			}
			return m
		}
		for range 60 {
			before, k := held(), anyKey.Draw(t, "key")
			_, was := before[k]
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0, 1, 2:
				told, err := w.book.Check(k, 3)
				got, err2 := w.book.Take(k, 3)
				if (err == nil) != (err2 == nil) || err == nil && told != got.Tell() {
					t.Fatalf("check told %d, %v, and take %+v, %v", told, err, got, err2)
				}
				if was && got != before[k] {
					t.Fatalf("taking again changed %+v to %+v", before[k], got)
				}
			case 3:
				w.book.Free(k)
				delete(before, k)
			case 4, 5:
				w.book.Begin(k, vid.Draw(t, "vid"), w.now)
			case 6, 7:
				y := tally.Draw(t, "tally")
				got, _ := w.book.Step(k, w.now, y)
				switch {
				case !was:
				case got.Changing() && before[k] == got && (y.Waiting == 0 || !w.now.Before(got.Until)):
					t.Fatalf("%+v goes on at %v with %+v", got, w.now, y)
				case !got.Changing() && y.Failed > 0 && got.Old != before[k].Old:
					t.Fatalf("%+v became %+v, though a VM uses the old one", before[k], got)
				case !got.Changing() || got.VID != before[k].VID:
					delete(before, k) // the old one may be out of force
				}
			case 8:
				w.now = w.now.Add(rapid.SampledFrom([]time.Duration{time.Second, Patience}).Draw(t, "passes"))
			default: // a restart
				w.save()
				w.book = New(w.segments, w.disk)
				for k, tag := range before {
					if !w.book.Resume(k) {
						t.Fatalf("%v with %+v is not resumed", k, tag)
					}
					if now, _ := w.book.Get(k); now != tag {
						t.Fatalf("%v had %+v before the restart and has %+v", k, tag, now)
					}
				}
			}
			w.save()
			w.check(t, keptFor(before, w.book))
		}
		for range 4 { // every change ends
			w.now = w.now.Add(Patience)
			for _, k := range w.book.Held() {
				w.book.Step(k, w.now, Tally{})
			}
		}
		for k, tag := range held() {
			if tag.Old != 0 || tag.Next != 0 || tag.Changing() || tag.Sent != tag.VID {
				t.Fatalf("nobody waits, and %v has %+v", k, tag)
			}
		}
	})
}

// keptFor leaves out those whose old VID, which was kept and sent for VMs that failed, another VN may have taken.
func keptFor(before map[Key]Tag, b *Book) map[Key]Tag {
	m := map[Key]Tag{}
	for k, t := range before {
		now, _ := b.Get(k)
		if t.Changing() || t.Old == 0 || now.Old != 0 {
			m[k] = t
		}
	}
	return m
}
