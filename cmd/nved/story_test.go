package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tns-project/tns/cmd/internal/supervisor"
	"github.com/tns-project/tns/lifecycle/history"
)

// keeper notes what it is given to keep, and when.
type keeper struct {
	began time.Time
	given []string
	gone  bool
}

func (k *keeper) Keep(all ...supervisor.Keeping) error {
	if k.gone {
		return errors.New("gone")
	}
	var events []history.Event
	for _, some := range all {
		unpacked, err := history.Unpack(some.Value.([]byte))
		if err != nil || len(unpacked) != some.Count {
			return fmt.Errorf("%d events that count as %d: %w", len(unpacked), some.Count, err)
		}
		events = append(events, unpacked...)
	}
	k.given = append(k.given, fmt.Sprintf("%d from %v after %v", len(events), events[0].Detail, time.Since(k.began)))
	return nil
}

// handsOn hands on to k what is appended to events, from a second ago on; stop ends that.
func handsOn(t *testing.T) (events *history.Log, k *keeper, stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	events, k, done := history.New(eventsInAll, eventsPerVM), &keeper{}, make(chan struct{})
	reader := events.NewReader()
	go func() {
		defer close(done)
		if err := handOn(ctx, reader, k); err != nil {
			t.Error(err)
		}
	}()
	time.Sleep(time.Second)
	synctest.Wait()
	k.began = time.Now()
	return events, k, func() {
		cancel()
		<-done
	}
}

// What comes within a while is handed on together, after it, and of too much the newest.
func TestEventsAreHandedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events, k, stop := handsOn(t)
		send := func(name string, n int) {
			for i := range n {
				events.Append(history.Event{Detail: fmt.Sprint(name, i)})
				if i == 0 {
					synctest.Wait() // the first comes alone
				}
			}
		}
		send("a", 1)
		send("b", 300)
		time.Sleep(time.Second)
		send("c", eventsHandedOn+12)
		time.Sleep(time.Second)
		synctest.Wait()
		k.gone = true
		send("d", 1)
		stop()
		want := []string{"301 from a0 after 20ms", "4096 from c12 after 1.02s"}
		if !slices.Equal(k.given, want) {
			t.Errorf("given %q, want %q", k.given, want)
		}
	})
}

// An engine that is replaced in the middle of a burst keeps nothing to itself.
func TestEventsThatGatherAreHandedOnAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events, k, stop := handsOn(t)
		for i := range 3 {
			synctest.Wait()
			events.Append(history.Event{Detail: fmt.Sprint("a", i)})
		}
		synctest.Wait()
		stop()
		if want := []string{"3 from a0 after 0s"}; !slices.Equal(k.given, want) {
			t.Errorf("given %q, want %q", k.given, want)
		}
	})
}
