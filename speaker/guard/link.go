package guard

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/tns-project/tns/speaker/guard/wire"
	"github.com/tns-project/tns/speaker/internal/nonblock"
	"github.com/tns-project/tns/speaker/link"
)

// engineLink is one engine, on the stream that package link describes.
type engineLink struct {
	*linkWriter
	since time.Time
}

// Link serves an engine on a connection, which it closes, until ctx ends, which is no error, or the engine does. There is one engine at a time: a new one
// takes the place of the one before. The error says why the engine is lost: it closed the stream, was silent for link.DeadTime, said something that is none
// of package link's, or another one came.
func (g *Guard) Link(ctx context.Context, c net.Conn) error {
	l := &engineLink{newLinkWriter(c), time.Now()}
	defer l.close()
	defer context.AfterFunc(ctx, l.close)()
	var work sync.WaitGroup
	defer work.Wait()
	defer l.close()
	work.Go(l.run)
	renewal := g.engineComes(l)
	defer g.engineGoes(l)
	defer renewal.Stop()
	ended := make(chan struct{})
	defer close(ended)
	work.Go(func() {
		tick := time.NewTicker(link.AliveTime / 2)
		defer tick.Stop()
		for {
			select {
			case <-ended:
				return
			case now := <-tick.C:
				l.alive(now)
			}
		}
	})
	err := g.hear(l, link.NewReader(heed(c)))
	switch {
	case ctx.Err() != nil:
		return nil
	case g.engine.Load() != l:
		return errReplaced
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("the engine has said nothing for %v", link.DeadTime)
	}
	return fmt.Errorf("the engine's link has ended: %w", err)
}

var errReplaced = errors.New("another engine has come")

// heeded is a connection on which silence is an error, unless it was ours: a machine that was suspended finds the other side silent for as long.
type heeded struct {
	net.Conn
	read func([]byte) (int, error) // of it
}

func heed(c net.Conn) heeded { return heeded{c, nonblock.Reader(c)} }

func (c heeded) Read(b []byte) (n int, err error) {
	for _, wait := range []time.Duration{link.DeadTime, link.AliveTime} {
		if err := c.SetReadDeadline(time.Now().Add(wait)); err != nil {
			return 0, err
		}
		if n, err = c.read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
	}
	return n, err
}

// engineComes makes an engine the one that there is. What it does not announce again until it says so, or within RenewTime, is withdrawn.
func (g *Guard) engineComes(l *engineLink) (renewal *time.Timer) {
	g.linking.Lock()
	defer g.linking.Unlock()
	if before := g.engine.Swap(l); before != nil {
		before.close()
	}
	g.distributor.renew()
	g.shown.Store(false)
	g.notifyAll()
	return time.AfterFunc(g.config.RenewTime, func() { g.whole(l) })
}

// engineGoes ends it. What it announced stays.
func (g *Guard) engineGoes(l *engineLink) {
	g.linking.Lock()
	defer g.linking.Unlock()
	if g.engine.CompareAndSwap(l, nil) {
		g.shown.Store(false)
		g.notifyAll()
	}
}

// whole ends the time in which an engine announces everything again.
func (g *Guard) whole(l *engineLink) {
	g.linking.Lock()
	defer g.linking.Unlock()
	if g.engine.Load() == l {
		g.distributor.complete()
	}
}

// hear takes what an engine says, until it ends.
func (g *Guard) hear(l *engineLink, in *link.Reader) error {
	reader := wire.Reader{Bare: true}
	var changes []wire.Change
	for {
		m, err := in.Next()
		if err != nil {
			return err
		}
		switch m.Kind {
		case link.Routes:
			u, err := reader.Update(m.Update)
			if err != nil {
				g.config.Log.WithError(err).Error("the engine's UPDATE cannot be read")
				break
			}
			changes = u.AppendChanges(changes)
		case link.Whole, link.Resend:
			if !g.announce(l, changes) {
				return errReplaced
			}
			changes = changes[:0]
			if m.Kind == link.Whole {
				g.whole(l)
			} else {
				g.resend(m.Peer)
			}
		case link.Show, link.Hide:
			g.show(l, m.Kind == link.Show)
		}
		if len(changes) >= batch || len(changes) > 0 && !in.Waiting() {
			if !g.announce(l, changes) {
				return errReplaced
			}
			clear(changes)
			changes = changes[:0]
		}
	}
}

// announce hands an engine's changes on, unless another has come.
func (g *Guard) announce(l *engineLink, changes []wire.Change) bool {
	g.linking.Lock()
	defer g.linking.Unlock()
	if g.engine.Load() != l {
		return false
	}
	g.heard(len(changes))
	g.distributor.apply(changes)
	g.distributor.deliver()
	return true
}

// resend has a peer told everything again; the zero address is all peers.
func (g *Guard) resend(peer netip.Addr) {
	for _, p := range g.all() {
		if p.address == peer || !peer.IsValid() {
			p.post(happening{do: func() {
				if p.subscription != nil {
					g.distributor.repeat(p.subscription)
				}
			}})
		}
	}
}

// notifyAll has every peer's loop go round.
func (g *Guard) notifyAll() {
	for _, p := range g.all() {
		p.notify()
	}
}
