package guarded

import (
	"net/netip"
	"reflect"
	"runtime"
	"testing"

	"github.com/tns-project/tns/evpn"
)

// What a book has of a route is the route, with all that it can have, and nothing else has its key.
func TestBook(t *testing.T) {
	plain := macRoute(1, 1)
	full := plain
	full.Tag, full.IP = 7, netip.MustParseAddr("2001:db8::7")
	full.ESI, full.Label, full.OriginatorID = evpn.ESI{9: 1}, evpn.MaxVNI, 0xc0000201
	full.NextHop = netip.MustParseAddr("2001:db8::1")
	full.Communities = []evpn.ExtendedCommunity{{0x88, 1}, evpn.EncapsulationVXLAN}
	full.LargeCommunities = []evpn.LargeCommunity{{Global: 65000, Data1: 2, Data2: 3}, {Global: 1, Data1: 1 << 31, Data2: 5}}
	v4 := full
	v4.IP, v4.LargeCommunities = netip.MustParseAddr("192.0.2.7"), nil
	flood := evpn.Route{
		RouteKey: evpn.RouteKey{Type: evpn.InclusiveMulticast, RD: plain.RD, IP: netip.MustParseAddr("192.0.2.1")}, NextHop: netip.MustParseAddr("192.0.2.1"),
		PMSI: &evpn.PMSITunnel{Type: evpn.IngressReplication, Label: 10100, ID: netip.MustParseAddr("192.0.2.1")},
	}
	all := []evpn.Route{plain, full, v4, flood}
	b := make(book)
	for i := range all {
		b.put(&all[i])
	}
	seen := make(map[evpn.RouteKey]bool)
	for k := range b.keys() {
		seen[k] = true
	}
	for _, want := range all {
		if got, ok := b.get(want.RouteKey); !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("%v is %+v, %v, want %+v", want.RouteKey, got, ok, want)
		}
		if !seen[want.RouteKey] || len(seen) != len(all) {
			t.Errorf("the keys are %v, want %v among %d", seen, want.RouteKey, len(all))
		}
	}

	changed := full
	changed.Communities = changed.Communities[:1]
	b.put(&changed)
	if got, _ := b.get(full.RouteKey); !reflect.DeepEqual(got, changed) {
		t.Errorf("announced anew it is %+v, want %+v", got, changed)
	}
	if !b.remove(full.RouteKey) || b.remove(full.RouteKey) || b.has(full.RouteKey) || !b.has(v4.RouteKey) {
		t.Error("a route is to go once, and no other with it")
	}
}

// BenchmarkBook is what 10,000 responses take of memory, with seven communities each.
func BenchmarkBook(b *testing.B) {
	const n = 10_000
	r := macRoute(1, 1)
	for b.Loop() {
		before := heap()
		kept := make(book)
		for i := range n {
			r.Tag, r.Communities = evpn.EthernetTag(i), make([]evpn.ExtendedCommunity, 7)
			kept.put(&r)
		}
		b.ReportMetric((float64(heap())-float64(before))/n, "octets/route")
		runtime.KeepAlive(kept)
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
