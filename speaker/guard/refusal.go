package guard

import (
	"maps"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/time/rate"

	"github.com/tns-project/tns/speaker/guard/wire"
)

// refusals counts what did not get through by what it was, and logs it with its octets, but not more often than people can read.
type refusals struct {
	by         map[string]uint64
	limit      *rate.Limiter
	suppressed int
}

// maxKinds bounds how many different things are counted by themselves.
const maxKinds = 64

func (p *peer) refuse(r wire.Refusal) {
	p.count.Filtered++
	if r.Decision >= wire.Skip {
		p.count.Refused++
	}
	v := &p.refused
	if v.by == nil {
		v.by, v.limit = make(map[string]uint64), rate.NewLimiter(rate.Every(time.Second), 10)
	}
	if _, ok := v.by[r.What]; ok || len(v.by) < maxKinds {
		v.by[r.What]++
	}
	p.guard.tell(Notice{Kind: Filtered, Peer: p.address, Text: r.Text, Refusal: r})
	if !v.limit.Allow() {
		v.suppressed++
		return
	}
	p.log.WithFields(logrus.Fields{
		"what": r.What, "decision": r.Decision, "offset": r.Offset, "octets": hex(r.Octets), "suppressed": v.suppressed,
	}).Warn(r.Text)
	v.suppressed = 0
}

// hex prints octets only when the line is written.
type hex []byte

const digits = "0123456789abcdef"

func (h hex) String() string {
	b := make([]byte, 0, 2*len(h))
	for _, v := range h {
		b = append(b, digits[v>>4], digits[v&15])
	}
	return string(b)
}

// kinds is a copy of the counts.
func (v *refusals) kinds() map[string]uint64 { return maps.Clone(v.by) }
