package tag

import (
	"testing"
	"time"
)

// one is a VN with VID 100 that changes to 200 at start.
func one(t *testing.T) (*Book, Tag) {
	t.Helper()
	b := New([]Segment{{Name: "eth1", VIDs: []Range{{100, 299}}}}, nil)
	take(t, b, 1, 100, 100)
	tag, err := b.Begin(key(1), 200, start)
	if err != nil {
		t.Fatal(err)
	}
	return b, tag
}

func is(t *testing.T, got, want Tag) {
	t.Helper()
	if got != want {
		t.Fatalf("got  %+v\nwant %+v", got, want)
	}
}

func TestOldAndNewWorkUntilAllHaveAnswered(t *testing.T) {
	b, tag := one(t)
	is(t, tag, Tag{VID: 200, Old: 100, Sent: 100, Until: start.Add(Patience)})
	if tag.Also() != 200 || tag.Tell() != 100 {
		t.Errorf("also %d, told %d", tag.Also(), tag.Tell())
	}
	if _, changed := b.Step(key(1), start.Add(Patience-1), Tally{Applied: 5, Waiting: 1}); changed {
		t.Fatal("over, though one has not answered")
	}
	tag, _ = b.Step(key(1), start.Add(time.Second), Tally{Applied: 6})
	is(t, tag, Tag{VID: 200, Sent: 200})
}

func TestSilenceIsWaitedForAsTheContractSays(t *testing.T) {
	b, _ := one(t)
	tag, _ := b.Step(key(1), start.Add(Patience), Tally{Waiting: 2})
	is(t, tag, Tag{VID: 200, Sent: 200})
}

func TestFailedKeepsTheOldOne(t *testing.T) {
	b, _ := one(t)
	tag, _ := b.Step(key(1), start, Tally{Failed: 1})
	is(t, tag, Tag{VID: 200, Old: 100, Sent: 100}) // nobody applied it
	if tag.Tell() != 200 {
		t.Errorf("a VM that appears is told %d", tag.Tell())
	}
	tag, _ = b.Step(key(1), start, Tally{Failed: 1, Applied: 1})
	is(t, tag, Tag{VID: 200, Old: 100, Sent: 200})
	tag, _ = b.Step(key(1), start, Tally{Applied: 2})
	is(t, tag, Tag{VID: 200, Sent: 200})
}

func TestFailedVMThatEndsLetsGo(t *testing.T) {
	b, _ := one(t)
	b.Step(key(1), start, Tally{Failed: 1})
	tag, _ := b.Step(key(1), start, Tally{})
	is(t, tag, Tag{VID: 200, Sent: 200})
}

func TestChangeBackAfterAllFailed(t *testing.T) {
	b, _ := one(t)
	b.Step(key(1), start, Tally{Failed: 1})
	tag, err := b.Begin(key(1), 100, start)
	if err != nil {
		t.Fatal(err)
	}
	is(t, tag, Tag{VID: 100, Old: 200, Sent: 100, Until: start.Add(Patience)})
	tag, _ = b.Step(key(1), start, Tally{Applied: 1})
	is(t, tag, Tag{VID: 100, Sent: 100})
}

func TestChangeDuringAChangeComesNext(t *testing.T) {
	b, _ := one(t)
	for _, vid := range []uint16{201, 202} {
		if _, err := b.Begin(key(1), vid, start); err != nil {
			t.Fatal(err)
		}
	}
	take(t, b, 2, 202, 101) // it is promised
	tag, _ := b.Step(key(1), start, Tally{Applied: 1})
	is(t, tag, Tag{VID: 202, Old: 200, Sent: 200, Until: start.Add(Patience)})
	tag, _ = b.Step(key(1), start, Tally{Applied: 1})
	is(t, tag, Tag{VID: 202, Sent: 202})

	b, _ = one(t)
	for _, vid := range []uint16{201, 200} { // back to what goes on
		if _, err := b.Begin(key(1), vid, start); err != nil {
			t.Fatal(err)
		}
	}
	tag, _ = b.Step(key(1), start, Tally{Applied: 1})
	is(t, tag, Tag{VID: 200, Sent: 200})
}

func TestVMsThatAppearHaveASecondRound(t *testing.T) {
	b, _ := one(t)
	later := start.Add(time.Second)
	tag, _ := b.Step(key(1), later, Tally{Applied: 1, Old: 1})
	is(t, tag, Tag{VID: 200, Old: 100, Sent: 100, Until: later.Add(Patience), Second: true})
	if tag.Tell() != 200 {
		t.Errorf("a VM that appears in the second round is told %d", tag.Tell())
	}
	tag, _ = b.Step(key(1), later, Tally{Applied: 2, Old: 1}) // cannot be, and ends all the same
	is(t, tag, Tag{VID: 200, Sent: 200})
}
