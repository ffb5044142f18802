package report

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/tns-project/tns/labs/internal/usage"
)

// Ours is the name of the system that the others are compared with.
const Ours = "ours"

// Figure is one quantity, measured of one system.
type Figure struct {
	Measure string `json:"measure"` // the letter
	What    string `json:"what"`
	Fabric  string `json:"fabric,omitempty"` // how the edges reach each other
	Size    int    `json:"size,omitempty"`   // VMs, TESs or VNs: whatever the measure varies
	System  string `json:"system"`
	Unit    string `json:"unit"`
	Spread
	Failed string `json:"failed,omitempty"` // why there is no value
}

// Spread is how values are distributed.
type Spread struct {
	Count int     `json:"count"`
	Min   float64 `json:"min"`
	P50   float64 `json:"p50"`
	P99   float64 `json:"p99"`
	Max   float64 `json:"max"`
}

// Of is the spread of values, in any order. That of none is zero.
func Of(values ...float64) Spread {
	if len(values) == 0 {
		return Spread{}
	}
	v := slices.Sorted(slices.Values(values))
	return Spread{Count: len(v), Min: v[0], P50: quantile(v, 0.5), P99: quantile(v, 0.99), Max: v[len(v)-1]}
}

// quantile of sorted values, between two of them in proportion.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	below := int(math.Floor(at))
	above := min(below+1, len(sorted)-1)
	return sorted[below] + (at-float64(below))*(sorted[above]-sorted[below])
}

// Milliseconds is durations as values.
func Milliseconds(durations ...time.Duration) []float64 { return in(time.Millisecond, durations) }

// Seconds is durations as values.
func Seconds(durations ...time.Duration) []float64 { return in(time.Second, durations) }

func in(unit time.Duration, durations []time.Duration) (values []float64) {
	for _, d := range durations {
		values = append(values, float64(d)/float64(unit))
	}
	return values
}

// Run is everything that one invocation measured.
type Run struct {
	Version string                `json:"version"`
	Started time.Time             `json:"started"`
	Took    float64               `json:"took_s"`
	Command string                `json:"command"`
	Machine usage.Machine         `json:"machine"`
	Loads   map[string]usage.Load `json:"loads"` // by measure
	Figures []Figure              `json:"figures"`
}

// row is what stands in one line of a table: one quantity of all systems.
type row struct {
	What, Fabric string
	Size         int
	Unit         string
	By           map[string]Figure
}

// rows groups the figures of a measure, in the order in which they were measured; sizes grow.
func (r Run) rows(measure string) (rows []row) {
	for _, f := range r.Figures {
		if f.Measure != measure {
			continue
		}
		same := func(v row) bool {
			return v.What == f.What && v.Fabric == f.Fabric && v.Size == f.Size && v.Unit == f.Unit
		}
		i := slices.IndexFunc(rows, same)
		if i < 0 {
			i = len(rows)
			rows = append(rows, row{f.What, f.Fabric, f.Size, f.Unit, make(map[string]Figure)})
		}
		rows[i].By[f.System] = f
	}
	order := func(s func(row) string) func(a, b row) int {
		first := make(map[string]int)
		for i, v := range rows {
			if _, ok := first[s(v)]; !ok {
				first[s(v)] = i
			}
		}
		return func(a, b row) int { return cmp.Compare(first[s(a)], first[s(b)]) }
	}
	what, fabric := order(func(v row) string { return v.What + v.Unit }), order(func(v row) string { return v.Fabric })
	slices.SortStableFunc(rows, func(a, b row) int {
		return cmp.Or(what(a, b), fabric(a, b), cmp.Compare(a.Size, b.Size))
	})
	return rows
}

// ratio is ours to another system's, by the medians; false where one of them is not there.
func (v row) ratio(other string) (float64, bool) {
	a, b := v.By[Ours], v.By[other]
	if a.Count == 0 || b.Count == 0 || a.Failed != "" || b.Failed != "" || b.P50 == 0 {
		return 0, false
	}
	return a.P50 / b.P50, true
}

// systems are those of rows, ours last.
func systems(rows []row) (names []string) {
	for _, v := range rows {
		for name := range v.By {
			if name != Ours && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	for _, v := range rows {
		if _, ok := v.By[Ours]; ok {
			return append(names, Ours)
		}
	}
	return names
}
