package nve

import (
	"container/heap"
	"time"
)

// timers is every deadline of the loop, earliest first, those of one moment in the order in which they were made. Expiry is a call in the loop.
type timers struct {
	heap timerHeap
	made uint64
}

// timer is one deadline; stop makes it not happen.
type timer struct {
	at     time.Time
	number uint64
	do     func()
	index  int // in the heap; -1 when not in it
}

// after arranges for do to be called once d has passed.
func (ts *timers) after(now time.Time, d time.Duration, do func()) *timer {
	return ts.at(now.Add(d), do)
}

// at arranges for do to be called then.
func (ts *timers) at(then time.Time, do func()) *timer {
	ts.made++
	t := &timer{at: then, number: ts.made, do: do}
	heap.Push(&ts.heap, t)
	return t
}

// stop takes t out; a nil or expired timer is fine.
func (ts *timers) stop(t *timer) {
	if t != nil && t.index >= 0 {
		heap.Remove(&ts.heap, t.index)
	}
}

// expire calls what is due. What that makes due at once waits for the next call.
func (ts *timers) expire(now time.Time) {
	made := ts.made
	for len(ts.heap) > 0 && !ts.heap[0].at.After(now) && ts.heap[0].number <= made {
		heap.Pop(&ts.heap).(*timer).do()
	}
}

// wait is how long nothing is due, at most an hour.
func (ts *timers) wait(now time.Time) time.Duration {
	if len(ts.heap) == 0 {
		return time.Hour
	}
	return max(0, min(time.Hour, ts.heap[0].at.Sub(now)))
}

type timerHeap []*timer

func (h timerHeap) Len() int { return len(h) }

func (h timerHeap) Less(i, j int) bool {
	if h[i].at.Equal(h[j].at) {
		return h[i].number < h[j].number
	}
	return h[i].at.Before(h[j].at)
}

func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *timerHeap) Push(x any) {
	t := x.(*timer)
	t.index = len(*h)
	*h = append(*h, t)
}

func (h *timerHeap) Pop() any {
	old := *h
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	t.index = -1
	return t
}
