package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tns-project/tns/labs/bench/report"
)

// binaries is where the programs are that are measured.
var binaries string

func TestMain(m *testing.M) {
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		code = 1
	}
	os.Exit(code)
}

func buildAndRun(m *testing.M) (code int, err error) {
	if binaries, err = os.MkdirTemp("", "tns-bench-bin"); err != nil {
		return 0, err
	}
	defer os.RemoveAll(binaries)
	if output, err := exec.Command("go", "build", "-o", binaries+"/", "../../cmd/nved", "../../cmd/tesd", "../reflector").CombinedOutput(); err != nil {
		return 0, fmt.Errorf("build what is measured: %w\n%s", err, output)
	}
	return m.Run(), nil
}

// tiny is the measuring in the least sizes that have all of it.
func tiny(t *testing.T) *Bench {
	return &Bench{
		Binaries: binaries, Fabrics: []Fabric{GoBGPReflector}, Log: t.Output(),
		Events: 5, VMs: []int{20}, Moves: 2, Routes: 20, Entries: []int{20}, TESs: []int{3}, VNs: []int{3}, Offered: []int{20}, Speakers: 3,
	}
}

// TestMeasures takes each measure in a tiny size: each figure is there, and none failed.
func TestMeasures(t *testing.T) {
	both := func(whats ...string) (list []string) {
		for _, w := range whats {
			list = append(list, w+" of FRR", w+" of ours")
		}
		return list
	}
	for letter, want := range map[string][]string{
		"a": append(both("add", "delete", "add, local server", "delete, local server"), "answered of ours"),
		"b": append(both("add", "delete", "CPU of the edge that announces", "CPU of the reflector", "CPU of the edge that receives", "peak memory of the edge that receives"),
			"CPU of the edge that receives: zebra of FRR", "CPU of the edge that receives: guard of ours", "CPU of the edge that announces: engine of ours", "peak memory of the edge that announces: supervisor of ours"),
		"c": append(both("move"), "move with EMIGRATE of ours"),
		"d": both("lost beyond the pause", "lost in all"),
		"e": append(both("first", "cold start", "cold start, CPU", "restart", "restart: missing at the worst"),
			"restart of the engine of ours", "restart of the engine: missing at the worst of ours"),
		"f": {"add, first of raw netlink", "add, first of ours", "delete, first of ours", "add of raw netlink", "delete of raw netlink", "add of ours", "delete of ours"},
		"g": {"add, with TESs of ours", "CPU of the edge, with TESs of ours", "CPU of the idle edge, with TESs of ours", "add, with VNs of ours", "CPU of the edge, with VNs of ours"},
		"h": {"associations of GoBGP", "associations of ours", "memory: engine of ours", "memory: supervisor of ours", "CPU: guard of ours", "CPU: reflector of GoBGP"},
	} {
		t.Run(letter, func(t *testing.T) {
			b := tiny(t)
			if err := b.Run(t.Context(), letter); err != nil {
				t.Fatal(err)
			}
			found := make(map[string]report.Figure)
			for _, f := range b.Figures {
				found[f.What+" of "+f.System] = f
				if f.Failed != "" {
					t.Errorf("%s of %s: %s", f.What, f.System, f.Failed)
				}
			}
			for _, name := range want {
				f, ok := found[name]
				// Nothing may be missing, and nothing be lost, and the memory that is measured last may be what was there before.
				mayBeZero := strings.HasPrefix(f.Unit, "MACs") || f.Unit == "frames" || f.Unit == "KB per VM"
				if !ok || f.Count == 0 || f.P50 <= 0 && !mayBeZero {
					t.Errorf("%s: %+v", name, f)
				}
			}
			if load := b.Loads[letter]; load.Busy <= 0 {
				t.Errorf("the load was %+v", load)
			}
			switch letter {
			case "a", "c":
				// FRR holds each route for 10 ms at least, so a shorter time was not measured to the end.
				for _, what := range []string{"add of FRR", "move of FRR"} {
					if f, ok := found[what]; ok && f.Min < 10 {
						t.Errorf("%s took %v ms", what, f.Min)
					}
				}
			case "b":
				whole, parts := found["peak memory of the edge that announces of ours"].P50, 0.0
				for _, program := range []string{"guard", "engine", "supervisor"} {
					parts += found["peak memory of the edge that announces: "+program+" of ours"].P50
				}
				if whole < 0.99*parts {
					t.Errorf("the edge has %v MB, its processes %v", whole, parts)
				}
			case "e":
				if got := found["restart: missing at the worst of FRR"].P50; got != 20 {
					t.Errorf("FRR's restart left %v of 20 MACs missing, it empties its tables", got)
				}
				if got := found["restart of the engine: missing at the worst of ours"].P50; got != 0 {
					t.Errorf("the engine's restart left %v MACs missing", got)
				}
			}
		})
	}
}

// TestDirect takes the measures of single events where the edges speak directly: FRR's by sessions of the configuration, ours by the express path.
func TestDirect(t *testing.T) {
	b := tiny(t)
	b.Fabrics = []Fabric{Direct}
	if err := b.Run(t.Context(), "ac"); err != nil {
		t.Fatal(err)
	}
	found := make(map[string]bool)
	for _, f := range b.Figures {
		if f.Failed != "" {
			t.Errorf("%s of %s: %s", f.What, f.System, f.Failed)
		}
		found[f.What+" of "+f.System] = f.Count > 0
	}
	for _, name := range []string{"add of FRR", "add of ours", "move of FRR", "move of ours"} {
		if !found[name] {
			t.Errorf("no figure of %s", name)
		}
	}
}

// TestWrite writes what was measured, with each plot that there are figures for.
func TestWrite(t *testing.T) {
	b := &Bench{Figures: []report.Figure{
		{Measure: "a", What: "add", System: "FRR", Unit: "ms", Spread: report.Of(112)},
		{Measure: "h", What: "associations", Size: 10, System: "ours", Unit: "per s", Spread: report.Of(5000)},
	}}
	dir := filepath.Join(t.TempDir(), "performance")
	if err := b.write(dir, "v1", "bench", time.Now()); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if diff := cmp.Diff([]string{"associations.svg", "events.svg", "figures.json", "table.md"}, names); diff != "" {
		t.Error(diff)
	}
}

func TestShrink(t *testing.T) {
	b := Full()
	b.shrink(1000)
	if b.Events != 500 || b.Routes != 1000 {
		t.Errorf("%d events, %d routes", b.Events, b.Routes)
	}
	if diff := cmp.Diff([]int{1000}, b.VMs); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int{10, 1000}, b.VNs); diff != "" {
		t.Error(diff)
	}
}

func TestFlags(t *testing.T) {
	for _, c := range []struct{ list, want, wrong string }{
		{"", "abcdefgh", ""}, // in whatever order they are taken
		{"c,a", "ca", ""},
		{"a,z", "", `no measure "z", but a, b, c`},
		{"ab", "", `no measure "ab"`},
	} {
		letters, err := choose(c.list)
		if c.list == "" {
			letters = string(slices.Sorted(slices.Values([]byte(letters))))
		}
		if letters != c.want || err == nil != (c.wrong == "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("%q: %q, %v, want %q, %q", c.list, letters, err, c.want, c.wrong)
		}
	}
	var s sizes
	if err := s.Set("10,1000"); err != nil || s.String() != "10,1000" {
		t.Errorf("%v, %v", s, err)
	}
	var f fabrics
	if err := f.Set("direct,frr"); err != nil || len(f) != 2 || f[0] != Direct {
		t.Errorf("%v, %v", f, err)
	}
	for _, err := range []error{s.Set("10,0"), s.Set("x"), f.Set("bird")} {
		if err == nil {
			t.Error("what is none was read")
		}
	}
}
