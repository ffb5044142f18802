package report_test

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tns-project/tns/labs/bench/report"
	"github.com/tns-project/tns/labs/internal/usage"
)

func TestOf(t *testing.T) {
	hundred := make([]float64, 101)
	for i := range hundred {
		hundred[i] = float64(100 - i)
	}
	for _, c := range []struct {
		name   string
		values []float64
		want   report.Spread
		text   string
	}{
		{"nothing", nil, report.Spread{}, "–"},
		{"one value", []float64{3}, report.Spread{Count: 1, Min: 3, P50: 3, P99: 3, Max: 3}, "3.00"},
		{"the median of two lies between them", []float64{4, 2}, report.Spread{Count: 2, Min: 2, P50: 3, P99: 3.98, Max: 4}, "3.00 [2.00 – 3.98]"},
		{"p99 of 101 is the last but one", hundred, report.Spread{Count: 101, P50: 50, P99: 99, Max: 100}, "50.0 [0 – 99.0]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := report.Of(c.values...)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if got.String() != c.text {
				t.Errorf("%q, want %q", got, c.text)
			}
		})
	}
}

func TestUnits(t *testing.T) {
	if diff := cmp.Diff([]float64{1.5, 2000}, report.Milliseconds(1500*time.Microsecond, 2*time.Second)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]float64{0.25}, report.Seconds(250*time.Millisecond)); diff != "" {
		t.Error(diff)
	}
}

// run has what a table can have: sizes out of order, a failure, a system without a counterpart.
var run = report.Run{
	Version: "v1", Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Took: 61, Command: "bench -n 10",
	Machine: usage.Machine{CPU: "EPYC", CPUs: 2, Memory: 8 << 30, Kernel: "6.18", System: "Debian", FRR: "8.4.4", Go: "go1.26"},
	Loads:   map[string]usage.Load{"b": {Average: 1.5, Busy: 1.2, Others: 0.3}},
	Figures: []report.Figure{
		{Measure: "b", What: "time", Fabric: "direct", Size: 1000, System: "FRR", Unit: "s", Spread: report.Of(0.5)},
		{Measure: "b", What: "time", Fabric: "direct", Size: 10, System: "FRR", Unit: "s", Spread: report.Of(0.1)},
		{Measure: "b", What: "time", Fabric: "direct", Size: 10, System: report.Ours, Unit: "s", Spread: report.Of(0.025, 0.02, 0.03)},
		{Measure: "b", What: "time", Fabric: "direct", Size: 1000, System: report.Ours, Unit: "s", Failed: "no session\nafter 15 s"},
		{Measure: "b", What: "CPU", Size: 10, System: report.Ours, Unit: "s", Spread: report.Of(1234)},
	},
}

func TestTable(t *testing.T) {
	const want = `# What ` + "`make bench`" + ` measured

2026-01-02 03:04 UTC, version v1, ` + "`bench -n 10`" + `, 61 s in all. EPYC, 2 CPUs, 8192 MB; Debian, Linux 6.18; FRR 8.4.4; go1.26.

A cell is the median, with [least – p99] where there are several values; the ratio is that of the medians.

## b. Bulk

By hand.

Load meanwhile: 1.20 CPUs busy, 0.30 of them with what is not measured, 0.00 stolen; load average at the end 1.5.

| what | fabric | size | FRR | ours | ours / FRR |
| --- | --- | --- | --- | --- | --- |
| time, s | direct | 10 | 0.100 | 0.0250 [0.0200 – 0.0299] | 0.250 |
| time, s | direct | 1000 | 0.500 | failed (1) | – |
| CPU, s |  | 10 | – | 1234 | – |

(1) no session after 15 s
`
	var b strings.Builder
	if err := run.Write(&b, []report.Measure{{Letter: "a", Title: "One"}, {Letter: "b", Title: "Bulk", How: "By hand."}}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}

func TestLines(t *testing.T) {
	want := []report.Series{
		{Name: "FRR, direct", X: []float64{10, 1000}, Y: []float64{0.1, 0.5}},
		{Name: "ours, direct", X: []float64{10}, Y: []float64{0.025}},
	}
	if diff := cmp.Diff(want, run.Lines("b", "time", "s")); diff != "" {
		t.Error(diff)
	}
}

// A plot is well-formed, has a point for each value, and lies within its edges whatever the values.
func TestPlots(t *testing.T) {
	for _, c := range []struct {
		name    string
		svg     []byte
		circles int
		rects   int
	}{
		{"lines", report.Plot("a & b", "VMs", "s < t", run.Lines("b", "time", "s")), 3, 3},
		{"one point", report.Plot("", "", "", []report.Series{{X: []float64{7}, Y: []float64{7}}}), 1, 2},
		{"zero has no logarithm", report.Plot("", "", "", []report.Series{{X: []float64{1, 2}, Y: []float64{0, 3}}}), 1, 2},
		{"nothing", report.Plot("", "", "", nil), 0, 1},
		{"bars", run.Bars("b", "Bulk", "s"), 0, 5},
		{"no bars", run.Bars("x", "", "s"), 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			counts := make(map[string]int)
			for d := xml.NewDecoder(strings.NewReader(string(c.svg))); ; {
				token, err := d.Token()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatalf("%v in %s", err, c.svg)
				}
				if e, ok := token.(xml.StartElement); ok {
					counts[e.Name.Local]++
				}
			}
			if counts["circle"] != c.circles || counts["rect"] != c.rects {
				t.Errorf("%v, want %d circles and %d rectangles", counts, c.circles, c.rects)
			}
			if s := string(c.svg); strings.Contains(s, "NaN") || strings.Contains(s, "Inf") || strings.Contains(s, `="-`) {
				t.Errorf("a place that is none: %s", s)
			}
		})
	}
}
