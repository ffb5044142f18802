package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/tns-project/tns/labs/bench/report"
	"github.com/tns-project/tns/labs/internal/usage"
)

// write writes what was measured: figures.json, table.md, and the plots that there are figures for.
func (b *Bench) write(dir, version, command string, started time.Time) error {
	r := report.Run{
		Version: version, Started: started.Round(time.Second), Took: time.Since(started).Seconds(), Command: command,
		Machine: usage.ThisMachine(), Loads: b.Loads, Figures: b.Figures,
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	problems := []error{os.WriteFile(filepath.Join(dir, "figures.json"), append(text, '\n'), 0o644)}
	table, err := os.Create(filepath.Join(dir, "table.md"))
	if err != nil {
		return err
	}
	var explained []report.Measure
	for _, m := range measures {
		explained = append(explained, m.Measure)
	}
	problems = append(problems, r.Write(table, explained), table.Close())
	for _, p := range plots {
		if svg := p.draw(r); svg != nil {
			problems = append(problems, os.WriteFile(filepath.Join(dir, p.name+".svg"), svg, 0o644))
		}
	}
	return errors.Join(problems...)
}

// plot is one picture.
type plot struct {
	name, measure, title, what, x, unit string // what is empty: bars of all that have the unit
}

var plots = []plot{
	{"events", "a", "One event, to the entry in another edge's kernel", "", "", "ms"},
	{"bulk", "b", "Many VMs at once, to another edge's kernel", "add", "VMs", "s"},
	{"bulk-cpu-announces", "b", "CPU time of the edge that announces", "CPU of the edge that announces", "VMs", "s"},
	{"bulk-cpu-receives", "b", "CPU time of the edge that receives", "CPU of the edge that receives", "VMs", "s"},
	{"moves", "c", "A move, seen at a third edge", "", "", "ms"},
	{"migration", "d", "Migration of a silent VM: frames lost, one a millisecond", "", "", "frames"},
	{"restart", "e", "Start and restart", "", "", "s"},
	{"kernel", "f", "The kernel's tables alone", "", "", "µs per entry"},
	{"growth-tess", "g", "CPU of one event, as TESs grow", "CPU of the edge, with TESs", "TESs", "ms"},
	{"growth-vns", "g", "CPU of one event, as VNs grow", "CPU of the edge, with VNs", "VNs", "ms"},
	{"associations", "h", "Associations into one edge", "associations", "VMs", "per s"},
}

// draw is nil where nothing was measured.
func (p plot) draw(r report.Run) []byte {
	if p.what == "" {
		for _, f := range r.Figures {
			if f.Measure == p.measure {
				return r.Bars(p.measure, p.title, p.unit)
			}
		}
		return nil
	}
	lines := r.Lines(p.measure, p.what, p.unit)
	if len(lines) == 0 {
		return nil
	}
	return report.Plot(p.title, p.x, p.what+", "+p.unit, lines)
}

// absolute is the full name of a directory that has programs.
func absolute(dir string, programs ...string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for _, p := range programs {
		if _, err := os.Stat(filepath.Join(dir, p)); err != nil {
			return "", fmt.Errorf("-binaries %s: %w; make bench builds it", dir, err)
		}
	}
	return dir, nil
}
