package guard_test

import (
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker/gobgp"
)

// path is two speakers with a session between them, or a session, a guard and a link.
type path struct {
	name         string
	engine, peer end
}

// end is one of them.
type end interface {
	announce(testing.TB, evpn.Route)
	Seen() ([]speakerEvent, <-chan struct{})
	Wait(testing.TB, int, string, func(speakerEvent) bool) (speakerEvent, int)
	WaitRoute(testing.TB, int, evpn.RouteKey) (speakerEvent, int)
}

// paths is GoBGP with GoBGP, and GoBGP with a guard and an engine on its link, behind which there is GoBGP as the mirror.
func paths(t testing.TB) []path {
	c := setting(anyone())
	a := address()
	g := run(t, c)
	engine := g.back(t)
	talk(t, engineOf(c))
	peer := talk(t, neighbour(a, c))
	peer.waitEnd(t, 0)
	g.waitUp(t, a)

	b, d := address(), address()
	alone := talk(t, listening(b))
	other := talk(t, gobgp.Config{
		RouterID: id(d), AS: as, ListenPort: -1,
		Peers: []gobgp.Peer{{Prefix: netip.PrefixFrom(b, 32), AS: as, Port: port, LocalAddress: d}},
	})
	other.waitEnd(t, 0)
	return []path{{"alone", alone, other}, {"guarded", engine, peer}}
}

// rounds is into how many parts a throughput is split, of which each path is first in half, so that both have the same weather.
const rounds = 20

// BenchmarkGuard compares a path with a guard with one without, alternating between them, so that both have the same machine. The latency of one change at
// rest, from Announce to the event on the other side: of b.N changes p50 and p99 of each, the difference and the ratio of the p50. The throughput of many:
// changes a second of 20 b.N changes of at most 1,000 routes, and the ratio; and, as other work of the machine makes the ratio vary, what both sides and the
// guard need of a processor for a change, and the ratio of that.
func BenchmarkGuard(b *testing.B) {
	ways := paths(b)
	for _, direction := range []string{"in", "out"} {
		b.Run(direction, func(b *testing.B) {
			var p50, rate [2]float64
			took := latencies(b, ways, direction)
			for i, w := range ways {
				slices.Sort(took[i])
				p50[i] = float64(took[i][len(took[i])/2].Nanoseconds()) / 1000
				b.ReportMetric(p50[i], w.name+"-p50-µs")
				b.ReportMetric(float64(took[i][len(took[i])*99/100].Nanoseconds())/1000, w.name+"-p99-µs")
			}
			b.ReportMetric(p50[1]-p50[0], "added-p50-µs")
			b.ReportMetric(p50[1]/p50[0], "p50-ratio")
			elapsed, used := throughput(b, ways, direction, b.N)
			for i, w := range ways {
				rate[i] = float64(rounds*b.N) / elapsed[i].Seconds()
				b.ReportMetric(rate[i], w.name+"-changes/s")
				b.ReportMetric(float64(used[i].Microseconds())/float64(rounds*b.N), w.name+"-cpu-µs/change")
			}
			b.ReportMetric(rate[1]/rate[0], "throughput-ratio")
			b.ReportMetric(used[1].Seconds()/used[0].Seconds(), "cpu-ratio")
		})
	}
}

// ends are the side that announces and the one that hears: "in" is from the peer to the engine.
func (p path) ends(direction string) (from, to end) {
	if direction == "out" {
		return p.engine, p.peer
	}
	return p.peer, p.engine
}

// rest is the pause before a change at rest: package guarded gathers what comes more often.
const rest = 2 * time.Millisecond

// latencies is how long each of b.N changes of one route took on each path.
func latencies(b *testing.B, ways []path, direction string) [2][]time.Duration {
	var took [2][]time.Duration
	var next [2]int
	r := request(1)
	for i, w := range ways {
		_, to := w.ends(direction)
		events, _ := to.Seen()
		next[i] = len(events)
	}
	tick := time.NewTicker(rest)
	defer tick.Stop()
	for range b.N {
		r.Label = label()
		for i, w := range ways {
			<-tick.C
			from, to := w.ends(direction)
			start := time.Now()
			from.announce(b, r)
			_, next[i] = to.WaitRoute(b, next[i], r.RouteKey)
			took[i] = append(took[i], time.Since(start))
		}
	}
	return took
}

// throughput is how long n changes in each round took in all, on the clock and on processors.
func throughput(b *testing.B, ways []path, direction string, n int) (elapsed, used [2]time.Duration) {
	for round := range rounds {
		version := label()
		for i := range ways {
			i := (i + round) % len(ways)
			from, to := ways[i].ends(direction)
			events, _ := to.Seen()
			next := len(events)
			start, before := time.Now(), processor(b)
			for n := range n {
				r := request(uint32(2 + n%1000))
				r.Label = version
				r.LargeCommunities[0].Data2 = uint32(n) // each differs from the one before
				from.announce(b, r)
			}
			last := request(uint32(2 + (n-1)%1000)).RouteKey
			to.Wait(b, next, "the last change", func(e speakerEvent) bool {
				return e.Route.RouteKey == last && e.Route.Label == version && e.Route.LargeCommunities[0].Data2 == uint32(n-1)
			})
			elapsed[i] += time.Since(start)
			used[i] += processor(b) - before
		}
	}
	return elapsed, used
}

// processor is the time that this process has had a processor.
func processor(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

var labels atomic.Uint32

// label is one that no route has yet.
func label() evpn.VNI { return evpn.VNI(labels.Add(1)) & evpn.MaxVNI }
