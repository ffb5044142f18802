package supervisor

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// change is a child that is to be another one.
type change struct {
	next, before Child
	wait         time.Duration // the longest time until it is ready
	done         chan error    // nil: it is ready
}

// errChanged is the end of a process that is replaced by one that is told something else.
var errChanged = errors.New("it is replaced by one that is told something else")

// Replace stops a child and starts it anew with what next says, which is its Handover and MemoryLimit. If the new one is not ready in time it is stopped, and
// the child started again as it was; the error then says why. It blocks until one of the two is settled, or the supervisor ends.
func (s *Supervisor) Replace(ctx context.Context, name string, next Child, wait time.Duration) error {
	k := s.keeper(name)
	if k == nil {
		return fmt.Errorf("replace %s: it has not been started", name)
	}
	c := &change{next: next, wait: wait, done: make(chan error, 1)}
	select {
	case k.changes <- c:
	case <-k.done:
		return fmt.Errorf("replace %s: the supervisor ends", name)
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-c.done:
		return err
	case <-k.done:
		return fmt.Errorf("replace %s: the supervisor ends", name)
	}
}

// Prepare has the next start of a child take what next says, which is its Handover and MemoryLimit. The one that runs goes on.
func (s *Supervisor) Prepare(name string, next Child) {
	if k := s.keeper(name); k != nil {
		k.become(next)
	}
}

// Ask asks a child that is ready something and waits for its answer.
func (s *Supervisor) Ask(ctx context.Context, name string, question, answer any) error {
	k := s.keeper(name)
	if k == nil {
		return fmt.Errorf("ask %s: it has not been started", name)
	}
	s.mu.Lock()
	p := k.running
	s.mu.Unlock()
	if p == nil {
		return fmt.Errorf("ask %s: it is being started", name)
	}
	if err := p.ask(ctx, question, answer); err != nil {
		return fmt.Errorf("ask %s: %w", name, err)
	}
	return nil
}

func (s *Supervisor) keeper(name string) *keeper {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keepers[name]
}

// spec is what the next start takes.
func (k *keeper) spec() Child {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.child
}

// become changes what the next start takes.
func (k *keeper) become(next Child) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.child.Handover, k.child.MemoryLimit = next.Handover, next.MemoryLimit
}

// runs notes which process can be asked.
func (k *keeper) runs(p *process) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.running = p
}

// try makes the next start one of the changed child.
func (k *keeper) try(c *change) {
	if c.before = k.spec(); k.trial != nil {
		c.before = k.trial.before
	}
	k.tried(errors.New("another change has come before it was ready"))
	k.trial = c
	k.become(c.next)
}

// tried settles a trial, if there is one.
func (k *keeper) tried(err error) {
	if k.trial != nil {
		k.trial.done <- err
		k.trial = nil
	}
}

// goBack makes the next start one of the child before the trial.
func (k *keeper) goBack(err error) {
	k.become(k.trial.before)
	k.tried(err)
}
