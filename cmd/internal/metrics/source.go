package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Figure is one number with its labels.
type Figure struct {
	Name    string // without the prefix tns_; a counter's ends in _total
	Help    string
	Counter bool // it only grows while the daemon runs; else it is a gauge
	Labels  []Label
	Value   float64
}

// Label is a label and its value. All figures of one name have the same labels in the same order.
type Label struct{ Name, Value string }

// Source is a daemon's figures as they stand. It is called for each scrape, from any goroutine.
type Source func() []Figure

// Count is a counter.
func Count(name, help string, n uint64, labels ...Label) Figure {
	return Figure{Name: name, Help: help, Counter: true, Value: float64(n), Labels: labels}
}

// Gauge is a number that goes up and down.
func Gauge[N ~int | ~int64 | ~uint64 | ~float64](name, help string, n N, labels ...Label) Figure {
	return Figure{Name: name, Help: help, Value: float64(n), Labels: labels}
}

// Flag is a gauge that is 1 for true.
func Flag(name, help string, b bool, labels ...Label) Figure {
	n := 0
	if b {
		n = 1
	}
	return Gauge(name, help, n, labels...)
}

// collector hands a source's figures to Prometheus. It is an unchecked collector: which labels there are, only a scrape tells.
type collector struct{ source Source }

func (collector) Describe(chan<- *prometheus.Desc) {}

func (c collector) Collect(out chan<- prometheus.Metric) {
	for _, f := range c.source() {
		names := make([]string, len(f.Labels))
		values := make([]string, len(f.Labels))
		for i, l := range f.Labels {
			names[i], values[i] = l.Name, l.Value
		}
		kind := prometheus.GaugeValue
		if f.Counter {
			kind = prometheus.CounterValue
		}
		desc := prometheus.NewDesc("tns_"+f.Name, f.Help, names, nil)
		m, err := prometheus.NewConstMetric(desc, kind, f.Value, values...)
		if err != nil {
			m = prometheus.NewInvalidMetric(desc, err)
		}
		out <- m
	}
}
