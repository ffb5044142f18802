package history_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/tns-project/tns/lifecycle/history"
)

// numbers is what most tests look at.
func numbers(events []history.Event) []uint64 {
	ns := []uint64{}
	for _, e := range events {
		ns = append(ns, e.Number)
	}
	return ns
}

// appendFor appends one event per name; an empty name is an event about no VM.
func appendFor(l *history.Log, vms ...string) {
	for _, vm := range vms {
		l.Append(history.Event{VM: vm, Kind: history.KindState})
	}
}

func TestLogKeepsTheNewest(t *testing.T) {
	for _, test := range []struct {
		name         string
		total, perVM int
		append       []string
		recent       int
		want         []uint64
		ofA          []uint64
	}{
		{"nothing happened", 4, 2, nil, 10, []uint64{}, []uint64{}},
		{"fewer than asked for", 4, 2, []string{"a", "b"}, 10, []uint64{1, 2}, []uint64{1}},
		{"no more than asked for", 4, 2, []string{"a", "b", "a"}, 2, []uint64{2, 3}, []uint64{1, 3}},
		{"none asked for", 4, 2, []string{"a"}, 0, []uint64{}, []uint64{1}},
		{"fewer than none asked for", 4, 2, []string{"a"}, -1, []uint64{}, []uint64{1}},
		{"the log wraps", 3, 2, []string{"a", "b", "b", "b", "b"}, 10, []uint64{3, 4, 5}, []uint64{1}},
		{"a story wraps", 8, 2, []string{"a", "a", "b", "a"}, 10, []uint64{1, 2, 3, 4}, []uint64{2, 4}},
		{"events about no VM", 8, 2, []string{"", "a", ""}, 10, []uint64{1, 2, 3}, []uint64{2}},
		{"at least one is kept", 0, -1, []string{"a", "a"}, 10, []uint64{2}, []uint64{2}},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := history.New(test.total, test.perVM)
			appendFor(l, test.append...)
			if got := numbers(l.Recent(test.recent)); !slices.Equal(got, test.want) {
				t.Errorf("recent %d: got %v, want %v", test.recent, got, test.want)
			}
			if got := numbers(l.OfVM("a")); !slices.Equal(got, test.ofA) {
				t.Errorf("story of a: got %v, want %v", got, test.ofA)
			}
		})
	}
}

func TestLogForgetsTheVMThatWasQuietLongest(t *testing.T) {
	l := history.New(3, 4)
	appendFor(l, "a", "b", "c", "a", "d") // b has been quiet longest when d comes
	for vm, want := range map[string][]uint64{"a": {1, 4}, "b": {}, "c": {3}, "d": {5}} {
		if got := numbers(l.OfVM(vm)); !slices.Equal(got, want) {
			t.Errorf("story of %s: got %v, want %v", vm, got, want)
		}
	}
	appendFor(l, "b") // a new story, and c goes
	for vm, want := range map[string][]uint64{"a": {1, 4}, "b": {6}, "c": {}, "d": {5}} {
		if got := numbers(l.OfVM(vm)); !slices.Equal(got, want) {
			t.Errorf("after b came back, story of %s: got %v, want %v", vm, got, want)
		}
	}
}

func TestLogKeepsAllButTheNumber(t *testing.T) {
	l := history.New(2, 2)
	e := history.Event{Number: 99, Kind: history.KindFDB, VM: "a", TES: "t", Peer: "p", VN: "blue", VNI: 10100, MAC: "m", IP: "i", Op: "o",
		State: "s", Status: "st", Reason: "r", Sequence: 7, Detail: "d"}
	l.Append(e)
	e.Number = 1
	if got := l.OfVM("a"); len(got) != 1 || got[0] != e {
		t.Errorf("got %+v, want %+v", got, e)
	}
}

func TestWhatWasReadDoesNotChange(t *testing.T) {
	l := history.New(2, 2)
	appendFor(l, "a", "a")
	recent, story := l.Recent(2), l.OfVM("a")
	appendFor(l, "a", "a", "a")
	if got := numbers(recent); !slices.Equal(got, []uint64{1, 2}) {
		t.Errorf("recent became %v", got)
	}
	if got := numbers(story); !slices.Equal(got, []uint64{1, 2}) {
		t.Errorf("story became %v", got)
	}
}

func BenchmarkAppendWithAReaderThatIsAway(b *testing.B) {
	l := history.New(4096, 64)
	l.Follow(b.Context())
	b.ReportAllocs()
	for b.Loop() {
		l.Append(history.Event{VM: "a", Kind: history.KindState})
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, vms := range []int{1, 1000} {
		b.Run(fmt.Sprintf("vms=%d", vms), func(b *testing.B) {
			names := make([]string, vms)
			for i := range names {
				names[i] = fmt.Sprintf("vm-%d", i)
			}
			l := history.New(4096, 64)
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				l.Append(history.Event{VM: names[i%vms], Kind: history.KindState})
				i++
			}
		})
	}
}
