package dataplane_test

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/tns-project/tns/dataplane"
)

// What a reconciler compares in a full pass: all is there, or one of a hundred entries is somewhere else.
func BenchmarkDiff(b *testing.B) {
	for _, n := range []int{1_000, 10_000} {
		for _, wrong := range []int{0, n / 100} {
			b.Run(fmt.Sprintf("%d of %d", wrong, n), func(b *testing.B) {
				want, have := make(map[dataplane.Key]dataplane.Entry, n), make([]dataplane.Entry, 0, n)
				for i := range n {
					e := remote
					binary.BigEndian.PutUint32(e.Key.MAC[2:], uint32(i))
					want[e.Key] = e
					if i < wrong {
						key := e.Key
						e = local
						e.Key = key
					}
					have = append(have, e)
				}
				b.ReportAllocs()
				for b.Loop() {
					if set, del := dataplane.Diff(want, have); len(set) != wrong || len(del) != 0 {
						b.Fatalf("sets %d, deletes %d", len(set), len(del))
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/entry")
			})
		}
	}
}
