package main

import (
	"context"
	"testing"
	"testing/synctest"
)

// completing counts how often it is told that everything was announced.
type completing struct{ said *int }

func (c completing) Whole() { *c.said++ }

// The planes are told when the start is over, not before, and the part goes on until the daemon ends.
func TestPlanesAreToldWhenTheStartIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s, said := newStart(nil), 0
		ended := make(chan error, 1)
		go func() { ended <- s.whole(ctx, completing{&said}, completing{&said}) }()
		synctest.Wait()
		if said != 0 {
			t.Errorf("%d planes are told before the start is over", said)
		}
		close(s.over)
		synctest.Wait()
		if said != 2 {
			t.Errorf("%d planes are told, want 2", said)
		}
		select {
		case err := <-ended:
			t.Fatalf("it has ended by itself: %v", err)
		default:
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
