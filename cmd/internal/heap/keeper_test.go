package heap

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// watched is a process of which a test says what there is to gain.
type watched struct {
	*Keeper
	began time.Time

	mu   sync.Mutex // of what follows
	is   figures
	took time.Duration // giving back
	did  []string
	let  int // Before was heeded so often
}

// watch runs a keeper in a bubble of package synctest until the test ends.
func watch(t *testing.T) *watched {
	w := &watched{began: time.Now()}
	w.Keeper = &Keeper{wake: make(chan struct{}, 1), huge: true, read: func() figures {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.is
	}}
	w.free = func() {
		w.say("free")
		w.mu.Lock()
		took := w.took
		w.is.objects, w.is.free = w.is.live, 0
		w.mu.Unlock()
		time.Sleep(took)
	}
	w.advise = func(huge bool) error { w.say(fmt.Sprint("huge ", huge)); return nil }
	w.Before(func() { w.let++ })
	ctx, cancel := context.WithCancel(context.Background())
	go w.Run(ctx)
	t.Cleanup(cancel)
	return w
}

func (w *watched) say(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.did = append(w.did, fmt.Sprintf("%v: %s", time.Since(w.began), what))
}

// litter makes most of the heap garbage, and giving that back take so long.
func (w *watched) litter(took time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.is.live, w.is.objects, w.took = 10<<20, 30<<20, took
}

// allocate has the process ask for memory.
func (w *watched) allocate(octets uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.is.allocated += octets
}

// pass lets time pass and compares what was done meanwhile.
func (w *watched) pass(t *testing.T, d time.Duration, want ...string) {
	t.Helper()
	time.Sleep(d)
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Equal(w.did, want) {
		t.Errorf("after %v: %q, want %q", time.Since(w.began), w.did, want)
	}
	w.did = nil
}

func TestRestAfterTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t)
		w.litter(0)
		w.pass(t, Still-time.Millisecond)
		w.pass(t, 10*time.Second, "2s: free", "2s: huge false")
		if w.let != 1 {
			t.Errorf("others were asked %d times to let go of what they had, want 1", w.let)
		}
		w.pass(t, time.Hour)
	})
}

func TestNothingIsGivenBackBetweenEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t)
		w.pass(t, 10*time.Second, "2s: huge false")
		w.litter(0)
		for range 30 {
			w.Note(1)
			w.pass(t, 1900*time.Millisecond)
		}
		w.pass(t, 2*Still, "1m8s: free") // the last event was at 65.1 s
	})
}

func TestWhatNobodyNotesIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t)
		w.pass(t, 10*time.Second, "2s: huge false")
		w.litter(0)
		w.Note(1)
		w.pass(t, 500*time.Millisecond)
		for range 10 {
			w.allocate(2 * calm)
			w.pass(t, time.Second)
		}
		w.pass(t, 10*time.Second, "22s: free")
	})
}

func TestWhatNobodyNotesIsNotWaitedForForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t)
		w.pass(t, 10*time.Second, "2s: huge false")
		w.litter(0)
		w.Note(1)
		w.pass(t, 500*time.Millisecond)
		for range 16 {
			w.allocate(2 * calm)
			time.Sleep(time.Second)
		}
		w.litter(0) // and what it leaves behind goes, too
		w.pass(t, 10*time.Second, "22s: free", "28s: free")
		w.litter(0)
		w.pass(t, time.Hour)
	})
}

func TestAFloodHasHugePages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t)
		w.pass(t, 10*time.Second, "2s: huge false")
		w.Note(flood - 1)
		w.pass(t, time.Second)
		w.Note(1)
		w.pass(t, 0, "11s: huge true")
		w.Note(10 * flood)
		w.pass(t, 10*time.Second, "14s: huge false")
		w.Note(0)
		w.pass(t, 10*time.Second)
		w.Note(10 * flood)
		w.pass(t, 10*time.Second, "31s: huge true", "33s: huge false")
	})
}

func TestGivingBackHasAFiftiethOfTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t)
		w.litter(time.Second)
		w.pass(t, 10*time.Second, "2s: free", "3s: huge false")
		w.litter(0)
		w.Note(1)
		w.pass(t, 40*time.Second)
		w.pass(t, 10*time.Second, "53s: free")
	})
}

func TestWorth(t *testing.T) {
	const mega = 1 << 20
	for name, c := range map[string]struct {
		is      figures
		flooded bool
		want    bool
	}{
		"most is garbage":                       {figures{live: 10 * mega, objects: 30 * mega}, false, true},
		"most is free":                          {figures{live: 10 * mega, objects: 10 * mega, free: 20 * mega}, false, true},
		"garbage and free pages together":       {figures{live: 10 * mega, objects: 12 * mega, free: 2 * mega}, false, true},
		"little, of a small heap":               {figures{live: 2 * mega, objects: 5 * mega}, false, false},
		"a small part of a large heap":          {figures{live: 100 * mega, objects: 120 * mega}, false, false},
		"less is in use than at the collection": {figures{live: 30 * mega, objects: 10 * mega}, false, false},
		"what was in use may be no more":        {figures{live: 30 * mega, objects: 30 * mega}, true, true},
		"a small heap after a flood":            {figures{live: 8 * mega, objects: 8 * mega}, true, false},
		"nothing":                               {figures{}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.is.worth(c.flooded); got != c.want {
				t.Errorf("%+v, flooded %v: %v, want %v", c.is, c.flooded, got, c.want)
			}
		})
	}
}
