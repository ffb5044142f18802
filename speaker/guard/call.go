package guard

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/tns-project/tns/speaker/guard/wire"
)

// Call tells the guard which addresses of its dynamic peers' prefixes to dial as well; it goes on until they are not called any more. With only, those that
// were called before and are not in the list are no longer: the connection that we dialled is closed (CEASE 3), one that the peer dialled is the peer's to
// close. What is refused, and why, is in the answer: an address of no dynamic prefix, or one for which there is no place (Config.MaxDynamic).
func (g *Guard) Call(addresses []netip.Addr, only bool) (refused map[netip.Addr]string) {
	refused = make(map[netip.Addr]string)
	wanted := make(map[netip.Addr]bool, len(addresses))
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ctx == nil {
		for _, a := range addresses {
			refused[a] = errNotRunning.Error()
		}
		return refused
	}
	for _, a := range addresses {
		wanted[a] = true
	}
	if only {
		for a, p := range g.peers {
			if p.called.Load() && !wanted[a] {
				g.setCalled(p, false)
			}
		}
	}
	for _, a := range addresses {
		p, ok := g.peers[a]
		if !ok {
			config, known := g.config.peer(a)
			if !known || !config.Dynamic {
				refused[a] = "no dynamic peer is configured there"
				continue
			}
			var err error
			if p, err = g.add(config, a); err != nil {
				refused[a] = err.Error()
				continue
			}
		}
		if p.config.Dynamic && !p.called.Load() {
			g.setCalled(p, true)
		}
	}
	return refused
}

// errNotRunning is the answer to a connection or a call before Run, and after it.
var errNotRunning = errors.New("the guard does not run")

// setCalled changes whether a peer is dialled; the lock is held. The peer's loop is told what is true when it gets to it.
func (g *Guard) setCalled(p *peer, called bool) {
	p.called.Store(called)
	g.loops.Go(func() { p.post(happening{do: p.heedCall}) })
}

// heedCall makes or ends the connection that we dial.
func (p *peer) heedCall() {
	switch called := p.called.Load(); {
	case called && p.dialler == nil:
		p.forget.stop()
		p.dialler = &machine{side: p.outer(), since: p.now()}
		if p.session == nil && !p.refusing {
			p.begin()
		}
	case !called && p.dialler != nil:
		d := p.dialler
		p.dialler = nil
		p.fire(d, Stop, cause{notice: wire.Notification{Code: wire.Cease, Subcode: wire.CeaseDeconfigured}})
		d.drop() // also what waits in Idle
		p.expire()
	case !called: // it is not any more
		p.expire()
	}
}

// expire forgets a dynamic peer with which there is no connection, and none is tried, after a while.
func (p *peer) expire() {
	if p.config.Dynamic && p.dialler == nil && len(p.accepted) == 0 {
		p.lonely.Store(true)
		p.after(&p.forget, forgetAfter, func() { p.guard.forget(p) })
	}
}

// errCrowded is the answer to a connection beyond MaxDynamic.
var errCrowded = errors.New("there are as many dynamic peers as there may be")

// crowdedPause is between two lines in the log about them.
const crowdedPause = time.Minute

// room makes place for another dynamic peer, if need be of one that has no connection; the lock is held.
func (g *Guard) room() error {
	if g.config.MaxDynamic == 0 {
		return nil
	}
	n, idle := 0, (*peer)(nil)
	for _, p := range g.peers {
		if !p.config.Dynamic {
			continue
		}
		if n++; p.lonely.Load() && !p.called.Load() && (idle == nil || p.address.Less(idle.address)) {
			idle = p
		}
	}
	switch {
	case n < g.config.MaxDynamic:
		return nil
	case idle != nil:
		g.drop(idle)
		return nil
	}
	g.crowded++
	if now := time.Now(); now.Sub(g.crowdedTold) >= crowdedPause {
		g.crowdedTold = now
		g.config.Log.WithField("peers", g.config.MaxDynamic).WithField("refused", g.crowded).Warn("dynamic peers are refused: there are as many as there may be")
	}
	return fmt.Errorf("%w, %d", errCrowded, g.config.MaxDynamic)
}

// Call sends the lists that come to the guard: whom to call, of those alone if the list says so. hear is told what the guard refuses. It returns when ctx
// ends, which is no error, when lists is closed, or when the guard goes. A guard that is new has to be told again.
func (c Client) Call(ctx context.Context, lists <-chan CallList, hear func(refused map[netip.Addr]string)) error {
	conn, err := c.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	answers := make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	go func() {
		answers <- conn.hear(func(a answer) bool {
			hear(a.Refused)
			return true
		})
	}()
	for {
		select {
		case <-ctx.Done():
			conn.Close()
			<-answers
			return nil
		case err := <-answers:
			return fmt.Errorf("tell the guard whom to call: %w", err)
		case l, ok := <-lists:
			if ok {
				err = conn.say(question{Ask: calling, Call: l})
			}
			if !ok || err != nil {
				conn.Close()
				<-answers
				return err
			}
		}
	}
}

// CallList is what Guard.Call is told.
type CallList struct {
	Addresses []netip.Addr `json:"addresses"`
	Only      bool         `json:"only"`
}
