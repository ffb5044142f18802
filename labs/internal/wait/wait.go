// Package wait is how labs wait: for a condition, with a bound, never for a time.
package wait

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// interval between two looks at a condition.
const interval = 5 * time.Millisecond

// Until calls condition until it returns nil or the limit is over; then the error is the last one that condition returned.
func Until(ctx context.Context, limit time.Duration, what string, condition func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		err := condition()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w: %w", what, context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}

// Throughout calls condition for the whole span and returns its first error: what must hold, and what must not come.
func Throughout(ctx context.Context, span time.Duration, what string, condition func() error) error {
	ctx, cancel := context.WithTimeout(ctx, span)
	defer cancel()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		if err := condition(); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return nil
			}
			return ctx.Err()
		case <-tick.C:
		}
	}
}
