package nve

import (
	"encoding/binary"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/tns-project/tns/evpn"
)

// A table has what a map has, whatever is put and dropped in any order, while it grows and shrinks, and where several have one place.
func TestTableIsAMap(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var got table[*offer]
		want := map[evpn.RouteKey]*offer{}
		number := rapid.IntRange(0, rapid.SampledFrom([]int{3, 20, 400}).Draw(r, "routes"))
		route := func(n int) (k evpn.RouteKey) {
			k.Type, k.Tag = evpn.MACIPAdvertisement, evpn.EthernetTag(n%2)
			binary.BigEndian.PutUint32(k.MAC[2:], uint32(n/4))
			if n%4 > 1 {
				k.IP = netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)})
			}
			return k
		}
		for range rapid.IntRange(1, 600).Draw(r, "steps") {
			k := route(number.Draw(r, "route"))
			if rapid.IntRange(0, 9).Draw(r, "do") < 6 {
				o := &offer{route: requested{RouteKey: k}}
				got.put(o)
				want[k] = o
			} else {
				got.drop(k)
				delete(want, k)
			}
			if k := route(number.Draw(r, "another")); got.get(k) != want[k] {
				r.Fatalf("%v is %p, want %p", k, got.get(k), want[k])
			}
		}
		if keys := slices.SortedFunc(maps.Keys(want), compareRoutes); got.len() != len(want) || !slices.Equal(got.routes(), keys) {
			r.Fatalf("there are %d, %v, want %v", got.len(), got.routes(), keys)
		}
		for k := range want {
			if got.get(k) != want[k] {
				r.Fatalf("%v is %p, want %p", k, got.get(k), want[k])
			}
			got.drop(k)
		}
		if got.len() != 0 || len(got.things) != 0 {
			r.Fatalf("%d are left, and room for %d", got.len(), len(got.things))
		}
	})
}
