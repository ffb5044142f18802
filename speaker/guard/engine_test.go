package guard_test

import (
	"context"
	"net"
	"sync"
	"testing"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker"
	"github.com/tns-project/tns/speaker/guarded"
	"github.com/tns-project/tns/speaker/internal/live"
)

// behind is an engine as the daemons have it (package guarded), with everything that its peers said.
type behind struct {
	*guarded.Speaker
	*live.Record
	stop context.CancelFunc
}

// back links an engine that announces routes, and says that these are all.
func (r *running) back(t testing.TB, routes ...evpn.Route) *behind {
	t.Helper()
	var links sync.WaitGroup
	e := dialling(t, func(ctx context.Context) (net.Conn, error) {
		links.Wait() // there is one at a time
		here, there := pair(t)
		links.Go(func() { _ = r.Link(context.Background(), there) })
		return here, nil
	}, routes...)
	stop := e.stop
	e.stop = func() {
		stop()
		links.Wait()
	}
	return e
}

// dialling is an engine that links itself.
func dialling(t testing.TB, dial func(context.Context) (net.Conn, error), routes ...evpn.Route) *behind {
	t.Helper()
	s := guarded.New(guarded.Config{Dial: dial})
	e := &behind{Speaker: s, Record: live.NewRecord(s.Events())}
	for _, route := range routes {
		e.announce(t, route)
	}
	s.Whole()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	e.stop = func() {
		cancel()
		err := <-done
		done <- err
		<-e.Done()
	}
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() { e.end() })
	return e
}

// end ends it. The guard has noticed then.
func (e *behind) end() { e.stop() }

func (e *behind) announce(t testing.TB, route evpn.Route) {
	t.Helper()
	if err := e.Announce(route); err != nil {
		t.Fatal(err)
	}
}

func (e *behind) withdraw(t testing.TB, k evpn.RouteKey) {
	t.Helper()
	if err := e.Withdraw(k); err != nil {
		t.Fatal(err)
	}
}

func (e *behind) waitEnd(t testing.TB, from int) (speaker.Event, int) {
	t.Helper()
	return e.Wait(t, from, "End-of-RIB", func(e speaker.Event) bool { return e.Kind == speaker.EndOfRIB && !e.Implied })
}
