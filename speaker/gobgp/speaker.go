package gobgp

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"

	api "github.com/osrg/gobgp/v3/api"
	gobgplog "github.com/osrg/gobgp/v3/pkg/log"
	"github.com/osrg/gobgp/v3/pkg/server"

	"github.com/tns-project/tns/speaker"
)

var _ speaker.Speaker = (*Speaker)(nil)

// Speaker is an embedded GoBGP. It implements speaker.Speaker.
type Speaker struct {
	config   Config
	queue    *speaker.Queue
	events   chan speaker.Event
	wanted   func() // somebody reads events
	drained  chan struct{}
	counters counters
	watch    *watch
	table    *table
	mirror   *Mirror    // that this is of, or nil
	fatal    chan error // capacity 1: what GoBGP thinks ends the process

	mu     sync.Mutex // of what follows
	server *server.BgpServer
	turn   *turn
	log    *logger
	stop   context.CancelFunc // ends the watch
	api    *endpoints
	closed bool
}

// errNotOpen is returned by what needs a running GoBGP.
var errNotOpen = errors.New("speaker is not open")

// New makes a speaker; it neither listens nor connects before Open. The error has everything that is wrong with the configuration.
func New(c Config) (*Speaker, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Speaker{
		config: c,
		queue:  speaker.NewQueue(),
		events: make(chan speaker.Event),
		fatal:  make(chan error, 1),
	}
	s.drained = make(chan struct{})
	s.wanted = sync.OnceFunc(func() { close(s.drained) })
	s.watch = newWatch(s.queue.Put, &s.counters, c.EndOfRIBTimeout)
	s.table = newTable(&s.counters)
	return s, nil
}

// Run implements speaker.Speaker: it hands out events until ctx ends, which is no error, or GoBGP fails. Sessions are not closed then: without a
// NOTIFICATION a peer that helps graceful restart keeps our routes while the process is replaced. Close closes them.
func (s *Speaker) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case err := <-s.fatal:
			cancel(err)
		case <-ctx.Done():
		}
	})
	defer close(s.events)
	defer s.queue.Close()
	defer s.unwatch()
	select {
	case <-s.drained:
		_ = s.queue.Drain(ctx, s.events)
	case <-ctx.Done():
	}
	err := context.Cause(ctx)
	cancel(nil)
	wg.Wait()
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// Open implements speaker.Speaker: it listens, loads what was announced, and adds the peers. It is called once.
func (s *Speaker) Open(ctx context.Context) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.server != nil {
		return errors.New("open speaker: it was open already, or is closed")
	}
	endpoints, err := prepareEndpoints(s.config.API)
	if err != nil {
		return fmt.Errorf("open speaker: %w", err)
	}
	s.api = endpoints
	s.log = newLogger(s.config.Log, s.config.Names, s.heard, s.fail)
	s.turn = newTurn()
	s.server = newServer(
		server.LoggerOption(s.log), server.TimingHookOption(s.turn), server.GrpcListenAddress(endpoints.listen()), server.GrpcOption(s.gate().options()))
	go s.server.Serve()
	defer func() {
		if err != nil {
			s.closed = true
			s.shut()
		}
	}()
	if err := s.start(ctx); err != nil {
		return fmt.Errorf("open speaker: %w", err)
	}
	return nil
}

// start brings GoBGP up in the order that matters: policies before peers, routes before sessions, the watch before both.
func (s *Speaker) start(ctx context.Context) error {
	global := &api.Global{Asn: s.config.AS, RouterId: s.config.RouterID.String(), ListenPort: int32(s.config.ListenPort)}
	for _, a := range s.config.ListenAddresses {
		global.ListenAddresses = append(global.ListenAddresses, a.String())
	}
	if err := s.turn.start(ctx, s.server, global); err != nil {
		return fmt.Errorf("start BGP: %w", err)
	}
	if err := s.addPolicies(ctx); err != nil {
		return err
	}
	if err := s.table.open(ctx, s.server); err != nil {
		return err
	}
	for _, rt := range s.config.RouteTargets {
		if _, err := s.server.AddPath(ctx, &api.AddPathRequest{Path: encodeMembership(s.config.AS, rt)}); err != nil {
			return fmt.Errorf("announce membership of %v: %w", rt, err)
		}
	}
	watching, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	s.watch.settle = func(peer netip.Addr, epoch uint64) { s.settleEnd(watching, peer, epoch) }
	s.watch.lost = func(peer netip.Addr) { s.redial(watching, peer) }
	s.watch.watching = watching
	request := s.watch.request()
	if s.config.source != nil {
		request = s.watch.sessions()
	}
	if err := s.server.WatchEvent(watching, request, s.watch.event); err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	if err := s.addPeers(ctx); err != nil {
		return err
	}
	select {
	case err := <-s.fatal:
		return err
	default:
	}
	return s.api.publish(ctx, s.fatal)
}

// Close closes the sessions with a NOTIFICATION (CEASE, RFC 4486) and stops listening, for a speaker that ends for good and for tests. A daemon that is
// to be restarted does not call it. It may be called more than once. GoBGP leaves one idle goroutine behind.
func (s *Speaker) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if s.server != nil {
		s.shut()
	}
	return nil
}

// shut stops the watch before GoBGP, which would not notice that it stops.
func (s *Speaker) shut() {
	if s.stop != nil {
		s.stop()
	}
	s.log.stopping.Store(true)
	s.watch.stop()
	s.table.close()
	stopServer(s.server, s.log)
	s.turn.end()
	s.api.remove()
}

// unwatch ends the events, GoBGP goes on.
func (s *Speaker) unwatch() {
	s.watch.stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop != nil {
		s.stop()
	}
}

// heard follows GoBGP's log. A listener that took no password would let the peer in without one, which GoBGP finds worth a warning.
func (s *Speaker) heard(msg string, fields gobgplog.Fields) {
	if msg == "failed to set md5" {
		s.fail(fmt.Errorf("set the password of peer %v: %v", fields["Key"], fields["Err"]))
	}
	s.watch.log(msg, fields)
}

// fail makes Run return err.
func (s *Speaker) fail(err error) {
	select {
	case s.fatal <- err:
	default:
	}
}

// Events implements speaker.Speaker.
func (s *Speaker) Events() <-chan speaker.Event {
	s.wanted()
	return s.events
}

// Inbox is the events, for a reader that takes many at a time instead of reading Events. It ends when Run does.
func (s *Speaker) Inbox() speaker.Inbox { return s.queue }

// Resend implements speaker.Speaker. A peer without a session is no error: it gets everything when it comes up.
func (s *Speaker) Resend(peer netip.Addr) error {
	srv, err := s.running()
	if err != nil {
		return fmt.Errorf("resend to %v: %w", peer, err)
	}
	request := &api.ResetPeerRequest{Soft: true, Direction: api.ResetPeerRequest_OUT}
	if peer.IsValid() {
		request.Address = peer.String()
	}
	if err := srv.ResetPeer(context.Background(), request); err != nil {
		return fmt.Errorf("resend to %v: %w", peer, err)
	}
	return nil
}

func (s *Speaker) running() (*server.BgpServer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server == nil || s.closed {
		return nil, errNotOpen
	}
	return s.server, nil
}
