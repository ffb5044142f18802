package evpn_test

import (
	"net/netip"
	"testing"

	"github.com/tns-project/tns/evpn"
)

func BenchmarkRequest(b *testing.B) {
	for _, test := range requests[:2] {
		cs := test.request.Communities()
		b.Run("encode "+test.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				test.request.Communities()
			}
		})
		b.Run("decode "+test.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := evpn.DecodeRequest(cs); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkResponse(b *testing.B) {
	response := responses[1].response
	cs := response.Communities()
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			response.Communities()
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := evpn.DecodeResponse(cs); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDigestOf(b *testing.B) {
	items := make([]evpn.DigestItem, 1000)
	for i := range items {
		items[i] = item(evpn.VNI(i%7), evpn.MAC{2, 0, 0, 0, byte(i >> 8), byte(i)}, ip4, uint32(i))
	}
	b.ReportAllocs()
	for b.Loop() {
		evpn.DigestOf(items)
	}
}

func BenchmarkNLRI(b *testing.B) {
	route := nlris[1].route
	nlri := octets(b, nlris[1].octets)
	b.Run("encode", func(b *testing.B) {
		buffer := make([]byte, 0, 64)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := route.AppendNLRI(buffer); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := evpn.DecodeNLRI(nlri); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkString(b *testing.B) {
	for name, v := range map[string]interface{ String() string }{"MAC": mac, "VMID": vm, "RD": evpn.NewRD(1<<24, 1)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = v.String()
			}
		})
	}
}

// The choice among the routes of four edges to one MAC.
func BenchmarkBetter(b *testing.B) {
	list := []evpn.Candidate{
		{Sequence: 3, VTEP: netip.MustParseAddr("192.0.2.4")},
		{Sequence: 7, VTEP: netip.MustParseAddr("192.0.2.3")},
		{Sequence: 7, VTEP: netip.MustParseAddr("192.0.2.2")},
		{Sequence: 6, VTEP: netip.MustParseAddr("2001:db8::1")},
	}
	b.ReportAllocs()
	for b.Loop() {
		best := list[0]
		for _, c := range list[1:] {
			if evpn.Better(c, best) {
				best = c
			}
		}
		if best != list[2] {
			b.Fatal(best)
		}
	}
}
