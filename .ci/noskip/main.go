// Command noskip reads what `go test -json` prints, tells it briefly, and ends with status 1 if a test failed or, for root, was skipped.
//
// Root on a machine with all tools can run every test, so one that skips there has stopped testing.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

func main() {
	r := report{out: os.Stdout, strict: os.Geteuid() == 0, output: map[string][]string{}}
	if err := r.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "noskip:", err)
		os.Exit(1)
	}
	if !r.close() {
		os.Exit(1)
	}
}

// event is a line of `go test -json` (go doc test2json), or of a build that failed.
type event struct {
	Action     string
	Package    string
	ImportPath string
	Test       string
	Output     string
	Elapsed    float64
}

// report collects events.
type report struct {
	out     io.Writer
	strict  bool                // skipped tests count as failed
	output  map[string][]string // of tests that have not ended, by package and test
	passed  int
	skipped []string
	failed  []string
}

func (r *report) read(in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil {
				fmt.Fprintf(r.out, "%s", line) // not from a test: go's own words
			} else {
				r.event(e)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the events: %w", err)
		}
	}
}

func (r *report) event(e event) {
	key := e.Package + " " + e.Test
	name := strings.TrimSuffix(key, " ")
	switch e.Action {
	case "output":
		r.output[key] = append(r.output[key], e.Output)
		return
	case "build-output":
		fmt.Fprint(r.out, e.Output)
		return
	case "build-fail":
		r.failed = append(r.failed, e.ImportPath+" (build)")
		return
	case "pass":
		if e.Test == "" {
			fmt.Fprintf(r.out, "ok    %6.1fs  %s\n", e.Elapsed, e.Package)
		} else {
			r.passed++
		}
	case "fail":
		r.failed = append(r.failed, name)
		fmt.Fprintf(r.out, "FAIL  %6.1fs  %s\n%s", e.Elapsed, name, strings.Join(r.output[key], ""))
		if e.Test == "" {
			r.unended(e.Package)
		}
	case "skip":
		if e.Test != "" { // a package without tests is no skipped test
			r.skipped = append(r.skipped, name)
			fmt.Fprintf(r.out, "SKIP           %s\n%s", name, strings.Join(r.output[key], ""))
		}
	default:
		return
	}
	delete(r.output, key)
}

// unended prints what the tests of a package said that were under way when it failed: where its process died, one of them knows why.
func (r *report) unended(pkg string) {
	for _, key := range slices.Sorted(maps.Keys(r.output)) {
		if test, ok := strings.CutPrefix(key, pkg+" "); ok && test != "" {
			fmt.Fprintf(r.out, "NOT ENDED      %s\n%s", key, strings.Join(r.output[key], ""))
			delete(r.output, key)
		}
	}
}

// close prints the sum and reports whether all is well. No test at all is not well.
func (r *report) close() bool {
	fmt.Fprintf(r.out, "%d tests passed, %d failed, %d skipped\n", r.passed, len(r.failed), len(r.skipped))
	for _, f := range r.failed {
		fmt.Fprintln(r.out, "failed:", f)
	}
	for _, s := range r.skipped {
		fmt.Fprintln(r.out, "skipped:", s)
	}
	if r.strict && len(r.skipped) > 0 {
		fmt.Fprintln(r.out, "as root nothing may be skipped")
		return false
	}
	return len(r.failed) == 0 && r.passed > 0
}
