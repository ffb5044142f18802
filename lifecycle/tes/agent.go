package tes

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/history"
	"github.com/tns-project/tns/lifecycle/tes/store"
	"github.com/tns-project/tns/speaker"
)

// Speaker is what the agent needs of a speaker.Speaker.
type Speaker interface {
	Announce(evpn.Route) error
	Withdraw(evpn.RouteKey) error
	Open(ctx context.Context) error
	Resend(peer netip.Addr) error
	Own() ([]evpn.RouteKey, error)
	OwnChanges() <-chan struct{}
}

// Store is what the agent needs of a store.DB. What a method wrote is durable when it returns nil; otherwise nothing has changed.
type Store interface {
	Load() store.Image
	Put(store.VM) error
	Forget(evpn.VMID) error
	Number(vn string) (uint16, error)
	SetRebuilt(nve evpn.RouterID) error
}

// Agent speaks for the VMs of one hypervisor.
type Agent struct {
	speaker Speaker
	core    *core
	number  atomic.Uint64
	inputs  chan call
	done    chan struct{} // closed by Run
	view    atomic.Pointer[Snapshot]
}

// call is an input from another goroutine, with where its outcome goes.
type call struct {
	input input
	reply chan outcome // capacity 1; nil: nobody waits
}

type outcome struct {
	result Result
	err    error
}

// New makes an agent of what the store holds. Nothing is announced before Run.
func New(c Config, sp Speaker, st Store, log *history.Log, logger *logrus.Entry) *Agent {
	a := &Agent{speaker: sp, inputs: make(chan call), done: make(chan struct{})}
	a.core = newCore(c, sp, st, log, logger)
	a.view.Store(a.core.snapshot())
	return a
}

// Run announces all that is stored, opens the speaker's sessions, and serves until ctx ends (nil) or the speaker closes events (an error).
// Nothing is withdrawn on the way out.
func (a *Agent) Run(ctx context.Context, events <-chan speaker.Event) error {
	defer close(a.done)
	a.core.post = func(in input) { // whoever applied a tag is no caller that waits
		go func() { _ = a.send(context.Background(), call{in, nil}) }() // only fails when the agent has stopped
	}
	a.core.start(time.Now())
	a.publish()
	if err := a.speaker.Open(ctx); err != nil {
		return fmt.Errorf("open the sessions to the NVEs: %w", err)
	}
	replies := map[uint64]chan outcome{}
	a.core.reply = func(number uint64, r Result, err error) {
		if reply := replies[number]; reply != nil {
			reply <- outcome{r, err}
			delete(replies, number)
		}
	}
	audit := time.NewTicker(a.core.cfg.BeaconInterval)
	defer audit.Stop()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		var in input
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-events:
			if !ok {
				if ctx.Err() != nil {
					return nil
				}
				return errors.New("the speaker has stopped")
			}
			in = heard{e}
		case c := <-a.inputs:
			if op, ok := c.input.(asked); ok {
				replies[op.Number] = c.reply
			}
			in = c.input
		case <-a.speaker.OwnChanges():
			in = a.look(true)
		case <-audit.C:
			in = a.look(false)
		case <-timer.C:
			in = tick{}
		}
		a.core.handle(time.Now(), in)
		if l, ok := in.(left); ok {
			delete(replies, l.Number)
		}
		a.publish()
		timer.Reset(time.Until(a.core.wake()))
	}
}

// look reads the speaker's own table. If it cannot, the next audit will.
func (a *Agent) look(suspect bool) input {
	keys, err := a.speaker.Own()
	if err != nil {
		a.core.logger.WithError(err).Warn("read the speaker's own table")
		return tick{}
	}
	return found{keys, suspect}
}

// Do asks for one step of a VM's life and waits until the NVE has answered, the operation's time is over or ctx ends; with NoWait, until
// the wish is on disk. A refusal by the NVE is a Result, not an error. Errors: *InputError, those of errors.go, ctx's. With ErrNoSession,
// ErrNoAnswer and ErrSuperseded the Result tells what is known.
func (a *Agent) Do(ctx context.Context, o Operation) (Result, error) {
	number := a.number.Add(1)
	reply := make(chan outcome, 1)
	if err := a.send(ctx, call{asked{number, o}, reply}); err != nil {
		return Result{VM: o.VM, Op: o.Op}, err
	}
	select {
	case out := <-reply:
		return out.result, out.err
	case <-a.done:
		return Result{VM: o.VM, Op: o.Op}, ErrStopped
	case <-ctx.Done():
		_ = a.send(context.WithoutCancel(ctx), call{left{number}, nil}) // only fails when the agent has stopped
		return Result{VM: o.VM, Op: o.Op}, ctx.Err()
	}
}

// Resync announces all routes again and has them sent to every peer.
func (a *Agent) Resync(ctx context.Context) error { return a.send(ctx, call{resync{}, nil}) }

// Snapshot is the agent's state as of its last input. It is not changed any more.
func (a *Agent) Snapshot() *Snapshot { return a.view.Load() }

func (a *Agent) send(ctx context.Context, c call) error {
	select {
	case a.inputs <- c:
		return nil
	case <-a.done:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (a *Agent) publish() {
	if a.core.stale {
		a.view.Store(a.core.snapshot())
	}
}
