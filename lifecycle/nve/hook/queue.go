package hook

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
)

// queue is a hook's notices, in the order in which they happened.
type queue struct {
	hook  Hook
	spool Spool
	log   *logrus.Entry

	mu     sync.Mutex
	all    []*delivery
	number uint64
	stats  Stats
	wake   chan struct{} // of one: look again
}

// delivery is a notice on its way to a hook.
type delivery struct {
	number   uint64
	vm       string
	event    string
	id       string
	body     []byte
	attempts int
	due      time.Time // not before
	flying   bool
}

func newQueue(h Hook, s Spool, log *logrus.Entry) *queue {
	return &queue{hook: h, spool: s, log: log, wake: make(chan struct{}, 1)}
}

// recall takes what waited before a restart. Its attempts are forgotten.
func (q *queue) recall(kept map[uint64][]byte) {
	for _, number := range slices.Sorted(maps.Keys(kept)) {
		var b body
		if json.Unmarshal(kept[number], &b) != nil || b.VM == "" {
			q.spool.DropNotice(q.hook.Name, number) // of a version that told otherwise
			continue
		}
		q.number = number
		q.all = append(q.all, &delivery{number: number, vm: b.VM, event: b.Event, id: b.ID, body: kept[number]})
	}
	q.shrink()
}

// add queues a notice.
func (q *queue) add(b body, text []byte) {
	q.mu.Lock()
	q.number++
	q.all = append(q.all, &delivery{number: q.number, vm: b.VM, event: b.Event, id: b.ID, body: text})
	if q.spool != nil {
		q.spool.PutNotice(q.hook.Name, q.number, text)
	}
	q.shrink()
	q.mu.Unlock()
	q.signal()
}

// shrink pushes out the oldest that wait, until no more wait than may. What is under way is not counted.
func (q *queue) shrink() {
	waiting := 0
	for _, d := range q.all {
		if !d.flying {
			waiting++
		}
	}
	for i := 0; waiting > q.hook.Queue; {
		if q.all[i].flying {
			i++
			continue
		}
		if q.stats.Dropped == 0 {
			q.log.WithField("queue", q.hook.Queue).Warn("the hook's queue is full: the oldest notices are lost")
		}
		q.stats.Dropped++
		q.remove(q.all[i])
		waiting--
	}
}

// remove takes a notice out.
func (q *queue) remove(d *delivery) {
	q.all = slices.DeleteFunc(q.all, func(other *delivery) bool { return other == d })
	if q.spool != nil {
		q.spool.DropNotice(q.hook.Name, d.number)
	}
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// run sends until ctx ends; what is under way then is waited for.
func (q *queue) run(ctx context.Context) {
	var flying sync.WaitGroup
	defer flying.Wait()
	alarm := time.NewTimer(time.Hour)
	defer alarm.Stop()
	for {
		ready, wait := q.ready(time.Now())
		for _, d := range ready {
			flying.Go(func() {
				q.sent(ctx, d, q.hook.send(ctx, d), time.Now())
				q.signal()
			})
		}
		alarm.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-q.wake:
		case <-alarm.C:
		}
	}
}

// ready is what is to be sent now, marked so: of each VM the oldest, when nothing of it is under way. Wait is when to look again at the latest.
func (q *queue) ready(now time.Time) (ready []*delivery, wait time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	flying := 0
	busy := map[string]bool{} // VMs whose turn it is not
	for _, d := range q.all {
		if d.flying {
			flying++
			busy[d.vm] = true
		}
	}
	wait = time.Hour
	for _, d := range q.all {
		if d.flying || busy[d.vm] {
			continue
		}
		busy[d.vm] = true
		switch left := d.due.Sub(now); {
		case left > 0:
			wait = min(wait, left)
		case flying < parallel:
			flying++
			d.flying = true
			ready = append(ready, d)
		}
	}
	return ready, wait
}

// sent takes the outcome of an attempt.
func (q *queue) sent(ctx context.Context, d *delivery, err error, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	d.flying = false
	if !slices.Contains(q.all, d) {
		return
	}
	d.attempts++
	fields := logrus.Fields{"event": d.event, "id": d.id, "vm": d.vm}
	switch {
	case err == nil:
		q.stats.Sent++
		q.remove(d)
	case ctx.Err() != nil: // the next start tries again
	case d.attempts > q.hook.Retries:
		q.stats.Failed++
		q.log.WithFields(fields).WithError(err).WithField("attempts", d.attempts).Error("the hook was not told: given up")
		q.remove(d)
	default:
		q.stats.Retried++
		d.due = now.Add(q.hook.pause(d.attempts))
		if d.attempts == 1 {
			q.log.WithFields(fields).WithError(err).Warn("the hook was not told: it is tried again")
		}
		q.shrink()
	}
}

// pause is how long to wait after an attempt, the first being 1.
func (h *Hook) pause(attempts int) time.Duration {
	most := max(maxBackoff, h.Backoff)
	p := h.Backoff
	for range attempts - 1 {
		if p = 2 * p; p >= most {
			return most
		}
	}
	return p
}

func (q *queue) figures() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.stats
	s.Waiting = len(q.all)
	return s
}
