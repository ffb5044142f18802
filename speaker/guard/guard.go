package guard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"
	"golang.org/x/time/rate"
)

// Guard keeps the sessions with outside peers and passes routes between them and the engine. Its methods are safe for concurrent use.
type Guard struct {
	config    Config
	listeners []*net.TCPListener
	notices   chan Notice
	closing   atomic.Bool
	started   atomic.Bool // Run, or Close
	engine    atomic.Pointer[engineLink]
	linking   sync.Mutex // held by an engine that comes, goes, or announces
	recorder  *recorder

	distributor *distributor
	mirrorPace  *rate.Limiter // of what GoBGP is told while the link is busy
	shown       atomic.Bool   // the engine wants GoBGP to be told what peers say; changes while linking is held
	unheard     atomic.Uint64
	running     chan struct{} // closed when Run has begun

	mu        sync.Mutex // of what follows
	peers     map[netip.Addr]*peer
	pool      *pool
	ctx       context.Context
	loops     sync.WaitGroup
	strangers uint64

	crowded     uint64 // connections refused for want of place
	crowdedTold time.Time
}

// New opens the listening sockets, which is all that needs privileges; sessions begin with Run. The error has everything that is wrong with the
// configuration, or the socket or socket option that could not be had.
func New(c Config) (*Guard, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	g := &Guard{
		config: c, notices: make(chan Notice, maxNotices), peers: make(map[netip.Addr]*peer), pool: newPool(c.Engine), running: make(chan struct{}),
		distributor: newDistributor(), mirrorPace: rate.NewLimiter(mirrorPace, batch),
	}
	for _, p := range c.Peers {
		if !p.Dynamic {
			if _, err := g.pool.take(p.Prefix.Addr()); err != nil {
				return nil, fmt.Errorf("open guard: %w", err)
			}
		}
	}
	if g.recorder, err = newRecorder(c.Record); err != nil {
		return nil, fmt.Errorf("open guard: %w", err)
	}
	for _, at := range c.Listen {
		l, err := listen(at, c.keys(), c.leastHops())
		if err != nil {
			g.unlisten()
			return nil, fmt.Errorf("open guard: listen on %v: %w", at, err)
		}
		g.listeners = append(g.listeners, l)
	}
	return g, nil
}

// Close frees the sockets of a guard that is not to run, and Run refuses then. One that has been run ends with the context of Run, and Close does nothing.
func (g *Guard) Close() {
	if g.started.CompareAndSwap(false, true) {
		g.unlisten()
	}
}

func (g *Guard) unlisten() {
	for _, l := range g.listeners {
		l.Close()
	}
}

// keys are those of the listening sockets.
func (c Config) keys() (keys []key) {
	for _, p := range c.Peers {
		if p.Password != "" {
			keys = append(keys, key{p.Prefix, p.Password})
		}
	}
	return keys
}

// leastHops is for a listening socket: the least TTL that holds for all peers, an accepted one gets its own peer's; and the TTL of its answers, 255 if any
// peer wants that.
func (c Config) leastHops() hops {
	h := hops{least: 255}
	for _, p := range c.Peers {
		own := hopsTo(p, p.AS == c.AS)
		if h.least = min(h.least, own.least); own.least > 0 {
			h.send = 255
		}
	}
	if h.send == 0 {
		return hops{}
	}
	return h
}

// Run serves until ctx ends, which is no error. Sessions are then closed without a NOTIFICATION, so that graceful restart holds; see Closing.
func (g *Guard) Run(ctx context.Context) error {
	if !g.started.CompareAndSwap(false, true) {
		return errors.New("run guard: it ran already, or was closed")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, 1+len(g.listeners))
	if err := g.addStatic(ctx); err != nil {
		failed <- fmt.Errorf("run guard: %w", err)
	}
	var accepting sync.WaitGroup
	for _, l := range g.listeners {
		accepting.Go(func() { failed <- g.acceptAll(ctx, l) })
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	g.unlisten()
	accepting.Wait()
	cancel()
	g.mu.Lock()
	g.ctx = nil
	g.mu.Unlock()
	g.loops.Wait()
	return errors.Join(err, g.recorder.close())
}

// addStatic starts the loops of peers that do not have to come first.
func (g *Guard) addStatic(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ctx = ctx
	defer close(g.running)
	for _, p := range g.config.Peers {
		if !p.Dynamic {
			if _, err := g.add(p, p.Prefix.Addr()); err != nil {
				return err
			}
		}
	}
	return nil
}

// Closing makes the end of Run tell the peers (CEASE, administrative shutdown): for a guard that ends for good.
func (g *Guard) Closing() { g.closing.Store(true) }

// acceptPause is how long nobody is accepted when the system has no room for another connection.
const acceptPause = 100 * time.Millisecond

// acceptAll hands connections to their peers until the listener is closed. A system that has no room costs no session: the next connections wait.
func (g *Guard) acceptAll(ctx context.Context, l *net.TCPListener) error {
	for told := false; ; {
		c, err := l.AcceptTCP()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case full(err):
			if !told {
				told = true
				g.config.Log.WithError(err).Error("connections have to wait")
			}
			select {
			case <-time.After(acceptPause):
			case <-ctx.Done():
			}
			continue
		case err != nil:
			return fmt.Errorf("accept on %v: %w", l.Addr(), err)
		}
		told = false
		if err := g.accept(c); err != nil {
			if !errors.Is(err, errCrowded) {
				g.mu.Lock()
				g.strangers++
				g.mu.Unlock()
			}
			g.config.Log.WithField("peer", c.RemoteAddr()).WithError(err).Debug("connection refused")
			c.Close()
		}
	}
}

// full reports whether an error is the system's want of descriptors or memory, which passes.
func full(err error) bool {
	for _, e := range []error{unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// accept finds the peer of a connection, or makes a dynamic one.
func (g *Guard) accept(c *net.TCPConn) error {
	from, at := addressOf(c.RemoteAddr()), addressOf(c.LocalAddr())
	config, ok := g.config.peer(from)
	if !ok {
		return errors.New("no peer is configured there")
	}
	if config.LocalAddress.IsValid() && config.LocalAddress != at {
		return fmt.Errorf("it came to %v, the peer is configured for %v", at, config.LocalAddress)
	}
	if err := raise(c, hopsTo(config, config.AS == g.config.AS), familyOf(from)); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	p, ok := g.peers[from]
	if !ok {
		var err error
		if p, err = g.add(config, from); err != nil {
			return err
		}
	}
	g.loops.Go(func() {
		if !p.post(happening{accepted: true, socket: c}) {
			c.Close()
		}
	})
	return nil
}

// peer is the configuration for an address: of the static peer, or of the longest dynamic prefix.
func (c Config) peer(a netip.Addr) (found Peer, ok bool) {
	for _, p := range c.Peers {
		if p.Prefix.Contains(a) && (!ok || p.Prefix.Bits() > found.Prefix.Bits() || p.Prefix.Bits() == found.Prefix.Bits() && !p.Dynamic) {
			found, ok = p, true
		}
	}
	return found, ok
}

// add starts a peer's loop; the lock is held.
func (g *Guard) add(config Peer, address netip.Addr) (*peer, error) {
	if g.ctx == nil {
		return nil, errNotRunning
	}
	if config.Dynamic {
		if err := g.room(); err != nil {
			return nil, err
		}
	}
	inside, err := g.pool.take(address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(g.ctx)
	p := newPeer(g, ctx, config, address, inside)
	p.stop = cancel
	g.peers[address] = p
	g.loops.Go(p.run)
	return p, nil
}

// forget ends a dynamic peer that has no connection.
func (g *Guard) forget(p *peer) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p.called.Load() {
		return // meanwhile
	}
	g.drop(p)
}

// drop ends a peer; the lock is held.
func (g *Guard) drop(p *peer) {
	if g.peers[p.address] == p {
		delete(g.peers, p.address)
		g.pool.give(p.address)
	}
	p.stop()
}

// heard tells who wants to know that there is work.
func (g *Guard) heard(updates int) {
	if g.config.Heard != nil {
		g.config.Heard(updates)
	}
}

// all is the peers, by address.
func (g *Guard) all() []*peer {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := make([]*peer, 0, len(g.peers))
	for _, p := range g.peers {
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b *peer) int { return a.address.Compare(b.address) })
	return list
}

// discard is a log that goes nowhere.
func discard() *logrus.Entry {
	l := logrus.New()
	l.SetOutput(io.Discard)
	l.SetLevel(logrus.PanicLevel)
	return logrus.NewEntry(l)
}
