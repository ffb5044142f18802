package qemu

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// tree is outcomes as lines: name, action.
func tree(o *outcome, indent string) (lines []string) {
	for _, s := range o.sub {
		lines = append(append(lines, strings.TrimSuffix(indent+s.name+" "+s.action, " ")), tree(s, indent+"  ")...)
	}
	return lines
}

const finished = "guest: begin 00\r\n" +
	"\x16=== RUN   TestA\n" + "\x16=== RUN   TestA/one_/_two\n" + "    a_test.go:1: a word\n" +
	"\x16--- FAIL: TestA (0.10s)\n" + "\x16    --- FAIL: TestA/one_/_two (0.00s)\n" +
	"\x16=== RUN   TestB\n" + "\x16--- PASS: TestB (0.00s)\n" + "\x16FAIL\n" +
	"\nguest: end 00 status 1\n"

func TestOutcomesOfEachTest(t *testing.T) {
	all, err := read([]byte(finished+"guest: begin 01\n\x16=== RUN   TestC\n\x16--- PASS: TestC (0.00s)\n\x16PASS\n\nguest: end 01 status 0\nguest: done\n"), 2)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"TestA fail", "  one_", "    _two fail", "TestB pass"}
	if d := cmp.Diff(want, tree(all[0], "")); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if out := all[0].sub[0].sub[0].sub[0].output.String(); !strings.Contains(out, "a_test.go:1: a word") {
		t.Errorf("the failed test's output is %q", out)
	}
	if v := all[0].sub[0].sub[0].verdict(); v != "" {
		t.Errorf("what is no test is judged: %s", v)
	}
	if v := all[0].verdict(); v == "" {
		t.Error("a binary with a failed test is a success")
	}
	if v := all[1].verdict(); v != "" || len(all[1].sub) != 1 {
		t.Errorf("the second binary: %q, %d tests", v, len(all[1].sub))
	}
}

func TestWhatIsNoSuccess(t *testing.T) {
	for _, c := range []struct{ name, results, want string }{
		{"nothing was said", "", "it did not end"},
		{"a binary that ran no test", "guest: begin 00\n\x16testing: warning: no tests to run\n\x16PASS\n\nguest: end 00 status 0\nguest: done\n", "it ran no test"},
		{"a guest that ended within a test", "guest: begin 00\n\x16=== RUN   TestA\n", "it did not end"},
		{"a binary that crashed after its tests", "guest: begin 00\n\x16=== RUN   TestA\n\x16--- PASS: TestA (0.00s)\n\x16PASS\n\nguest: end 00 status 139\nguest: done\n", "it failed"},
		{"a skipped test", "guest: begin 00\n\x16=== RUN   TestA\n\x16--- SKIP: TestA (0.00s)\n\x16PASS\n\nguest: end 00 status 0\nguest: done\n", "skipped"},
	} {
		t.Run(c.name, func(t *testing.T) {
			all, err := read([]byte(c.results), 1)
			if done := strings.HasSuffix(c.results, "done\n"); done != (err == nil) {
				t.Errorf("the error is %v", err)
			}
			verdict := all[0].verdict()
			for _, s := range all[0].sub {
				verdict += s.verdict()
			}
			if !strings.Contains(verdict, c.want) {
				t.Errorf("the verdict is %q, want %q", verdict, c.want)
			}
		})
	}
}

func TestMachineThatGoesWrongIsEnded(t *testing.T) {
	for _, c := range []struct {
		name, script   string
		silence, limit time.Duration
		want           string
	}{
		{"it says nothing", "exec sleep 60", 300 * time.Millisecond, time.Minute, "it said nothing for 300ms"},
		{"it talks for ever", "while echo more; do sleep 0.05; done >console", time.Minute, 500 * time.Millisecond, "it took longer than 500ms"},
		{"it cannot start", "echo no such kernel >&2; exit 3", time.Minute, time.Minute, "exit status 3: no such kernel"},
		{"it ends", "echo guest: done >results", time.Minute, time.Minute, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			m := machine{
				command: []string{"sh", "-c", "cd " + dir + " && " + c.script},
				console: dir + "/console", results: dir + "/results", silence: c.silence, limit: c.limit,
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			err := m.run(ctx)
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}
