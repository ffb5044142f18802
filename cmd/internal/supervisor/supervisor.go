package supervisor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
)

// Supervisor starts children and keeps them running.
type Supervisor struct {
	Program  string  // the file that is run; a new one there is what the next start takes
	Children []Child // in the order in which they are started
	Log      *logrus.Entry
	Answer   Answerer // what children ask; nil: nothing can be asked

	mu      sync.Mutex
	keepers map[string]*keeper // by the child's name
}

const (
	lasting     = time.Second            // a child that ran that long is started again at once
	firstPause  = 100 * time.Millisecond // before the next start of one that did not, doubled each time
	longPause   = time.Second            // at most: who asks an edge something waits 5 s, a start included
	weighTime   = time.Second            // between two looks at a child's memory
	recycleTime = 10 * time.Minute       // between two replacements for its memory: a limit that is too low must not end all work
)

// Run starts the children, each when the one before is ready, and keeps them running until ctx ends, which is no error; then it stops them, the last one
// first. A child that ends before it was ever ready is an error: what keeps it from starting is most likely there to stay.
func (s *Supervisor) Run(ctx context.Context) error {
	for _, c := range s.Children {
		k := &keeper{
			Supervisor: s, child: c, log: s.Log.WithField("process", c.Name), kept: &ring{limit: c.Keep}, ready: make(chan struct{}), done: make(chan struct{}),
			changes: make(chan *change),
		}
		s.mu.Lock()
		if s.keepers == nil {
			s.keepers = map[string]*keeper{}
		}
		s.keepers[c.Name] = k
		s.mu.Unlock()
		keeping, stop := context.WithCancel(context.WithoutCancel(ctx))
		go k.run(keeping)
		defer func() {
			stop()
			<-k.done
		}()
		select {
		case <-k.ready:
		case <-k.done:
			return fmt.Errorf("%s has ended before it was ready: %w", c.Name, k.failure)
		case <-ctx.Done():
			return nil
		}
	}
	s.Log.Info("all processes are ready")
	<-ctx.Done()
	return nil
}

// keeper keeps one child running.
type keeper struct {
	*Supervisor
	child    Child // what the next start takes; changed with mu
	changes  chan *change
	trial    *change  // the child is another one now, which has not been ready yet
	running  *process // guarded by mu; nil: none is ready
	log      *logrus.Entry
	started  bool // it was ready once
	kept     *ring
	recycled time.Time     // when it was replaced for its memory last
	ready    chan struct{} // closed at the first time
	done     chan struct{} // closed when it does not run any more
	failure  error         // why it never was ready, once done
}

// run starts the child again and again until ctx ends.
func (k *keeper) run(ctx context.Context) {
	defer close(k.done)
	for pause := time.Duration(0); ; {
		began := time.Now()
		err := k.once(ctx)
		pause = nextPause(pause, time.Since(began))
		switch {
		case ctx.Err() != nil:
			k.tried(ctx.Err())
			return
		case k.trial != nil && !errors.Is(err, errChanged):
			k.log.WithError(err).Error("the process is not ready with what is new, and is started again as it was")
			k.goBack(err)
			pause = 0
			continue
		case errors.Is(err, errChanged):
			pause = 0
			continue
		case !k.started:
			k.failure = err
			return
		}
		k.log.WithError(err).WithField("again_in", pause).Error("the process has ended and is started again")
		select {
		case <-time.After(pause):
		case c := <-k.changes:
			k.try(c)
			pause = 0
		case <-ctx.Done():
			return
		}
	}
}

// nextPause is the pause before the next start of a child that lived so long after the pause before.
func nextPause(pause, lived time.Duration) time.Duration {
	if lived >= lasting {
		return 0
	}
	return min(max(firstPause, 2*pause), longPause)
}

// once starts the child and waits for its end, or stops it at the end of ctx.
func (k *keeper) once(ctx context.Context) error {
	p, err := start(k.Program, k.spec(), k.kept, k.Answer)
	if err != nil {
		return err
	}
	defer k.runs(nil)
	var late <-chan time.Time
	if k.trial != nil {
		late = time.After(k.trial.wait)
	}
	k.log.WithField("child", p.command.Process.Pid).Debug("started")
	weigh := time.NewTicker(weighTime)
	defer weigh.Stop()
	for ready := p.ready; ; {
		select {
		case <-ready:
			ready, late = nil, nil
			k.runs(p)
			k.begun()
		case c := <-k.changes:
			p.stop()
			k.try(c)
			return errChanged
		case <-late:
			p.stop()
			return fmt.Errorf("it was not ready within %v", k.trial.wait)
		case <-weigh.C:
			if n, limit := resident(p.command.Process.Pid), k.spec().MemoryLimit; limit > 0 && n > limit && time.Since(k.recycled) > recycleTime {
				k.recycled = time.Now()
				k.log.WithFields(logrus.Fields{"resident": n, "limit": limit}).Warn("the process has grown above its limit and is replaced")
				p.stop()
				return fmt.Errorf("it held %d octets of memory, its limit is %d", n, limit)
			}
		case <-p.ended:
			select {
			case <-p.ready:
				k.begun()
			default:
			}
			return p.reason()
		case <-ctx.Done():
			p.stop()
			return nil
		}
	}
}

// begun notes that the child was ready.
func (k *keeper) begun() {
	k.tried(nil)
	if !k.started {
		k.started = true
		close(k.ready)
	}
}
