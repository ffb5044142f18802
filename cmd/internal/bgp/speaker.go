package bgp

import (
	"context"
	"errors"
	"net"
	"sync"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker"
	"github.com/tns-project/tns/speaker/gobgp"
	"github.com/tns-project/tns/speaker/guard"
	"github.com/tns-project/tns/speaker/guarded"
)

var _ speaker.Speaker = (*Speaker)(nil)

// Speaker is a guard, the engine's end of the link to it, through which routes go, and behind both GoBGP, the table for people, which is empty while nobody
// asks its API; what is called here is no asking. Its peers, also in events,
// have their real addresses.
type Speaker struct {
	*guarded.Speaker
	mirror *gobgp.Mirror // nil: nobody can ask it
	guard  Guard
	inside *guard.Guard  // the guard, if it is in this process
	learns bool          // Config.Learns
	opened chan struct{} // closed by Open
	once   sync.Once
}

// Guard is what a guard can be asked: guard.Client is one in another process.
type Guard interface {
	// Peers is what it has of each peer, by address, and of all together.
	Peers(ctx context.Context) ([]guard.Status, guard.Totals, error)
	// Link is the stream of package link.
	Link(ctx context.Context) (net.Conn, error)
}

// New makes a speaker with both halves in this process, and opens its listening sockets; it speaks with nobody before Open. The error has everything that
// is wrong with the configuration, or the address and port that cannot be had.
func New(c Config) (*Speaker, error) {
	at, err := Meet(c.Inner)
	if err != nil {
		return nil, err
	}
	inside, err := NewGuard(c, at)
	if err != nil {
		return nil, err
	}
	s, err := NewEngine(c, at, &here{Guard: inside})
	if err != nil {
		inside.Close()
		return nil, err
	}
	s.inside = inside
	return s, nil
}

// NewGuard makes the outer half, and opens its listening sockets.
func NewGuard(c Config, at guard.Engine) (*guard.Guard, error) { return guard.New(c.guard(at)) }

// NewEngine makes the inner half; the guard of the same configuration is in another process.
func NewEngine(c Config, at guard.Engine, outside Guard) (*Speaker, error) {
	s := &Speaker{guard: outside, learns: c.Learns, opened: make(chan struct{})}
	link := guarded.Config{Dial: s.dial, Log: c.Log.WithField("part", "link")}
	if c.API == "" {
		s.Speaker = guarded.New(link)
		return s, nil
	}
	inner, err := c.engine(c.guard(at))
	if err != nil {
		return nil, err
	}
	link.Changed = s.changed
	s.Speaker = guarded.New(link)
	if s.mirror, err = gobgp.NewMirror(inner, source{s.Speaker, outside}); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Speaker) changed(k evpn.RouteKey) { s.mirror.Changed(k) }

// dial reaches the guard, once the speaker is open.
func (s *Speaker) dial(ctx context.Context) (net.Conn, error) {
	select {
	case <-s.opened:
		return s.guard.Link(ctx)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Open implements speaker.Speaker: the table for people is there, and the guard may be told of what was announced before, which is all
// that an engine has to announce unless it Learns.
func (s *Speaker) Open(ctx context.Context) error {
	if s.mirror != nil {
		if err := s.mirror.Open(ctx); err != nil {
			return err
		}
	}
	if !s.learns {
		s.Whole()
	}
	s.once.Do(func() { close(s.opened) })
	return nil
}

// Run implements speaker.Speaker. A guard in this process stops after the engine, so that no event tells of sessions that only end with us.
func (s *Speaker) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	guarding, stop := context.WithCancel(context.WithoutCancel(ctx))
	var work sync.WaitGroup
	var mirror, inside error
	if s.mirror != nil {
		work.Go(func() {
			defer cancel()
			select {
			case <-s.opened:
				mirror = s.mirror.Run(ctx)
			case <-ctx.Done():
			}
		})
	}
	if s.inside != nil {
		work.Go(func() {
			defer cancel()
			select {
			case <-s.opened:
				inside = s.inside.Run(guarding)
			case <-guarding.Done():
			}
		})
	}
	link := s.Speaker.Run(ctx)
	cancel()
	stop()
	work.Wait()
	return errors.Join(link, mirror, inside)
}

// Close ends a speaker for good, as gobgp.Speaker.Close does. It may be called more than once.
func (s *Speaker) Close() error {
	if s.mirror == nil {
		return nil
	}
	return s.mirror.Close()
}

// Sessions implements speaker.Speaker: those with the peers, as the guard has them.
func (s *Speaker) Sessions() ([]speaker.Session, error) {
	peers, _, err := s.Peers(context.Background())
	if err != nil {
		return nil, err
	}
	var list []speaker.Session
	for _, p := range peers {
		list = append(list, speaker.Session{
			Peer: p.Peer, LocalAddress: p.Local, AS: p.AS, RouterID: p.RouterID, State: p.State.String(), Since: p.Since, Dynamic: p.Dynamic,
			Description: p.Description, Received: p.Received, Sent: p.Sent, Routes: p.RoutesIn,
		})
	}
	return list, nil
}

// Own implements speaker.Speaker: what stands in the table for people, or is still to be filled in; without one, and while nobody asks it, what is announced.
func (s *Speaker) Own() ([]evpn.RouteKey, error) {
	if s.mirror == nil {
		return s.Keys(), nil
	}
	return s.mirror.Own()
}

// OwnChanges implements speaker.Speaker, for the table for people.
func (s *Speaker) OwnChanges() <-chan struct{} {
	if s.mirror == nil {
		return nil
	}
	return s.mirror.OwnChanges()
}

// Restore puts back what someone else has taken out of the table for people, and returns how many routes that were.
func (s *Speaker) Restore() (int, error) {
	if s.mirror == nil {
		return 0, nil
	}
	return s.mirror.Restore()
}

// Peers is what the guard has of each peer, by address, and of all together.
func (s *Speaker) Peers(ctx context.Context) ([]guard.Status, guard.Totals, error) {
	return s.guard.Peers(ctx)
}

// Stats is a snapshot: routes are those of the link, errors in UPDATEs what GoBGP finds in what the guard has let through, while somebody asks it.
func (s *Speaker) Stats() gobgp.Stats {
	routes, all := s.Speaker.Stats(), gobgp.Stats{}
	if s.mirror != nil {
		all = s.mirror.Stats()
	}
	all.Received, all.Skipped, all.Refused = routes.Received, routes.Skipped, routes.Refused
	all.Announced, all.Withdrawn, all.Queue = routes.Announced, routes.Withdrawn, routes.Queue
	return all
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
