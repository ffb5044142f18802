//go:debug multipathtcp=0
package gobgp_test

import (
	"context"
	"net/netip"
	"testing"

	"go.uber.org/goleak"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker/gobgp"
	"github.com/tns-project/tns/speaker/internal/live"
)

// GoBGP's loop does not end, and a listener that is closed while GoBGP is busy leaves its watcher until the loop comes round.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("reflect.rselect"),
		// GoBGP leaves the buffer of a session behind that ended with a message unread.
		goleak.IgnoreTopFunction("github.com/eapache/channels.(*InfiniteChannel).infiniteBuffer"))
}

const (
	as       = live.AS
	port     = live.Port
	patience = live.Patience
)

var (
	address    = live.Address
	eventually = live.Eventually
)

// speakerOn is a configuration that listens there, with the address as router-id.
func speakerOn(a netip.Addr) gobgp.Config {
	return gobgp.Config{RouterID: live.RouterID(a), AS: as, ListenPort: port, ListenAddresses: []netip.Addr{a}}
}

// activeFrom is a configuration that only connects.
func activeFrom(a netip.Addr, peers ...gobgp.Peer) gobgp.Config {
	c := speakerOn(a)
	c.ListenPort, c.ListenAddresses, c.Peers = -1, nil, peers
	return c
}

// to is a static peer.
func to(local, remote netip.Addr) gobgp.Peer {
	return gobgp.Peer{Prefix: netip.PrefixFrom(remote, 32), AS: as, Port: port, LocalAddress: local}
}

// anyone is a dynamic peer for all of 127/8.
func anyone() gobgp.Peer {
	return gobgp.Peer{Prefix: netip.MustParsePrefix("127.0.0.0/8"), Dynamic: true}
}

// running is a speaker with everything that its peers said.
type running struct {
	*gobgp.Speaker
	*live.Record
	address netip.Addr
	stop    context.CancelFunc // ends Run
	done    chan error
}

// run makes a speaker and runs it, without opening it.
func run(t testing.TB, c gobgp.Config) *running {
	t.Helper()
	s, err := gobgp.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{Speaker: s, Record: live.NewRecord(s.Events()), stop: cancel, done: make(chan error, 1), address: c.RouterID.Addr()}
	go func() { r.done <- s.Run(ctx) }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		cancel()
		<-r.Done()
	})
	return r
}

// start runs and opens a speaker.
func start(t testing.TB, c gobgp.Config) *running {
	t.Helper()
	r := run(t, c)
	if err := r.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}

// announce announces or fails the test.
func (r *running) announce(t testing.TB, routes ...evpn.Route) {
	t.Helper()
	for _, route := range routes {
		if err := r.Announce(route); err != nil {
			t.Fatal(err)
		}
	}
}

func (r *running) withdraw(t testing.TB, k evpn.RouteKey) {
	t.Helper()
	if err := r.Withdraw(k); err != nil {
		t.Fatal(err)
	}
}

var target = evpn.RequestTarget(0xc0000201)

// macRoute is a type 2 route with one route target.
func macRoute(n byte) evpn.Route {
	return evpn.Route{
		RouteKey:    evpn.RouteKey{Type: evpn.MACIPAdvertisement, RD: evpn.NewRD(0xc6336401, 1), MAC: evpn.MAC{2, 0, 0, 0, 0, n}},
		Label:       10100,
		NextHop:     netip.MustParseAddr("198.51.100.1"),
		Communities: []evpn.ExtendedCommunity{evpn.ExtendedCommunity(target)},
	}
}
