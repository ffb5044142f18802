package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/tns-project/tns/labs/bench/report"
	"github.com/tns-project/tns/labs/internal/usage"
)

// Bench is one invocation: what it is to do, and what came of it.
type Bench struct {
	Binaries string // directory of nved, tesd and reflector
	Fabrics  []Fabric
	Events   int    // a: VMs that come and go, one after the other
	VMs      []int  // b: how many at once
	Moves    int    // c, d
	Routes   int    // e
	Entries  []int  // f
	TESs     []int  // g
	VNs      []int  // g
	Offered  []int  // h: VMs
	Speakers int    // h: TESs that they are behind
	Profiles string // b, h: directory for profiles of ours; none if empty
	Log      io.Writer

	Figures []report.Figure
	Loads   map[string]usage.Load // by measure

	letter string        // of the measure that is being taken
	dir    string        // for what worlds need
	worlds int           // that there have been
	spent  time.Duration // CPU time of those that are over
}

// A measure is one of the things to be measured.
type measure struct {
	report.Measure
	run func(*Bench, context.Context) error
}

// limit is how long one measure may take.
const limit = 10 * time.Minute

// Run takes the measures of the given letters. One that fails does not keep the others from being taken.
func (b *Bench) Run(ctx context.Context, letters string) (err error) {
	if b.dir, err = os.MkdirTemp("", "tns-bench"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	b.Loads = make(map[string]usage.Load)
	var failures []error
	for _, m := range measures {
		if !strings.Contains(letters, m.Letter) {
			continue
		}
		if err := b.take(ctx, m); err != nil {
			failures = append(failures, fmt.Errorf("measure %s: %w", m.Letter, err))
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return errors.Join(failures...)
}

// take takes one measure, and notes what else the machine did.
func (b *Bench) take(ctx context.Context, m measure) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	b.letter, b.spent = m.Letter, 0
	began := time.Now()
	own, err := usage.Of(os.Getpid())
	if err != nil {
		return err
	}
	clock, err := usage.Now()
	if err != nil {
		return err
	}
	failed := m.run(b, ctx)
	after, err := usage.Of(os.Getpid())
	if err != nil {
		return err
	}
	b.Loads[m.Letter], err = clock.Since(after.CPU - own.CPU + b.spent)
	b.logf("%s took %.1f s", m.Letter, time.Since(began).Seconds())
	return errors.Join(failed, err)
}

func (b *Bench) logf(format string, args ...any) { fmt.Fprintf(b.Log, format+"\n", args...) }

// cell is what a figure is of.
type cell struct {
	what   string
	plan   Plan
	size   int
	unit   string
	system System // not that of the plan
}

func (b *Bench) figure(c cell) report.Figure {
	if c.system == "" {
		c.system = c.plan.System
	}
	return report.Figure{Measure: b.letter, What: c.what, Fabric: string(c.plan.Fabric), Size: c.size, System: string(c.system), Unit: c.unit}
}

// note keeps the values of a cell.
func (b *Bench) note(c cell, values ...float64) {
	f := b.figure(c)
	f.Spread = report.Of(values...)
	if f.Count == 0 {
		f.Failed = "nothing was measured"
	}
	b.Figures = append(b.Figures, f)
	b.logf("%s  %s, %s, %s, %d: %s %s", b.letter, f.What, f.System, f.Fabric, f.Size, f.Spread, f.Unit)
}

// fail keeps why there are none.
func (b *Bench) fail(c cell, err error) {
	f := b.figure(c)
	f.Failed = err.Error()
	b.Figures = append(b.Figures, f)
	b.logf("%s  %s, %s, %s, %d: %v", b.letter, f.What, f.System, f.Fabric, f.Size, err)
}
