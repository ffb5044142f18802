package guard_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker/gobgp"
)

// path is two speakers with a session between them, or two sessions and a guard.
type path struct {
	name         string
	engine, peer *talking
}

// paths is GoBGP with GoBGP, and the same with a guard between.
func paths(t testing.TB) []path {
	c := setting(anyone())
	a := address()
	g := run(t, c)
	engine := talk(t, engineOf(c))
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

// BenchmarkChange is the latency of one change, from Announce to the event on the other side, in both directions, alternating between a path with a guard
// and one without: p50 in µs of each and their difference.
func BenchmarkChange(b *testing.B) {
	ways := paths(b)
	label := evpn.VNI(0)
	for _, direction := range []string{"in", "out"} {
		b.Run(direction, func(b *testing.B) {
			took := make([][]time.Duration, len(ways))
			next := make([]int, len(ways))
			r := request(1)
			for n := range b.N {
				label++
				for i, w := range ways {
					from, to := w.peer, w.engine
					if direction == "out" {
						from, to = to, from
					}
					r.Label = label
					if n == 0 {
						events, _ := to.Seen()
						next[i] = len(events)
					}
					start := time.Now()
					from.announce(b, r)
					_, next[i] = to.WaitRoute(b, next[i], r.RouteKey)
					took[i] = append(took[i], time.Since(start))
				}
			}
			var p50 [2]float64
			for i, w := range ways {
				slices.Sort(took[i])
				p50[i] = float64(took[i][len(took[i])/2].Nanoseconds()) / 1000
				b.ReportMetric(p50[i], w.name+"-p50-µs")
				b.ReportMetric(float64(took[i][len(took[i])*99/100].Nanoseconds())/1000, w.name+"-p99-µs")
			}
			b.ReportMetric(p50[1]-p50[0], "added-p50-µs")
		})
	}
}

// BenchmarkThroughput is many routes from Announce to the other side's events.
func BenchmarkThroughput(b *testing.B) {
	for i, w := range paths(b) {
		for _, direction := range []string{"in", "out"} {
			b.Run(w.name+"/"+direction, func(b *testing.B) {
				from, to := w.peer, w.engine
				if direction == "out" {
					from, to = to, from
				}
				before := to.Stats().Received
				for n := range b.N {
					r := request(uint32(n))
					r.Label = evpn.VNI(i<<8|b.N) & evpn.MaxVNI
					from.announce(b, r)
				}
				eventually(b, "all routes have arrived", func() bool { return to.Stats().Received >= before+uint64(b.N) })
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "routes/s")
			})
		}
	}
}
