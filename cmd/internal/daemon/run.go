package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// Part is one of the things that a daemon runs.
type Part struct {
	// Name is what errors call it.
	Name string
	// Run blocks until ctx ends. If it returns before that, the daemon ends.
	Run func(ctx context.Context) error
}

// graceTime is how long the parts may take to stop.
const graceTime = 10 * time.Second

// errStopped is the cause of a regular end.
var errStopped = errors.New("stopped")

// Run runs the parts until ctx ends, which is no error, or one of them ends, which always is. It waits for all of them, but not longer than
// a few seconds.
func Run(ctx context.Context, parts ...Part) error {
	group, inner := errgroup.WithContext(ctx)
	for _, p := range parts {
		group.Go(func() error {
			err := p.Run(inner)
			switch {
			case ctx.Err() != nil:
				return errStopped
			case err == nil:
				return fmt.Errorf("%s ended by itself", p.Name)
			}
			return fmt.Errorf("%s: %w", p.Name, err)
		})
	}
	ended := make(chan error, 1)
	go func() { ended <- group.Wait() }()

	<-inner.Done()
	select {
	case err := <-ended:
		if errors.Is(err, errStopped) {
			return nil
		}
		return err
	case <-time.After(graceTime):
		if ctx.Err() == nil {
			return fmt.Errorf("%w, and not all parts stopped after it", context.Cause(inner))
		}
		return fmt.Errorf("not all parts stopped within %s", graceTime)
	}
}
