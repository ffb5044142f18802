package nve

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/tns-project/tns/evpn"
)

// What is kept in sorted slices is what a map would have, in order.
func TestSortedAsAMap(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		keys := rapid.Custom(func(r *rapid.T) evpn.RouteKey {
			k := evpn.RouteKey{Type: evpn.MACIPAdvertisement, MAC: mac(rapid.ByteRange(1, 3).Draw(r, "mac")), RD: evpn.NewRD(1, rapid.Uint16Range(1, 2).Draw(r, "rd"))}
			if n := rapid.ByteRange(0, 2).Draw(r, "ip"); n > 0 {
				k.IP = netip.AddrFrom4([4]byte{10, 0, 0, n})
			}
			return k
		})
		stationOf := func(k evpn.RouteKey) StationKey { return StationKey{evpn.VNI(k.RD[7]), k.MAC} }
		var routes bindings
		var stations ByStation[int]
		var numbers []int
		byRoute, byStation, set := map[evpn.RouteKey]*binding{}, map[StationKey]int{}, map[int]struct{}{}
		r.Repeat(map[string]func(*rapid.T){
			"put": func(r *rapid.T) {
				k, n := keys.Draw(r, "key"), rapid.IntRange(0, 5).Draw(r, "number")
				b := &binding{key: k}
				routes.put(b)
				stations.Put(stationOf(k), n)
				numbers = with(numbers, n, cmp.Compare)
				byRoute[k], byStation[stationOf(k)], set[n] = b, n, struct{}{}
			},
			"drop": func(r *rapid.T) {
				k, n := keys.Draw(r, "key"), rapid.IntRange(0, 5).Draw(r, "number")
				routes.drop(k)
				stations.Drop(stationOf(k))
				numbers = without(numbers, n, cmp.Compare)
				delete(byRoute, k)
				delete(byStation, stationOf(k))
				delete(set, n)
			},
			"": func(r *rapid.T) {
				var got []evpn.RouteKey
				for _, b := range routes {
					got = append(got, b.key)
					if byRoute[b.key] != b {
						r.Fatalf("%s is another", b.key)
					}
				}
				if want := keysOf(byRoute, compareRoutes); !slices.Equal(got, want) {
					r.Fatalf("routes %v, want %v", got, want)
				}
				if k := keys.Draw(r, "key"); routes.get(k) != byRoute[k] {
					r.Fatalf("%s is %v, want %v", k, routes.get(k), byRoute[k])
				}
				var there []StationKey
				for _, at := range stations {
					there = append(there, at.StationKey)
					if v, ok := stations.Get(at.StationKey); !ok || v != at.Value || v != byStation[at.StationKey] {
						r.Fatalf("%v is %d, want %d", at.StationKey, v, byStation[at.StationKey])
					}
				}
				if want := keysOf(byStation, compareStations); !slices.Equal(there, want) {
					r.Fatalf("stations %v, want %v", there, want)
				}
				if want := slices.Sorted(maps.Keys(set)); !slices.Equal(numbers, want) {
					r.Fatalf("numbers %v, want %v", numbers, want)
				}
				if n := rapid.IntRange(0, 5).Draw(r, "number"); has(numbers, n, cmp.Compare) != slices.Contains(numbers, n) {
					r.Fatalf("has %d: %t", n, has(numbers, n, cmp.Compare))
				}
			},
		})
	})
}
