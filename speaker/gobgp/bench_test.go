package gobgp_test

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/tns-project/tns/evpn"
)

// request is a route as a TES announces it: a route target, seven communities of ours and the mirror.
func request(n uint32) evpn.Route {
	r := macRoute(0)
	binary.BigEndian.PutUint32(r.MAC[2:], n)
	r.IP = netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
	for sub := range byte(7) {
		r.Communities = append(r.Communities, evpn.ExtendedCommunity{0x88, sub + 1, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n), sub, 1})
	}
	r.LargeCommunities = []evpn.LargeCommunity{{Global: as, Data1: 102000, Data2: n}}
	return r
}

// BenchmarkAnnounce is Announce alone, of new routes, without a peer.
func BenchmarkAnnounce(b *testing.B) {
	s := start(b, activeFrom(address()))
	b.ReportAllocs()
	n := uint32(0)
	for b.Loop() {
		n++
		if err := s.Announce(request(n)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRoute is a route from Announce to the reader of the other speaker's events, both in this process.
func BenchmarkRoute(b *testing.B) {
	passive, active := pair(b)
	passive.WaitUp(b, 0, active.address)
	active.WaitUp(b, 0, passive.address)
	b.ReportAllocs()
	b.ResetTimer()
	for n := range uint32(b.N) {
		if err := active.Announce(request(n)); err != nil {
			b.Fatal(err)
		}
	}
	eventually(b, "all routes have arrived", func() bool { return passive.Stats().Received >= uint64(b.N) && passive.Stats().Queue == 0 })
}

// BenchmarkRoundTrip is the same one at a time: a change, and its arrival.
func BenchmarkRoundTrip(b *testing.B) {
	passive, active := pair(b)
	_, next := passive.WaitUp(b, 0, active.address)
	r := request(1)
	b.ResetTimer()
	for n := range b.N {
		r.Label = evpn.VNI(n) & evpn.MaxVNI
		if err := active.Announce(r); err != nil {
			b.Fatal(err)
		}
		_, next = passive.WaitRoute(b, next, r.RouteKey)
	}
}
