package evpn_test

import (
	"encoding/hex"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/tns-project/tns/evpn"
)

// octets reads hexadecimal digits; spaces are for the reader.
func octets(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatalf("octets %q: %v", s, err)
	}
	return b
}

// community reads the sub-type and value of a community of type 0x88.
func community(t testing.TB, s string) evpn.ExtendedCommunity {
	t.Helper()
	return evpn.ExtendedCommunity(octets(t, "88 "+s))
}

func communities(t testing.TB, rows ...string) []evpn.ExtendedCommunity {
	t.Helper()
	cs := make([]evpn.ExtendedCommunity, len(rows))
	for i, row := range rows {
		cs[i] = community(t, row)
	}
	return cs
}

// shuffled is the communities in another order, the same one for the same seed.
func shuffled(cs []evpn.ExtendedCommunity, seed uint64) []evpn.ExtendedCommunity {
	out := append([]evpn.ExtendedCommunity(nil), cs...)
	r := rand.New(rand.NewPCG(seed, 0))
	r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

func routerID(t testing.TB, s string) evpn.RouterID {
	t.Helper()
	id, err := evpn.ParseRouterID(s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

var (
	vm   = evpn.VMID{0x7b, 0x0c, 0x2f, 0x6e, 0x5a, 0x4d, 0x4c, 0x1e, 0x9f, 0x3a, 0x2d, 0x8e, 0x6b, 0x1a, 0x0c, 0x55}
	mac  = evpn.MAC{0x02, 0, 0, 0, 0, 0x01}
	ip4  = netip.MustParseAddr("192.0.2.1")
	ip6  = netip.MustParseAddr("2001:db8::1")
	blue = evpn.VNName{0x16, 0x47, 0x76, 0x88, 0xc0, 0xe0, 0x06, 0x99, 0xc6, 0xcf, 0xa4, 0x49} // sha256sum of "blue"
)
