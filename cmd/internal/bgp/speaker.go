package bgp

import (
	"context"
	"errors"
	"net/netip"
	"sync"

	"github.com/tns-project/tns/speaker"
	"github.com/tns-project/tns/speaker/gobgp"
	"github.com/tns-project/tns/speaker/guard"
)

var _ speaker.Speaker = (*Speaker)(nil)

// Speaker is a GoBGP behind a guard. Its peers, also in events, have their real addresses.
type Speaker struct {
	*gobgp.Guarded
	guard  *guard.Guard
	opened chan struct{} // closed by Open
	once   sync.Once
}

// New makes a speaker and opens its listening sockets; it speaks with nobody before Open. The error has everything that is wrong with the configuration,
// or the address and port that cannot be had.
func New(c Config) (*Speaker, error) {
	outer, err := c.guard()
	if err != nil {
		return nil, err
	}
	inner, err := c.engine(outer)
	if err != nil {
		return nil, err
	}
	engine, err := gobgp.NewGuarded(inner)
	if err != nil {
		return nil, err
	}
	g, err := guard.New(outer)
	if err != nil {
		return nil, err
	}
	return &Speaker{Guarded: engine, guard: g, opened: make(chan struct{})}, nil
}

// Open implements speaker.Speaker: the engine has everything that was announced before the guard opens the first session.
func (s *Speaker) Open(ctx context.Context) error {
	if err := s.Guarded.Open(ctx); err != nil {
		return err
	}
	s.once.Do(func() { close(s.opened) })
	return nil
}

// Run implements speaker.Speaker. The guard stops after the engine, so that no event tells of sessions that only end with us.
func (s *Speaker) Run(ctx context.Context) error {
	guarding, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		defer cancel()
		select {
		case <-s.opened:
			ended <- s.guard.Run(guarding)
		case <-guarding.Done():
			ended <- nil
		}
	}()
	err := s.Guarded.Run(ctx)
	stop()
	return errors.Join(err, <-ended)
}

// Sessions implements speaker.Speaker: those with the peers, as the guard has them.
func (s *Speaker) Sessions() ([]speaker.Session, error) {
	inner, err := s.Guarded.Sessions()
	if err != nil {
		return nil, err
	}
	routes := make(map[netip.Addr]int)
	for _, e := range inner {
		routes[e.Peer] = e.Routes
	}
	var list []speaker.Session
	for _, p := range s.Peers() {
		list = append(list, speaker.Session{
			Peer: p.Peer, LocalAddress: p.Local, AS: p.AS, RouterID: p.RouterID, State: p.State.String(), Since: p.Since, Dynamic: p.Dynamic,
			Description: p.Description, Received: p.Received, Sent: p.Sent, Routes: routes[p.Peer],
		})
	}
	return list, nil
}

// Peers is what the guard has of each peer, by address.
func (s *Speaker) Peers() []guard.Status { return s.guard.Peers(context.Background()) }

// Totals is what the guard counts for all peers.
func (s *Speaker) Totals() guard.Totals { return s.guard.Totals() }

// AfterOpen holds a gRPC server back until the speakers are open: GoBGP sets a variable of the gRPC library when it starts, which a server that serves
// would read meanwhile.
func AfterOpen(serve func(context.Context) error, speakers ...*Speaker) func(context.Context) error {
	return func(ctx context.Context) error {
		for _, s := range speakers {
			select {
			case <-s.opened:
			case <-ctx.Done():
			}
		}
		return serve(ctx)
	}
}
