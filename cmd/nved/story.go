package main

import (
	"context"
	"encoding/json"

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

// handOn gives each event to the supervisor until ctx ends.
func handOn(ctx context.Context, events <-chan history.Event, parent *supervisor.Parent) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-events:
			if !ok {
				<-ctx.Done()
				return nil
			}
			if err := parent.Keep(e); err != nil {
				<-ctx.Done() // the supervisor is gone, so this process ends
				return nil
			}
		}
	}
}
