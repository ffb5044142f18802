package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/tns-project/tns/cmd/internal/supervisor"
	"github.com/tns-project/tns/lifecycle/history"
)

// How much of the past is kept for people.
const (
	eventsInAll = 65536
	eventsPerVM = 256
)

// eventsHandedOn is how much of the past an engine gets from the one before: an engine that was killed is when people ask what happened.
const eventsHandedOn = 4096

// story is the log of events, with what the engines before this one have seen.
func story(parent *supervisor.Parent) *history.Log {
	log := history.New(eventsInAll, eventsPerVM)
	for _, kept := range parent.Kept() {
		var e history.Event
		if json.Unmarshal(kept, &e) == nil { // a version before this one may have told otherwise
			log.Append(e)
		}
	}
	return log
}

// handOnTime is how long events gather after the last were handed on, while many come.
const handOnTime = 20 * time.Millisecond

// handOn gives each event to the supervisor until ctx ends: at once what comes alone, and together what comes after it, at the end what has gathered.
func handOn(ctx context.Context, events <-chan history.Event, parent interface{ Keep(all ...any) error }) error {
	var batch []any
	gathered := time.NewTimer(0)
	defer gathered.Stop()
	due := false // nothing was handed on for handOnTime
	for {
		select {
		case <-ctx.Done():
			if len(batch) > 0 {
				_ = parent.Keep(batch...) // a supervisor that is gone need not know
			}
			return nil
		case <-gathered.C:
			due = true
		case e, ok := <-events:
			if !ok {
				<-ctx.Done()
				return nil
			}
			if len(batch) == eventsHandedOn {
				batch = batch[1:]
			}
			batch = append(batch, e)
		}
		if !due || len(batch) == 0 {
			continue
		}
		if err := parent.Keep(batch...); err != nil {
			<-ctx.Done() // the supervisor is gone, so this process ends
			return nil
		}
		clear(batch)
		batch, due = batch[:0], false
		gathered.Reset(handOnTime)
	}
}
