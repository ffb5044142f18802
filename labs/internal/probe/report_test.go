package probe_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tns-project/tns/labs/internal/probe"
)

func TestJudge(t *testing.T) {
	const ms = time.Millisecond
	start := time.Unix(1, 0)
	var sent []time.Time
	for i := range 8 {
		sent = append(sent, start.Add(time.Duration(i)*ms))
	}
	at := func(numbers ...uint32) (a []probe.Arrival) {
		for _, n := range numbers {
			a = append(a, probe.Arrival{Number: n})
		}
		return a
	}
	for _, c := range []struct {
		name   string
		places [][]probe.Arrival
		want   probe.Report
	}{
		{"all at one place", [][]probe.Arrival{at(0, 1, 2, 3, 4, 5, 6, 7)},
			probe.Report{Sent: 8, Arrived: 8, Places: []int{8}}},
		{"a move that loses three", [][]probe.Arrival{at(0, 1), at(5, 6, 7)},
			probe.Report{Sent: 8, Arrived: 5, Lost: 3, Gap: 3 * ms, Places: []int{2, 3}}},
		{"two gaps, the longer counts", [][]probe.Arrival{at(0, 2, 5, 6, 7)},
			probe.Report{Sent: 8, Arrived: 5, Lost: 3, Gap: 2 * ms, Places: []int{5}}},
		{"a frame at both places", [][]probe.Arrival{at(0, 1, 2, 3), at(3, 4, 5, 6, 7)},
			probe.Report{Sent: 8, Arrived: 8, Duplicated: 1, Places: []int{4, 5}}},
		{"out of order", [][]probe.Arrival{at(0, 2, 1, 3, 4, 5, 6, 7)},
			probe.Report{Sent: 8, Arrived: 8, Reordered: 1, Places: []int{8}}},
		{"the end is lost: no gap, nothing came after it", [][]probe.Arrival{at(0, 1, 2, 3, 4, 5)},
			probe.Report{Sent: 8, Arrived: 6, Lost: 2, Places: []int{6}}},
		{"nothing arrives", [][]probe.Arrival{nil},
			probe.Report{Sent: 8, Lost: 8, Places: []int{0}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, probe.Judge(sent, c.places...)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
