package probe

import (
	"fmt"
	"time"
)

// Report is what became of a flow's frames, over all places where they could arrive.
type Report struct {
	Sent       int
	Arrived    int           // different frames
	Lost       int           // arrived nowhere
	Duplicated int           // arrivals of a frame that had arrived already, there or elsewhere
	Reordered  int           // arrivals, at one place, after a frame with a higher number
	Gap        time.Duration // the longest run of lost frames, in sending time
	Places     []int         // arrivals at each place
}

// Judge compares the frames sent with the arrivals at each place.
func Judge(sent []time.Time, places ...[]Arrival) Report {
	r := Report{Sent: len(sent)}
	seen := make([]bool, len(sent))
	for _, arrivals := range places {
		highest := -1
		for _, a := range arrivals {
			number := int(a.Number)
			if number >= len(sent) {
				continue
			}
			if number < highest {
				r.Reordered++
			}
			highest = max(highest, number)
			if seen[number] {
				r.Duplicated++
			} else {
				r.Arrived++
			}
			seen[number] = true
		}
		r.Places = append(r.Places, len(arrivals))
	}
	r.Lost = r.Sent - r.Arrived
	r.Gap = longestGap(sent, seen)
	return r
}

// longestGap is the longest time between the sending of the first lost frame of a run and that of the next that arrived.
func longestGap(sent []time.Time, seen []bool) (longest time.Duration) {
	first := -1
	for i, ok := range seen {
		switch {
		case !ok && first < 0:
			first = i
		case ok && first >= 0:
			longest = max(longest, sent[i].Sub(sent[first]))
			first = -1
		}
	}
	return longest
}

func (r Report) String() string {
	return fmt.Sprintf("%d sent, %d lost (longest run %.1f ms), %d duplicated, %d out of order",
		r.Sent, r.Lost, float64(r.Gap.Microseconds())/1000, r.Duplicated, r.Reordered)
}
