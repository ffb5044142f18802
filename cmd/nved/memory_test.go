package main

import (
	"testing"

	"github.com/tns-project/tns/speaker"
)

func TestWhatTheEdgeTakesIsHeardOf(t *testing.T) {
	q := speaker.NewQueue()
	heardOf := 0
	in := heard{q, func(events int) { heardOf += events }}
	for range 3 {
		q.Put(speaker.Event{Kind: speaker.SessionUp})
	}
	events, open := in.Take(make([]speaker.Event, 5), 2)
	if len(events) != 7 || !open || heardOf != 2 {
		t.Errorf("%d events, open %v, heard of %d: want 7 with those before, true, 2", len(events), open, heardOf)
	}
	if events, _ = in.Take(nil, 9); len(events) != 1 || heardOf != 3 {
		t.Errorf("%d events, heard of %d: want 1, 3", len(events), heardOf)
	}
}
