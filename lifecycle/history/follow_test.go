package history_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/tns-project/tns/lifecycle/history"
)

func TestFollowSendsWhatHappensFromNowOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		l := history.New(8, 8)
		appendFor(l, "a", "a")
		events := l.Follow(ctx)
		appendFor(l, "a", "b", "")
		for _, want := range []uint64{3, 4, 5} {
			if got := (<-events).Number; got != want {
				t.Errorf("got event %d, want %d", got, want)
			}
		}
		synctest.Wait() // the follower waits for more
		appendFor(l, "c")
		if got := <-events; got.Number != 6 || got.VM != "c" {
			t.Errorf("got %+v, want event 6 of c", got)
		}
		stop()
		if e, open := <-events; open {
			t.Errorf("got %+v after the end", e)
		}
	})
}

func TestSlowFollowerLosesTheOldestAndAppendDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		l := history.New(3, 3)
		events := l.Follow(ctx)
		appendFor(l, "a")
		synctest.Wait() // the follower holds event 1 out
		for range 9 {
			appendFor(l, "a") // nobody reads
		}
		got := []uint64{(<-events).Number, (<-events).Number, (<-events).Number, (<-events).Number}
		if want := []uint64{1, 8, 9, 10}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v: the gap tells what was lost", got, want)
		}
	})
}

func TestFollowEndsWhileAReaderIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		l := history.New(3, 3)
		events := l.Follow(ctx)
		appendFor(l, "a", "a")
		synctest.Wait()
		stop()
		synctest.Wait() // the follower leaves although nobody reads; synctest fails on a goroutine that stays
		if _, open := <-events; open {
			t.Error("the channel is open after the end")
		}
		appendFor(l, "a")
	})
}

func TestAppendReadAndFollowTogether(t *testing.T) {
	const writers, each = 4, 500
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	l := history.New(64, 8)
	events := l.Follow(ctx)

	var all sync.WaitGroup
	for w := range writers {
		vm := string(rune('a' + w))
		all.Go(func() {
			for range each {
				appendFor(l, vm)
			}
		})
		all.Go(func() {
			for range each {
				if story := l.OfVM(vm); !slices.IsSortedFunc(story, byNumber) || len(story) > 8 {
					t.Errorf("story of %s: %v", vm, numbers(story))
				}
				if recent := l.Recent(64); !slices.IsSortedFunc(recent, byNumber) {
					t.Errorf("recent: %v", numbers(recent))
				}
			}
		})
	}
	last := uint64(0)
	for last < writers*each {
		e := <-events
		if e.Number <= last {
			t.Fatalf("event %d after %d", e.Number, last)
		}
		last = e.Number
	}
	all.Wait()
}

func byNumber(a, b history.Event) int { return int(a.Number) - int(b.Number) }
