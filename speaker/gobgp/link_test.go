package gobgp_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	api "github.com/osrg/gobgp/v3/api"
	"github.com/osrg/gobgp/v3/pkg/apiutil"
	"github.com/osrg/gobgp/v3/pkg/packet/bgp"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker/gobgp"
	"github.com/tns-project/tns/speaker/guard/wire"
	"github.com/tns-project/tns/speaker/link"
)

// fromPeer is the route as another AS sends it.
func fromPeer(t *testing.T, r evpn.Route, more ...byte) []byte {
	t.Helper()
	msg, err := link.AppendAnnouncement(nil, &r)
	if err != nil {
		t.Fatal(err)
	}
	more = append([]byte{0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 1, 0, 1}, more...) // ORIGIN, AS_PATH
	msg = append(msg, more...)
	for _, at := range []int{16, 21} {
		n := int(msg[at])<<8 | int(msg[at+1])
		n += len(more)
		msg[at], msg[at+1] = byte(n>>8), byte(n)
	}
	return msg
}

// throughGoBGP is what GoBGP tells of an UPDATE that announces one route.
func throughGoBGP(t *testing.T, msg []byte) (evpn.Route, error) {
	t.Helper()
	m, err := bgp.ParseBGPMessage(msg)
	if err != nil {
		t.Fatal(err)
	}
	attrs := m.Body.(*bgp.BGPUpdate).PathAttributes
	path := &api.Path{}
	for _, a := range attrs {
		if reach, ok := a.(*bgp.PathAttributeMpReachNLRI); ok {
			if path.Nlri, err = apiutil.MarshalNLRI(reach.Value[0]); err != nil {
				t.Fatal(err)
			}
		}
	}
	if path.Pattrs, err = apiutil.MarshalPathAttributes(attrs); err != nil {
		t.Fatal(err)
	}
	return gobgp.Decode(path)
}

// Whatever a peer announces, the engine hears the same from the guard as it would from GoBGP.
func TestLinkDecodesAsGoBGPDoes(t *testing.T) {
	f := wire.NewFilter(wire.Session{Families: []wire.Family{wire.EVPN}, FourOctetAS: true, Internal: true})
	var d link.Decoder
	originator := []byte{0x80, 9, 4, 192, 0, 2, 9}
	for _, route := range contents() {
		for _, more := range [][]byte{nil, originator} {
			verdict := f.Update(fromPeer(t, route, more...))
			if len(verdict.Forward) != 1 {
				t.Fatalf("%v: the filter forwards %d messages: %v", route.RouteKey, len(verdict.Forward), verdict.Refusals)
			}
			want, err := throughGoBGP(t, verdict.Forward[0])
			if err != nil {
				t.Fatal(err)
			}
			said, err := d.Update(verdict.Forward[0])
			if err != nil || len(said.Announced) != 1 {
				t.Fatalf("%v: %v, %+v", route.RouteKey, err, said)
			}
			got := said.Announced[0]
			if diff := cmp.Diff(want, got, cmp.Comparer(addrs)); diff != "" {
				t.Errorf("%v: GoBGP -, link +\n%s", route.RouteKey, diff)
			}
			if len(more) > 0 {
				route.OriginatorID = 0xc0000209
			}
			sortCommunities(route.Communities)
			sortCommunities(got.Communities)
			if diff := cmp.Diff(route, got, cmp.Comparer(addrs)); diff != "" {
				t.Errorf("%v: announced -, heard +\n%s", route.RouteKey, diff)
			}
			d = link.Decoder{} // as its communities were sorted
		}
	}
}

func sortCommunities(c []evpn.ExtendedCommunity) {
	slices.SortFunc(c, func(a, b evpn.ExtendedCommunity) int { return slices.Compare(a[:], b[:]) })
}
