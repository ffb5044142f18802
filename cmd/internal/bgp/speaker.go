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
	guard  Guard
	inside *guard.Guard  // the guard, if it is in this process
	opened chan struct{} // closed by Open
	once   sync.Once
}

// Guard is what a guard can be asked: guard.Client is one in another process.
type Guard interface {
	// Peers is what it has of each peer, by address, and of all together.
	Peers(ctx context.Context) ([]guard.Status, guard.Totals, error)
}

// here is a guard in this process.
type here struct{ *guard.Guard }

func (h here) Peers(ctx context.Context) ([]guard.Status, guard.Totals, error) {
	return h.Guard.Peers(ctx), h.Guard.Totals(), nil
}

// New makes a speaker with both halves in this process, and opens its listening sockets; it speaks with nobody before Open. The error has everything that
// is wrong with the configuration, or the address and port that cannot be had.
func New(c Config) (*Speaker, error) {
	at, err := Meet(c.Inner)
	if err != nil {
		return nil, err
	}
	s, err := NewEngine(c, at, nil)
	if err != nil {
		return nil, err
	}
	if s.inside, err = NewGuard(c, at); err != nil {
		return nil, err
	}
	s.guard = here{s.inside}
	return s, nil
}

// NewGuard makes the outer half, and opens its listening sockets.
func NewGuard(c Config, at guard.Engine) (*guard.Guard, error) { return guard.New(c.guard(at)) }

// NewEngine makes the inner half; the guard of the same configuration is in another process.
func NewEngine(c Config, at guard.Engine, outside Guard) (*Speaker, error) {
	inner, err := c.engine(c.guard(at))
	if err != nil {
		return nil, err
	}
	engine, err := gobgp.NewGuarded(inner)
	if err != nil {
		return nil, err
	}
	return &Speaker{Guarded: engine, guard: outside, opened: make(chan struct{})}, nil
}

// Open implements speaker.Speaker: the engine has everything that was announced before a guard in this process opens the first session.
func (s *Speaker) Open(ctx context.Context) error {
	if err := s.Guarded.Open(ctx); err != nil {
		return err
	}
	s.once.Do(func() { close(s.opened) })
	return nil
}

// Run implements speaker.Speaker. A guard in this process stops after the engine, so that no event tells of sessions that only end with us.
func (s *Speaker) Run(ctx context.Context) error {
	if s.inside == nil {
		return s.Guarded.Run(ctx)
	}
	guarding, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		defer cancel()
		select {
		case <-s.opened:
			ended <- s.inside.Run(guarding)
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
	peers, _, err := s.Peers(context.Background())
	if err != nil {
		return nil, err
	}
	var list []speaker.Session
	for _, p := range peers {
		list = append(list, speaker.Session{
			Peer: p.Peer, LocalAddress: p.Local, AS: p.AS, RouterID: p.RouterID, State: p.State.String(), Since: p.Since, Dynamic: p.Dynamic,
			Description: p.Description, Received: p.Received, Sent: p.Sent, Routes: routes[p.Peer],
		})
	}
	return list, nil
}

// Peers is what the guard has of each peer, by address, and of all together.
func (s *Speaker) Peers(ctx context.Context) ([]guard.Status, guard.Totals, error) {
	return s.guard.Peers(ctx)
}

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
