package evpn_test

import (
	"hash/crc32"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/tns-project/tns/evpn"
)

func item(vni evpn.VNI, mac evpn.MAC, ip netip.Addr, sequence uint32) evpn.DigestItem {
	return evpn.DigestItem{VNI: vni, Key: evpn.RouteKey{Type: evpn.MACIPAdvertisement, MAC: mac, IP: ip}, Sequence: sequence}
}

func TestDigest(t *testing.T) {
	items := []evpn.DigestItem{
		item(10100, mac, ip6, 1700000000),
		item(10100, mac, netip.Addr{}, 1700000000),
		item(7, evpn.MAC{0x02, 0xff, 0xff, 0xff, 0xff, 0xff}, netip.Addr{}, 1),
		item(10100, mac, ip4, 1700000000),
	}
	sorted := octets(t, `00000007 02ffffffffff 00 00000001`+
		`00002774 020000000001 00 6553f100`+
		`00002774 020000000001 04 c0000201 6553f100`+
		`00002774 020000000001 10 20010db8000000000000000000000001 6553f100`)
	want := evpn.Digest{Live: 4, CRC: 0x7c1d1fde} // calculated apart, bit by bit
	if crc := crc32.Checksum(sorted, crc32.MakeTable(crc32.Castagnoli)); crc != want.CRC {
		t.Fatalf("CRC of the octets written out: %08x, want %08x", crc, want.CRC)
	}
	for seed := range uint64(24) {
		rand.New(rand.NewPCG(seed, 0)).Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
		if got := evpn.DigestOf(items); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

func TestDigestEdges(t *testing.T) {
	if got := evpn.DigestOf(nil); got != (evpn.Digest{}) {
		t.Errorf("of nothing: %+v", got)
	}
	if got, want := evpn.DigestOf([]evpn.DigestItem{item(10100, mac, netip.Addr{}, 1700000000)}), (evpn.Digest{Live: 1, CRC: 0x590eb670}); got != want {
		t.Errorf("of one: %+v, want %+v", got, want)
	}
	many := make([]evpn.DigestItem, 65537)
	if got := evpn.DigestOf(many); got.Live != 65535 {
		t.Errorf("of 65537: live %d, want 65535", got.Live)
	}
}
