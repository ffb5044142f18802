package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// replace replaces the second child by one that behaves so.
func (s *stage) replace(v *Supervisor, behave string, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	return v.Replace(ctx, "second", Child{Handover: order{Socket: s.socket, Bulk: "new", Behave: behave}}, wait)
}

// two is a supervisor with two children that are ready.
func (s *stage) two(behave string) *Supervisor {
	v, _, _ := s.supervise(nil, Child{Name: "first", Handover: order{Socket: s.socket}}, Child{Name: "second", Handover: order{Socket: s.socket, Behave: behave}})
	s.hear("second ready")
	return v
}

// A child is replaced by one that is told something else, and so are those after it; the other child is not touched.
func TestReplace(t *testing.T) {
	s := newStage(t)
	v := s.two("")
	first, before := s.pid("first"), s.pid("second")
	s.hear("second bulk 0")
	if err := s.replace(v, "", patience); err != nil {
		t.Fatal(err)
	}
	s.hear("second terminated")
	after := s.pid("second")
	s.hear("second bulk 3")
	s.hear("second ready")
	if before == after || !gone(before) || gone(first) {
		t.Errorf("second was %d, is %d; first, %d, is gone: %v", before, after, first, gone(first))
	}
	if err := syscall.Kill(after, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.hear("second bulk 3")
}

// Where the new one cannot start, or never is ready, there is one as it was before, and the error says why.
func TestReplacementThatFails(t *testing.T) {
	for behave, want := range map[string]string{"fails": "exit status 1", "explains": "there is no bridge", "waits": "it was not ready within 100ms"} {
		t.Run(behave, func(t *testing.T) {
			s := newStage(t)
			v := s.two("")
			s.hear("second bulk 0")
			wait := patience
			if behave == "waits" {
				wait = 100 * time.Millisecond
			}
			if err := s.replace(v, behave, wait); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %q", err, want)
			}
			s.hear("second bulk 0") // the new one, which may have come that far, has other bulk
			s.hear("second ready")
			if err := s.replace(v, "", patience); err != nil {
				t.Errorf("the next one: %v", err)
			}
		})
	}
}

// A child that ends as soon as it is ready can be replaced in the pause before its next start.
func TestReplaceInThePause(t *testing.T) {
	s := newStage(t)
	v := s.two("")
	if err := s.replace(v, "", patience); err != nil {
		t.Fatal(err)
	}
	for range 3 { // it is in a pause most of the time
		if err := syscall.Kill(s.pid("second"), syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Fatal(err)
		}
	}
	if err := s.replace(v, "answers", patience); err != nil {
		t.Fatal(err)
	}
	var told string
	if err := v.Ask(t.Context(), "second", "good", &told); err != nil {
		t.Error(err)
	}
}

// What is prepared takes effect with the next start.
func TestPrepare(t *testing.T) {
	s := newStage(t)
	v := s.two("")
	pid := s.pid("second")
	s.hear("second bulk 0")
	v.Prepare("second", Child{Handover: order{Socket: s.socket, Bulk: "new"}})
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.hear("second bulk 3")
}

func TestSupervisorAsks(t *testing.T) {
	s := newStage(t)
	v := s.two("answers")
	pid := s.pid("second")
	wait := func(ask func() error) { // ready is noted a little after it was said
		t.Helper()
		for end := time.Now().Add(patience); ; {
			err := ask()
			if err == nil {
				return
			}
			if time.Now().After(end) {
				t.Fatal(err)
			}
		}
	}
	var told string
	wait(func() error { return v.Ask(t.Context(), "second", "good", &told) })
	if want := fmt.Sprintf("%d heard %q", pid, "good"); told != want {
		t.Errorf("told %q, want %q", told, want)
	}
	if err := v.Ask(t.Context(), "second", "bad", &told); err == nil || err.Error() != "ask second: that is not known here" {
		t.Errorf("bad: %v", err)
	}
	wait(func() error {
		if err := v.Ask(t.Context(), "first", "good", &told); err == nil || !strings.Contains(err.Error(), "nothing can be asked here yet") {
			return fmt.Errorf("a child that answers nothing: %w", err)
		}
		return nil
	})
	if err := v.Ask(t.Context(), "third", "good", &told); err == nil {
		t.Error("there is no third")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := v.Replace(ctx, "third", Child{}, 0); err == nil {
		t.Error("there is no third to replace")
	}
}

func TestChildAsks(t *testing.T) {
	s := newStage(t)
	s.supervise(func(_ context.Context, q json.RawMessage) (any, error) {
		if string(q) == `"bad"` {
			return nil, errors.New("that is not known here")
		}
		return "heard " + string(q), nil
	}, Child{Name: "first", Handover: order{Socket: s.socket, Behave: "asks"}})
	if got := s.hear("first was told"); got != `"heard \"good\"" <nil>` {
		t.Errorf("the child was told %s", got)
	}
	if got := s.hear("first was told"); got != `"" ask the supervisor: that is not known here` {
		t.Errorf("the child was told %s", got)
	}
}
