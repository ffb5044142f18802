package daemon

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// until blocks until ctx ends, as a part does.
func until(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

func TestRun(t *testing.T) {
	boom := errors.New("boom")
	for name, c := range map[string]struct {
		part func(context.Context) error
		stop bool // a signal comes
		want string
	}{
		"a signal stops all parts":                    {until, true, ""},
		"what a part says of its stop does not count": {func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, true, ""},
		"a part that fails ends all, and is named":    {func(context.Context) error { return boom }, false, "second: boom"},
		"a part may not end by itself":                {func(context.Context) error { return nil }, false, "second ended by itself"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if c.stop {
					time.AfterFunc(time.Minute, cancel)
				}
				stopped := false
				first := Part{"first", func(ctx context.Context) error { err := until(ctx); stopped = true; return err }}
				err := Run(ctx, first, Part{"second", c.part})
				switch {
				case c.want == "" && err != nil:
					t.Errorf("run: %v, want no error", err)
				case c.want != "" && (err == nil || err.Error() != c.want):
					t.Errorf("run: %v, want %q", err, c.want)
				}
				if !stopped {
					t.Error("the other part was not stopped")
				}
			})
		})
	}
}

// A part that does not stop cannot keep the daemon from ending.
func TestRunDoesNotWaitForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		release := make(chan struct{})
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		err := Run(ctx, Part{"deaf", func(context.Context) error { <-release; return nil }})
		if err == nil || !strings.Contains(err.Error(), "not all parts stopped") {
			t.Errorf("run: %v, want that not all parts stopped", err)
		}
		if took := time.Since(start); took != time.Second+graceTime {
			t.Errorf("it took %v, want %v after the signal", took, graceTime)
		}
		close(release)
	})
}

func TestUndo(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"a build that failed is taken back, last step first": {errors.New("boom"), "21"},
		"one that succeeded stays":                           {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var u Undo
			got := ""
			u.Add(func() { got += "1" })
			u.Add(func() { got += "2" })
			u.Unless(&c.err)
			if got != c.want {
				t.Errorf("steps taken back: %q, want %q", got, c.want)
			}
		})
	}
}
