package tag

import "time"

// Patience is how long the old VID works while not all TESs have answered (SPEC §3, NVE local change).
const Patience = 30 * time.Second

// Tag is what a VN is known by on a segment. It is comparable.
type Tag struct {
	VID    uint16    // what VMs are told
	Old    uint16    // what is taken from the segment as well: during a change, and behind it for VMs that could not apply it; 0: nothing
	Sent   uint16    // what frames to the segment bear: VID or Old
	Until  time.Time // when the change that goes on ends whoever has answered; zero: none goes on
	Second bool      // it is in its second round
	Next   uint16    // what to change to when this change is over; 0: nothing
}

// Tally is how far the VMs of a VN on a segment are with its Tag.
type Tally struct {
	Applied int // told VID, and their TES applied it or they never had another
	Failed  int // their TES could not apply it
	Waiting int // their TES has not answered
	Old     int // told Old: they appeared while the change went on
}

// Changing reports whether a change goes on.
func (t Tag) Changing() bool { return !t.Until.IsZero() }

// Tell is what a VM that appears is told.
func (t Tag) Tell() uint16 {
	if t.Changing() && !t.Second {
		return t.Sent
	}
	return t.VID
}

// Also is the VID that is taken and not sent; 0: none.
func (t Tag) Also() uint16 {
	if t.Sent == t.Old {
		return t.VID
	}
	return t.Old
}

// uses reports whether the VID is taken, sent or to be.
func (t Tag) uses(vid uint16) bool {
	return vid != 0 && (t.VID == vid || t.Old == vid || t.Next == vid)
}

// begin starts a change to another VID. The VID that is sent now stays in force; one that is only taken does not, but where the change is back to what is sent.
func (t Tag) begin(vid uint16, now time.Time) Tag {
	next := Tag{VID: vid, Old: t.Sent, Sent: t.Sent, Until: now.Add(Patience)}
	if vid == t.Sent {
		next.Old = t.VID
	}
	return next
}

// step is the Tag after a look at the VMs.
func (t Tag) step(now time.Time, y Tally) Tag {
	if t.Changing() {
		if y.Waiting > 0 && now.Before(t.Until) {
			return t
		}
		if y.Old > 0 && !t.Second {
			t.Second, t.Until = true, now.Add(Patience)
			return t
		}
		t.Until, t.Second = time.Time{}, false
	}
	switch {
	case t.Next != 0:
		next := t.Next
		if t.Next = 0; next != t.VID {
			if y.Applied > 0 || y.Failed == 0 {
				t.Sent = t.VID
			}
			return t.begin(next, now)
		}
	case t.Old == 0:
		return t
	}
	if y.Failed == 0 {
		t.Old, t.Sent = 0, t.VID
	} else if y.Applied > 0 {
		t.Sent = t.VID
	}
	return t
}
