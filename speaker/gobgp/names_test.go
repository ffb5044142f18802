package gobgp

import (
	"context"
	"net/netip"
	"testing"

	api "github.com/osrg/gobgp/v3/api"
	"google.golang.org/protobuf/types/known/anypb"
)

func TestNamesInRequestsAndAnswers(t *testing.T) {
	n := NewNames()
	n.Set(netip.MustParseAddr("127.64.0.9"), netip.MustParseAddr("192.0.2.9"))
	n.Set(netip.MustParseAddr("127.64.0.6"), netip.MustParseAddr("2001:db8::6"))
	request := &api.ListPathRequest{Name: "192.0.2.9", Prefixes: []*api.TableLookupPrefix{{Prefix: "192.0.2.9"}}}
	answer, err := n.Unary(context.Background(), request, nil, func(_ context.Context, got any) (any, error) {
		if r := got.(*api.ListPathRequest); r.Name != "127.64.0.9" || r.Prefixes[0].Prefix != "192.0.2.9" {
			t.Errorf("GoBGP is asked %v: want the inner address, and the route's as it is", r)
		}
		return &api.ListPathResponse{Destination: &api.Destination{Paths: []*api.Path{
			{NeighborIp: "127.64.0.9", SourceId: "192.0.2.1"}, {NeighborIp: "127.64.0.6"}, {NeighborIp: "127.64.0.7"}, {NeighborIp: "<nil>"},
		}}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"192.0.2.9", "2001:db8::6", "127.64.0.7", "<nil>"} {
		if got := answer.(*api.ListPathResponse).Destination.Paths[i].NeighborIp; got != want {
			t.Errorf("path %d: told %s, want %s", i, got, want)
		}
	}
}

func TestNamesAreLearnedAndReplaced(t *testing.T) {
	n := NewNames()
	learn := func(inner, real string) {
		capability, err := anypb.New(&api.UnknownCapability{Code: addressCapability, Value: netip.MustParseAddr(real).AsSlice()})
		if err != nil {
			t.Fatal(err)
		}
		n.learn(&api.Peer{State: &api.PeerState{NeighborAddress: inner, RemoteCap: []*anypb.Any{capability}}})
	}
	a, b := netip.MustParseAddr("127.64.0.1"), netip.MustParseAddr("127.64.0.2")
	x, y := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	learn("127.64.0.1", "192.0.2.1")
	if n.Real(a) != x || n.Inner(x) != a || n.Real(b) != b {
		t.Errorf("%v is %v", a, n.Real(a))
	}
	learn("127.64.0.1", "192.0.2.2") // given to another peer
	if n.Real(a) != y || n.Inner(x) != x {
		t.Errorf("%v is %v, and %v is still %v", a, n.Real(a), x, n.Inner(x))
	}
	learn("127.64.0.2", "192.0.2.2") // which has another one now
	if n.Real(b) != y || n.Real(a) != a || n.Inner(y) != b {
		t.Errorf("%v is %v, %v is %v", a, n.Real(a), b, n.Real(b))
	}
}
