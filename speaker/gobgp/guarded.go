package gobgp

import (
	"context"
	"net/netip"
	"sync"

	api "github.com/osrg/gobgp/v3/api"

	"github.com/tns-project/tns/speaker"
)

var _ speaker.Speaker = (*Guarded)(nil)

// Guarded is a Speaker behind a guard, which tells what it hears as events that name the real peers. What it announces goes nowhere. The daemons have a Mirror
// instead.
type Guarded struct {
	*Speaker
	names  *Names
	events chan speaker.Event
	wanted func() // somebody reads events
	read   chan struct{}
}

// NewGuarded is New with Config.Names.
func NewGuarded(c Config) (*Guarded, error) {
	if c.Names == nil {
		c.Names = NewNames()
	}
	s, err := New(c)
	if err != nil {
		return nil, err
	}
	g := &Guarded{Speaker: s, names: c.Names, events: make(chan speaker.Event), read: make(chan struct{})}
	g.wanted = sync.OnceFunc(func() { close(g.read) })
	return g, nil
}

// Run implements speaker.Speaker. At its end the guard is told (CEASE, peer de-configured): the peers' sessions stay, and it knows that nothing went wrong.
func (g *Guarded) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	ended := make(chan struct{})
	wg.Go(func() {
		defer close(g.events)
		select {
		case <-ended:
			return
		case <-g.read:
		}
		for e := range g.Speaker.Events() {
			g.name(ctx, &e)
			select {
			case g.events <- e:
			case <-ctx.Done():
			}
		}
	})
	defer wg.Wait()
	defer close(ended)
	if err := g.Speaker.Run(ctx); err != nil {
		return err
	}
	return g.Close()
}

// name gives an event its peer's real address.
func (g *Guarded) name(ctx context.Context, e *speaker.Event) {
	if e.Kind == speaker.SessionUp {
		g.ask(ctx, e.Peer)
	}
	e.Peer = g.names.Real(e.Peer)
}

// ask learns whose a session is. A failure leaves the inner address, which is logged.
func (g *Guarded) ask(ctx context.Context, inner netip.Addr) {
	srv, err := g.running()
	if err == nil {
		err = srv.ListPeer(ctx, &api.ListPeerRequest{Address: inner.String()}, g.names.learn)
	}
	if err != nil && ctx.Err() == nil {
		g.config.Log.WithField("peer", inner).WithError(err).Warn("cannot tell whose session it is")
	}
}

// Events implements speaker.Speaker.
func (g *Guarded) Events() <-chan speaker.Event {
	g.wanted()
	return g.events
}

// Inbox is Speaker.Inbox with the peers' real addresses.
func (g *Guarded) Inbox() speaker.Inbox { return realInbox{g.Speaker.Inbox(), g} }

type realInbox struct {
	speaker.Inbox
	g *Guarded
}

// Take implements speaker.Inbox.
func (in realInbox) Take(into []speaker.Event, most int) (events []speaker.Event, open bool) {
	had := len(into)
	events, open = in.Inbox.Take(into, most)
	for i := range events[had:] {
		in.g.name(context.Background(), &events[had+i])
	}
	return events, open
}

// Resend implements speaker.Speaker.
func (g *Guarded) Resend(peer netip.Addr) error { return g.Speaker.Resend(g.names.Inner(peer)) }

// Sessions implements speaker.Speaker: those of the engine, by real address. Since when the outer ones stand the guard knows.
func (g *Guarded) Sessions() ([]speaker.Session, error) {
	list, err := g.Speaker.Sessions()
	for i := range list {
		list[i].Peer = g.names.Real(list[i].Peer)
	}
	return list, err
}
