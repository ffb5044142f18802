package qemu

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// outcome is what became of one test, or of a binary as a whole.
type outcome struct {
	name   string
	action string // pass, fail, skip; empty: it did not end
	output strings.Builder
	took   float64    // seconds
	ran    bool       // it began; else it is but the first part of names with a slash
	sub    []*outcome // in the order of their start
}

// event is a line of test2json.
type event struct {
	Action, Test, Output string
	Elapsed              float64
}

var border = regexp.MustCompile(`(?m)^guest: (?:begin (\d+)|end (\d+) status (\d+)|done)\r?$`)

// read takes the results of all binaries apart. There is always one outcome a binary, also where the guest did not get that far.
func read(results []byte, binaries int) ([]*outcome, error) {
	all := make([]*outcome, binaries)
	for i := range all {
		all[i] = new(outcome)
	}
	var errs []error
	done := false
	begin, of := 0, -1
	for _, m := range border.FindAllSubmatchIndex(results, -1) {
		number := func(group int) int {
			if m[2*group] < 0 {
				return -1
			}
			n, err := strconv.Atoi(string(results[m[2*group]:m[2*group+1]]))
			if err != nil {
				return -1
			}
			return n
		}
		switch {
		case number(1) >= 0 && number(1) < binaries:
			begin, of = m[1], number(1)
		case number(2) >= 0 && number(2) == of:
			errs = append(errs, all[of].take(results[begin:m[0]]))
			if status := number(3); status != 0 && all[of].action == "pass" {
				all[of].action = "fail"
				fmt.Fprintf(&all[of].output, "it ended with status %d\n", status)
			}
			of = -1
		case number(1) < 0 && number(2) < 0:
			done = true
		}
	}
	if of >= 0 {
		errs = append(errs, all[of].take(results[begin:]))
		all[of].action = ""
	}
	if !done {
		errs = append(errs, errors.New("the guest did not come to the end of its tests"))
	}
	return all, errors.Join(errs...)
}

// take reads what one binary printed.
func (o *outcome) take(printed []byte) error {
	c := exec.Command("go", "tool", "test2json", "-t")
	c.Stdin = bytes.NewReader(printed)
	out, err := c.Output()
	if err != nil {
		return fmt.Errorf("go tool test2json: %w", err)
	}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var e event
		if err := d.Decode(&e); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("what go tool test2json printed: %w", err)
		}
		at := o
		if e.Test != "" {
			for name := range strings.SplitSeq(e.Test, "/") {
				at = at.child(name)
			}
		}
		switch e.Action {
		case "run":
			at.ran = true
		case "output":
			at.output.WriteString(e.Output)
		case "pass", "fail", "skip":
			at.action, at.took = e.Action, e.Elapsed
		}
	}
}

func (o *outcome) child(name string) *outcome {
	if i := slices.IndexFunc(o.sub, func(s *outcome) bool { return s.name == name }); i >= 0 {
		return o.sub[i]
	}
	s := &outcome{name: name}
	o.sub = append(o.sub, s)
	return s
}

// verdict is why an outcome is no success, or empty.
func (o *outcome) verdict() string {
	switch {
	case o.action == "pass" && o.name == "" && len(o.sub) == 0:
		return "it ran no test"
	case o.action == "pass", o.name != "" && !o.ran:
		return ""
	case o.action == "fail":
		return "it failed"
	case o.action == "skip":
		return "it was skipped: the guest has all that a test needs"
	}
	return "it did not end"
}

// report is the outcome as a test of the host.
func (o *outcome) report(t *testing.T) {
	for _, s := range o.sub {
		t.Run(s.name, s.report)
	}
	t.Logf("%.1f s in the guest\n%s", o.took, o.output.String())
	if v := o.verdict(); v != "" {
		t.Errorf("in the guest %s", v)
	}
}
