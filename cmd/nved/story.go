package main

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/tns-project/tns/cmd/internal/supervisor"
	"github.com/tns-project/tns/lifecycle/history"
)

// How much of the past is kept for people.
const (
	eventsInAll = 65536
	eventsPerVM = 256
)

// eventsTogether are packed in one, so that no large piece of memory is needed where they are kept.
const eventsTogether = 256

// eventsHandedOn is how much of the past an engine gets from the one before: an engine that was killed is when people ask what happened.
const eventsHandedOn = 4096

// story is the log of events, with what the engines before this one have seen.
func story(parent *supervisor.Parent) *history.Log {
	log := history.New(eventsInAll, eventsPerVM)
	for _, kept := range parent.Kept() {
		var packed []byte
		if json.Unmarshal(kept, &packed) != nil {
			continue // a version before this one may have told otherwise
		}
		events, err := history.Unpack(packed)
		if err != nil {
			continue
		}
		for _, e := range events {
			log.Append(e)
		}
	}
	return log
}

// Events gather for handOnTime, in which what caused them goes on its way; after many were handed on, for handOnShare times as long as that took, so that a flood costs a share of the time
// only, but not for longer than handOnMost: so much of a flood an engine that is killed in it may not have told.
const (
	handOnTime  = 20 * time.Millisecond
	handOnShare = 49
	handOnMost  = time.Second
)

// handOn gives the events to the supervisor until ctx ends: together what has gathered, at the end, too. Of too many the newest are handed on.
func handOn(ctx context.Context, events *history.Reader, parent interface {
	Keep(all ...supervisor.Keeping) error
}) error {
	hand := func() (time.Duration, error) {
		began := time.Now()
		var batch []supervisor.Keeping
		for some := range slices.Chunk(events.Newest(eventsHandedOn), eventsTogether) {
			batch = append(batch, supervisor.Keeping{Count: len(some), Value: history.Pack(some)})
		}
		if len(batch) == 0 {
			return 0, nil
		}
		err := parent.Keep(batch...)
		return min(handOnShare*time.Since(began), handOnMost), err
	}
	for next := time.Now(); ; {
		select {
		case <-ctx.Done():
			_, _ = hand() // a supervisor that is gone need not know
			return nil
		case <-events.Ready():
		}
		select {
		case <-ctx.Done():
		case <-time.After(max(handOnTime, time.Until(next))):
		}
		pause, err := hand()
		if err != nil {
			<-ctx.Done() // the supervisor is gone, so this process ends
			return nil
		}
		next = time.Now().Add(pause)
	}
}
