package nve

import (
	"context"
	"fmt"
	"time"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/speaker"
)

// Inputs is where the edge hears from.
type Inputs struct {
	TES     speaker.Inbox
	Fabric  speaker.Inbox
	Results Results
}

// Results is what became of what was asked of the forwarding table (dataplane.Answers).
type Results interface {
	Ready() <-chan struct{}
	Take(into []dataplane.Result, most int) (results []dataplane.Result, open bool)
}

// step is how much of one input the loop takes before it looks at the others.
const step = 256

// Run is the loop. It ends with ctx or when an input ends; what is announced and forwarded stays.
//
// Its time is when what it reads came in, not when it is read: while much waits, a deadline comes when all is done that came in before it, however long that takes.
func (e *Edge) Run(ctx context.Context, in Inputs) error {
	alarm := time.NewTimer(time.Hour)
	defer alarm.Stop()
	r := reading{tes: inlet{Inbox: in.TES, who: "the TES plane's speaker"}, fabric: inlet{Inbox: in.Fabric, who: "the fabric's speaker"}, results: in.Results}
	e.turn(time.Now(), e.start)
	for {
		alarm.Reset(e.timers.wait(time.Now()))
		select {
		case <-ctx.Done():
			return nil
		case <-in.TES.Ready():
		case <-in.Fabric.Ready():
		case <-in.Results.Ready():
		case <-e.mail.signal:
		case <-alarm.C:
		}
		for more := true; more; {
			if ctx.Err() != nil {
				return nil
			}
			var err error
			if more, err = e.read(&r); err != nil {
				return err
			}
		}
		if wait := r.pace.pause(time.Now()); wait > 0 {
			alarm.Reset(wait)
			select {
			case <-ctx.Done():
				return nil
			case <-alarm.C:
			}
		}
	}
}

// While much comes, though never much at once, it gathers: a wake-up costs more than what it is for.
const (
	gatherTime = 5 * time.Millisecond
	floodTime  = 100 * time.Millisecond
	floodSize  = 100 // so much in floodTime is a flood; a VM that comes, goes or moves brings some ten
)

// pace is how much has come lately.
type pace struct {
	since time.Time // when the count began
	count int
	flood bool // there was a flood in the floodTime before
}

// pause is how long the loop lets things gather before it looks again.
func (p *pace) pause(now time.Time) time.Duration {
	if age := now.Sub(p.since); age >= floodTime {
		p.flood = p.count >= floodSize && age < 2*floodTime
		p.since, p.count = now, 0
	}
	if p.flood {
		return gatherTime
	}
	return 0
}

// reading is what was taken from the inputs.
type reading struct {
	tes, fabric inlet
	results     Results
	answers     []dataplane.Result
	pace        pace
}

// plane is what a speaker has said, as far as it was taken and not looked at yet.
type inlet struct {
	speaker.Inbox
	who   string
	taken []speaker.Event
	room  []speaker.Event // of the last taken
}

// first is the oldest event that waits, nil if there is none.
func (in *inlet) first() (*speaker.Event, error) {
	if len(in.taken) > 0 {
		return &in.taken[0], nil
	}
	clear(in.room)
	var open bool
	in.room, open = in.Take(in.room[:0], step)
	if in.taken = in.room; len(in.taken) > 0 {
		return &in.taken[0], nil
	}
	if !open {
		return nil, fmt.Errorf("%s ended", in.who)
	}
	return nil, nil
}

// read does a step: of each input what waits, but not more than so much, what came first first. With nothing left, more is false, and it is now.
func (e *Edge) read(r *reading) (more bool, err error) {
	e.Forwarder.Hold()
	defer e.Forwarder.Release()
	var open bool
	if r.answers, open = r.results.Take(r.answers[:0], step); !open && len(r.answers) == 0 {
		return false, fmt.Errorf("the forwarding table ended")
	}
	r.pace.count += len(r.answers)
	for range step {
		now := time.Now() // before it is looked what waits
		tes, err := r.tes.first()
		if err != nil {
			return false, err
		}
		fabric, err := r.fabric.first()
		if err != nil {
			return false, err
		}
		switch {
		case tes == nil && fabric == nil:
			e.answered(r, now)
			return len(r.answers) == step, nil
		case fabric == nil || tes != nil && !fabric.Since.Before(tes.Since):
			r.pace.count++
			r.tes.taken = r.tes.taken[1:]
			e.turn(tes.Since, func() { e.handleTES(*tes) })
		default:
			r.pace.count++
			r.fabric.taken = r.fabric.taken[1:]
			e.turn(fabric.Since, func() { e.handleFabric(*fabric) })
		}
	}
	e.answered(r, e.now)
	return true, nil
}

// answered takes the forwarding table's answers.
func (e *Edge) answered(r *reading, now time.Time) {
	e.turn(now, func() {
		for _, a := range r.answers {
			e.handleResult(a)
			e.drain()
		}
	})
}

// turn is one turn of the loop: the timers that are due, the input, and what either left to do. Time does not go back.
func (e *Edge) turn(now time.Time, input func()) {
	if now.After(e.now) {
		e.now = now
	}
	e.timers.expire(e.now)
	e.drain()
	input()
	e.drain()
}
