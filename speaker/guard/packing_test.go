package guard_test

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker/guard/wire"
)

// alike is a route of which only MAC and IP differ from others.
func alike(n uint32) evpn.Route {
	r := request(0)
	r.IP = netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
	binary.BigEndian.PutUint32(r.MAC[2:], n)
	return r
}

// TestEqualRoutesShareUpdates: GoBGP writes an UPDATE a route; the peer is told what has equal attributes in few.
func TestEqualRoutesShareUpdates(t *testing.T) {
	const routes = 1000
	c := setting(anyone())
	g := run(t, c)
	list := make([]evpn.Route, routes)
	for i := range list {
		list[i] = alike(uint32(i))
	}
	g.back(t, list...)
	r := call(t, address(), g.own())
	r.establish(t, r.hello())
	updates := r.waitEnd(t) - 1
	heard := make(map[string]bool)
	for at, n := 0, 0; n < updates; n++ {
		msg, next := r.wait(t, at, wire.TypeUpdate)
		at = next
		u, err := wire.ParseUpdate(msg)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range u.Announced {
			heard[string(n.Octets)] = true
		}
	}
	t.Logf("%d routes in %d UPDATEs", len(heard), updates)
	if len(heard) != routes || updates > routes/5 {
		t.Errorf("%d routes came in %d UPDATEs, want %d in at most %d", len(heard), updates, routes, routes/5)
	}
}
