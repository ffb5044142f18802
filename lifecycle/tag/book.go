package tag

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// The VIDs that there are, and the first that is given out where nothing is configured: 1 is what switches use for untagged frames.
const (
	First   = 1
	Last    = 4094
	Default = 2
)

// Why there is no VID. Exhausted is a lack of resources, Invalid a proposal that no segment could follow.
var (
	ErrExhausted = errors.New("no VID is left")
	ErrInvalid   = errors.New("there is no such VID")
	ErrTaken     = errors.New("the VID is taken")
	ErrForbidden = errors.New("the VID is not one of the segment's")
	ErrFixed     = errors.New("the VID is fixed by configuration")
	ErrUnknown   = errors.New("the VN is not on the segment")
)

// Range is VIDs from First to Last, both included.
type Range struct{ First, Last uint16 }

// Segment is what a VID is unique on.
type Segment struct {
	Name  string
	VIDs  []Range           // that are given out; empty: Default to Last
	Fixed map[uint32]uint16 // the VIDs of some VNs, by VNI; need not be among VIDs
}

// Key names a VN on a segment.
type Key struct {
	Segment string
	VNI     uint32
}

// Book is the Tags of all segments. It is not safe for concurrent use.
type Book struct {
	segments map[string]Segment
	tags     map[Key]Tag
	held     map[Key]struct{} // the others are remembered, in case the VN comes back
	changed  map[Key]struct{} // since Changes
}

// New makes a book of the segments, with the Tags of before, none of them held; those of segments that are gone are left out.
func New(segments []Segment, before map[Key]Tag) *Book {
	b := &Book{segments: map[string]Segment{}, tags: map[Key]Tag{}, held: map[Key]struct{}{}, changed: map[Key]struct{}{}}
	for _, s := range segments {
		if len(s.VIDs) == 0 {
			s.VIDs = []Range{{Default, Last}}
		}
		b.segments[s.Name] = s
	}
	for k, t := range before {
		if _, ok := b.segments[k.Segment]; ok && t.VID >= First && t.VID <= Last {
			b.tags[k] = t
		} else {
			b.changed[k] = struct{}{}
		}
	}
	return b
}

// Changes is the Tags that are to be written down since it was last called, nil for those to be forgotten.
func (b *Book) Changes() map[Key]*Tag {
	changes := make(map[Key]*Tag, len(b.changed))
	for k := range b.changed {
		changes[k] = nil
		if t, ok := b.tags[k]; ok {
			changes[k] = &t
		}
	}
	clear(b.changed)
	return changes
}

// Get is the Tag of a VN on a segment, held or remembered.
func (b *Book) Get(k Key) (t Tag, ok bool) {
	t, ok = b.tags[k]
	return t, ok
}

// IsHeld reports whether the VN is on the segment.
func (b *Book) IsHeld(k Key) bool {
	_, ok := b.held[k]
	return ok
}

// Held is the VNs that are on segments, sorted.
func (b *Book) Held() []Key { return slices.SortedFunc(maps.Keys(b.held), Key.Compare) }

// Compare orders keys by segment and VNI.
func (k Key) Compare(o Key) int {
	return cmp.Or(cmp.Compare(k.Segment, o.Segment), cmp.Compare(k.VNI, o.VNI))
}

// Check tells the VID that Take would have, or why it would fail. It changes nothing.
func (b *Book) Check(k Key, proposal uint16) (vid uint16, err error) {
	t, err := b.find(k, proposal)
	return t.Tell(), err
}

// Take has a VN be on a segment: with the VID that it has there already, the fixed one, the proposed one (0: none) if it is free and allowed, the one that it had there before,
// or the lowest that nobody has or had. When none is left, one that is only remembered is taken from the VN that had it, and then one that is only kept for VMs that could not apply a
// change.
func (b *Book) Take(k Key, proposal uint16) (Tag, error) {
	t, err := b.find(k, proposal)
	if err != nil {
		return Tag{}, fmt.Errorf("VN %d on %s: %w", k.VNI, k.Segment, err)
	}
	b.held[k] = struct{}{}
	b.put(k, t)
	return t, nil
}

// Resume has a VN be on a segment with the Tag that is remembered, in the middle of a change if that is how it is; ok is false where none is or another VN has the VID.
func (b *Book) Resume(k Key) (ok bool) {
	t, ok := b.tags[k]
	if !ok || b.IsHeld(k) {
		return ok
	}
	for _, vid := range []uint16{t.VID, t.Old, t.Next} {
		if _, taken := b.owner(k, vid); taken {
			return false
		}
	}
	b.held[k] = struct{}{}
	return true
}

// Free has a VN not be on a segment any more. Its VID is remembered.
func (b *Book) Free(k Key) {
	if b.IsHeld(k) {
		delete(b.held, k)
		vid := b.tags[k].VID
		b.put(k, Tag{VID: vid, Sent: vid})
	}
}

// Begin changes the VID of a VN on a segment; 0 is another one of the book's choice. While a change goes on, it is what comes next, instead of what was to.
func (b *Book) Begin(k Key, vid uint16, now time.Time) (Tag, error) {
	if !b.IsHeld(k) {
		return Tag{}, ErrUnknown
	}
	t, s := b.tags[k], b.segments[k.Segment]
	fixed := s.Fixed[k.VNI]
	switch {
	case fixed != 0 && vid != fixed:
		return Tag{}, fmt.Errorf("%w: %d", ErrFixed, fixed)
	case vid == 0:
		if vid = b.choose(s, k, t); vid == 0 {
			return Tag{}, ErrExhausted
		}
	case vid > Last:
		return Tag{}, fmt.Errorf("%w: %d, want %d to %d", ErrInvalid, vid, First, Last)
	case fixed == 0 && !s.allows(vid, k.VNI):
		return Tag{}, fmt.Errorf("%w: %d", ErrForbidden, vid)
	}
	if other, taken := b.owner(k, vid); taken {
		return Tag{}, fmt.Errorf("%w: %d is VN %d's", ErrTaken, vid, other.VNI)
	}
	switch {
	case t.Changing() && vid == t.VID:
		t.Next = 0
	case t.Changing():
		t.Next = vid
	case vid != t.VID:
		t = t.begin(vid, now)
	}
	b.put(k, t)
	return t, nil
}

// Misplaced reports whether a VN that is on a segment has a VID that the configuration does not want it to have, and is not on the way to another; vid is what Begin is to be asked
// for.
func (b *Book) Misplaced(k Key) (vid uint16, yes bool) {
	t, s := b.tags[k], b.segments[k.Segment]
	fixed := s.Fixed[k.VNI]
	end := t.VID
	if t.Next != 0 {
		end = t.Next
	}
	switch {
	case !b.IsHeld(k):
		return 0, false
	case fixed != 0:
		return fixed, end != fixed
	}
	return 0, !s.allows(end, k.VNI)
}

// Step looks how far the VMs are: what goes on may be over, and what was to come next may begin.
func (b *Book) Step(k Key, now time.Time, y Tally) (t Tag, changed bool) {
	before := b.tags[k]
	if !b.IsHeld(k) {
		return before, false
	}
	t = before.step(now, y)
	b.put(k, t)
	return t, t != before
}

// Told says that the VMs are told of the change that goes on only now: the time for their answers begins.
func (b *Book) Told(k Key, now time.Time) Tag {
	t := b.tags[k]
	if b.IsHeld(k) && t.Changing() {
		t.Until = now.Add(Patience)
		b.put(k, t)
	}
	return b.tags[k]
}

// put notes a Tag, and takes its VIDs from the VNs that only remember them, or only keep them.
func (b *Book) put(k Key, t Tag) {
	for other, o := range b.tags {
		if other.Segment != k.Segment || other == k {
			continue
		}
		for _, vid := range []uint16{t.VID, t.Old, t.Next} {
			switch {
			case !o.uses(vid):
			case !b.IsHeld(other):
				delete(b.tags, other)
				b.changed[other] = struct{}{}
			case o.Old == vid && b.IsHeld(k):
				o.Old, o.Sent = 0, o.VID
				b.tags[other] = o
				b.changed[other] = struct{}{}
			}
		}
	}
	if old, known := b.tags[k]; !known || old != t {
		b.tags[k] = t
		b.changed[k] = struct{}{}
	}
}

// allows reports whether a segment may give the VID to a VN for which none is fixed.
func (s *Segment) allows(vid uint16, vni uint32) bool {
	for other, fixed := range s.Fixed {
		if fixed == vid && other != vni {
			return false
		}
	}
	return slices.ContainsFunc(s.VIDs, func(r Range) bool { return r.First <= vid && vid <= r.Last })
}

// owner is another VN that is on the segment and uses the VID. One that only remembers it, or only keeps it for VMs that could not apply a change, does not count.
func (b *Book) owner(k Key, vid uint16) (Key, bool) {
	for other := range b.held {
		t := b.tags[other]
		if other.Segment == k.Segment && other != k && t.uses(vid) && (vid != t.Old || t.Changing()) {
			return other, true
		}
	}
	return Key{}, false
}

// find is the Tag that Take takes.
func (b *Book) find(k Key, proposal uint16) (Tag, error) {
	s, ok := b.segments[k.Segment]
	if !ok {
		return Tag{}, fmt.Errorf("%w: there is no segment %q", ErrUnknown, k.Segment)
	}
	if proposal > Last {
		return Tag{}, fmt.Errorf("%w: %d, want %d to %d", ErrInvalid, proposal, First, Last)
	}
	have, known := b.tags[k]
	if b.IsHeld(k) {
		return have, nil
	}
	free := func(vid uint16) bool { _, taken := b.owner(k, vid); return !taken }
	vid := s.Fixed[k.VNI]
	switch {
	case vid != 0 && !free(vid):
		return Tag{}, fmt.Errorf("%w: %d", ErrTaken, vid)
	case vid != 0:
	case proposal != 0 && s.allows(proposal, k.VNI) && free(proposal):
		vid = proposal
	case known && s.allows(have.VID, k.VNI) && free(have.VID):
		vid = have.VID
	default:
		if vid = b.choose(s, k, Tag{}); vid == 0 {
			return Tag{}, ErrExhausted
		}
	}
	return Tag{VID: vid, Sent: vid}, nil
}

// choose is the lowest VID of the segment that no VN has or had and t does not use; else the lowest that is only remembered, else the lowest that is only kept for VMs that could
// not apply a change; 0: none.
func (b *Book) choose(s Segment, k Key, t Tag) uint16 {
	const remembered, kept, used = 1, 2, 3
	var state [Last + 1]uint8
	for other, o := range b.tags {
		if other.Segment != k.Segment || other == k {
			continue
		}
		for _, vid := range []uint16{o.VID, o.Old, o.Next} {
			switch {
			case !b.IsHeld(other):
				state[vid] = max(state[vid], remembered)
			case vid == o.Old && !o.Changing():
				state[vid] = max(state[vid], kept)
			default:
				state[vid] = used
			}
		}
	}
	for want := range uint8(used) {
		for _, r := range s.VIDs {
			for vid := r.First; vid <= r.Last; vid++ {
				if state[vid] == want && !t.uses(vid) && s.allows(vid, k.VNI) {
					return vid
				}
			}
		}
	}
	return 0
}
