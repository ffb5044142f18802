package heap

import (
	"context"
	"runtime/debug"
	"sync/atomic"
	"time"
)

const (
	// Still is how long nothing has to happen until a process is at rest; it is seen within as much again. A flood that follows at once, as when what came
	// together goes together, finds the memory of the one before.
	Still = 2 * time.Second

	// flood is so many events without a rest between them.
	flood = 256

	// leisure is the part of the time that giving back may take: one of so many.
	leisure = 50

	// calm is what may be allocated, in octets, in the time of Still by a process at rest. What allocates more is work that nobody notes, such as what a flood
	// leaves to be done behind: it is waited for, but not longer than so many times of Still, and its garbage is looked at, too.
	calm     = leastGain
	patience = 5
)

// Keeper watches one process. Note is safe for concurrent use.
type Keeper struct {
	noted atomic.Int64  // events since the last rest
	wake  chan struct{} // capacity 1: work, or a flood, has begun

	before []func() // giving back
	read   func() figures
	free   func() // collects, and gives back all that is free
	advise func(huge bool) error
	huge   bool // the heap may be in huge pages
}

// NewKeeper is the keeper of this process, after PreferHuge.
func NewKeeper() *Keeper {
	return &Keeper{wake: make(chan struct{}, 1), read: read, free: debug.FreeOSMemory, advise: allow, huge: true}
}

// Before has a function called before anything is given back, which lets go of memory that is only kept to be used again. Run has not begun.
func (k *Keeper) Before(letGo func()) { k.before = append(k.before, letGo) }

// Note says that so many events have come. It does not wait.
func (k *Keeper) Note(events int) {
	if events <= 0 {
		return
	}
	n := k.noted.Add(int64(events))
	before := n - int64(events)
	if before == 0 || before < flood && n >= flood {
		select {
		case k.wake <- struct{}{}:
		default:
		}
	}
}

// Run gives back at rest, until ctx ends, which is no error. It begins as if there had been work: that of the start.
func (k *Keeper) Run(ctx context.Context) error {
	timer := time.NewTimer(Still)
	defer timer.Stop()
	var last int64        // what was noted when the timer was set
	var before uint64     // what was allocated then
	var allowed time.Time // to give back; not before
	waited := 0
	for working := true; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-k.wake:
			noted := k.noted.Load()
			k.toHuge(k.huge || noted >= flood)
			if !working {
				working, last, before = true, noted, k.read().allocated
				timer.Reset(Still)
			}
			continue
		case <-timer.C:
		}
		now, noted := k.read(), k.noted.Load()
		busy := now.allocated-before > calm
		switch {
		case noted != last:
			waited = 0
		case busy && waited < patience:
			waited++
		case now.worth(noted >= flood) && time.Now().Before(allowed):
			timer.Reset(max(time.Until(allowed), Still))
			continue
		default:
			if now.worth(noted >= flood) {
				began := time.Now()
				for _, letGo := range k.before {
					letGo()
				}
				k.free()
				allowed = time.Now().Add(leisure * time.Since(began))
			}
			k.toHuge(false) // else khugepaged takes again what was given
			working = !k.noted.CompareAndSwap(noted, 0) || busy
			noted, waited = k.noted.Load(), 0
		}
		last, before = noted, now.allocated
		if working {
			timer.Reset(Still)
		}
	}
}

func (k *Keeper) toHuge(huge bool) {
	if k.huge != huge {
		k.huge = huge
		_ = k.advise(huge) // a wish: without it there is more to give back later
	}
}
