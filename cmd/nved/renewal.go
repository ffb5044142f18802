package main

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/tns-project/tns/lifecycle/nve"
	"github.com/tns-project/tns/speaker/guard"
)

// start is the beginning of an engine's work: until the edge has asked for everything that there is to be, the guard keeps what the engine before has told
// the peers.
type start struct {
	nve.Forwarder
	over chan struct{} // closed when it is over
	once sync.Once
}

func newStart(f nve.Forwarder) *start { return &start{Forwarder: f, over: make(chan struct{})} }

// Complete implements nve.Forwarder.
func (s *start) Complete() {
	s.Forwarder.Complete()
	s.once.Do(func() { close(s.over) })
}

// guardTime is how long an engine that starts waits for the guard's word.
const guardTime = time.Second

// standing reports whether the fabric has what an engine before this one has announced: a guard keeps it until the start is over.
func standing(fabric interface {
	Peers(context.Context) ([]guard.Status, guard.Totals, error)
}) bool {
	ctx, cancel := context.WithTimeout(context.Background(), guardTime)
	defer cancel()
	peers, _, err := fabric.Peers(ctx)
	return err == nil && slices.ContainsFunc(peers, func(p guard.Status) bool { return p.State == guard.Established && p.RoutesOut > 0 })
}

// retryTime is the pause before a guard that does not answer is asked again: it is being started.
const retryTime = 100 * time.Millisecond

// whole tells the guards, by each plane's speaker, when the start is over; any guard that comes later hears it from them. It ends with ctx.
func (s *start) whole(ctx context.Context, planes ...interface{ Whole() }) error {
	select {
	case <-s.over:
		for _, p := range planes {
			p.Whole()
		}
	case <-ctx.Done():
	}
	<-ctx.Done()
	return nil
}
