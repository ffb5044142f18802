//go:debug multipathtcp=0
package guard_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"go.uber.org/goleak"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker"
	"github.com/tns-project/tns/speaker/gobgp"
	"github.com/tns-project/tns/speaker/guard"
	"github.com/tns-project/tns/speaker/internal/live"
)

// GoBGP's loop does not end.
func TestMain(m *testing.M) {
	if os.Getenv(engineVariable) != "" {
		beEngine(os.Args[1], os.Args[2])
	}
	if os.Getenv(guardVariable) != "" {
		beGuard(os.Args[1], os.Args[2], os.Args[3], os.Args[4])
	}
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
	id         = live.RouterID
	eventually = live.Eventually
)

// setting is a guard's configuration: a listener at an address of its own, and an engine at another.
func setting(peers ...guard.Peer) guard.Config {
	own := address()
	return guard.Config{
		AS: as, RouterID: id(own), Listen: []netip.AddrPort{netip.AddrPortFrom(own, port)}, Peers: peers,
		Engine: guard.Engine{Address: netip.AddrPortFrom(address(), port), Network: network()}, Log: testLog(),
	}
}

// testLog writes to standard error what GUARD_LOG, a level, asks for.
func testLog() *logrus.Entry {
	l := logrus.New()
	l.SetLevel(logrus.PanicLevel)
	if level, err := logrus.ParseLevel(os.Getenv("GUARD_LOG")); err == nil {
		l.SetLevel(level)
	}
	l.SetFormatter(&logrus.TextFormatter{TimestampFormat: "05.000000", FullTimestamp: true})
	return logrus.NewEntry(l)
}

var networks atomic.Uint32

// network is 4096 inner addresses of a guard's own.
func network() netip.Prefix {
	n := networks.Add(1)%256 + uint32(os.Getpid()%4)*256
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{127, byte(64 + n>>4), byte(n << 4), 0}), 20)
}

// static is a peer that the guard dials.
func static(a netip.Addr) guard.Peer {
	return guard.Peer{Prefix: netip.PrefixFrom(a, 32), AS: as, Port: port}
}

// anyone is a peer for all of 127/8.
func anyone() guard.Peer {
	return guard.Peer{Prefix: netip.MustParsePrefix("127.0.0.0/8"), Dynamic: true, HoldTime: 90 * time.Second} // a raw peer sends no KEEPALIVEs
}

// running is a guard that runs.
type running struct {
	*guard.Guard
	config guard.Config
	stop   context.CancelFunc
	done   chan error
}

func run(t testing.TB, c guard.Config) *running {
	t.Helper()
	g, err := guard.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{Guard: g, config: c, stop: cancel, done: make(chan error, 1)}
	go func() { r.done <- g.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-r.done; err != nil {
			t.Error(err)
		}
	})
	return r
}

// own is the guard's outer address.
func (r *running) own() netip.Addr { return r.config.Listen[0].Addr() }

// status is one peer's; its State is Idle if it is not known.
func (r *running) status(t testing.TB, peer netip.Addr) guard.Status {
	t.Helper()
	for _, s := range r.Peers(t.Context()) {
		if s.Peer == peer {
			return s
		}
	}
	return guard.Status{}
}

// waitUp waits until the sessions with the peer and with its engine are established.
func (r *running) waitUp(t testing.TB, peer netip.Addr) guard.Status {
	t.Helper()
	var s guard.Status
	eventually(t, fmt.Sprintf("session with %v", peer), func() bool {
		s = r.status(t, peer)
		return s.State == guard.Established && s.Engine == guard.Established
	})
	return s
}

// waitMirror waits until GoBGP has the peer's session, too.
func (r *running) waitMirror(t testing.TB, peer netip.Addr) {
	t.Helper()
	eventually(t, fmt.Sprintf("GoBGP's session for %v", peer), func() bool { return r.status(t, peer).Mirror == guard.Established })
}

// engineOf is the configuration of a GoBGP behind the guard.
func engineOf(c guard.Config) gobgp.Config {
	return gobgp.Config{
		RouterID: c.RouterID, AS: c.AS, ListenPort: int(c.Engine.Address.Port()), ListenAddresses: []netip.Addr{c.Engine.Address.Addr()},
		Peers: []gobgp.Peer{{Prefix: c.Engine.Network, Dynamic: true, AS: as, Password: c.Engine.Password}}, // with any AS GoBGP v3 has a data race of its own
	}
}

// neighbour is the configuration of an outside speaker that dials the guard, and does not listen.
func neighbour(a netip.Addr, g guard.Config) gobgp.Config {
	return gobgp.Config{
		RouterID: id(a), AS: as, ListenPort: -1,
		Peers: []gobgp.Peer{{Prefix: netip.PrefixFrom(g.Listen[0].Addr(), 32), AS: g.AS, Port: port, LocalAddress: a}},
	}
}

// listening is one that waits for the guard to dial.
func listening(a netip.Addr) gobgp.Config {
	return gobgp.Config{
		RouterID: id(a), AS: as, ListenPort: port, ListenAddresses: []netip.Addr{a},
		Peers: []gobgp.Peer{{Prefix: netip.MustParsePrefix("127.0.0.0/8"), Dynamic: true}},
	}
}

// talking is a GoBGP with everything that its peers said.
type talking struct {
	*gobgp.Speaker
	*live.Record
	stop context.CancelFunc
}

// talk makes a GoBGP, announces routes, and opens it.
func talk(t testing.TB, c gobgp.Config, routes ...evpn.Route) *talking {
	t.Helper()
	s, err := gobgp.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &talking{Speaker: s, Record: live.NewRecord(s.Events()), stop: cancel}
	go func() { _ = s.Run(ctx) }()
	t.Cleanup(r.end)
	for _, route := range routes {
		r.announce(t, route)
	}
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}

// end stops it, as far as GoBGP can be stopped.
func (r *talking) end() {
	_ = r.Close()
	r.stop()
	<-r.Done()
}

func (r *talking) announce(t testing.TB, route evpn.Route) {
	t.Helper()
	if err := r.Announce(route); err != nil {
		t.Fatal(err)
	}
}

func (r *talking) withdraw(t testing.TB, k evpn.RouteKey) {
	t.Helper()
	if err := r.Withdraw(k); err != nil {
		t.Fatal(err)
	}
}

func (r *talking) waitEnd(t testing.TB, from int) (speaker.Event, int) {
	t.Helper()
	return r.Wait(t, from, "End-of-RIB", func(e speaker.Event) bool { return e.Kind == speaker.EndOfRIB && !e.Implied })
}

// request is a route as a TES announces it: a route target, seven communities of ours and the mirror.
func request(n uint32) evpn.Route {
	r := evpn.Route{
		RouteKey:         evpn.RouteKey{Type: evpn.MACIPAdvertisement, RD: evpn.NewRD(0xc6336401, 1), IP: netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})},
		Label:            10100,
		NextHop:          netip.MustParseAddr("198.51.100.1"),
		Communities:      []evpn.ExtendedCommunity{evpn.ExtendedCommunity(evpn.RequestTarget(0xc0000201))},
		LargeCommunities: []evpn.LargeCommunity{{Global: as, Data1: 102000, Data2: n}},
	}
	binary.BigEndian.PutUint32(r.MAC[2:], n)
	for sub := range byte(7) {
		r.Communities = append(r.Communities, evpn.ExtendedCommunity{0x88, sub + 1, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n), sub, 1})
	}
	return r
}

type speakerEvent = speaker.Event

func addrPort(a netip.Addr) netip.AddrPort { return netip.AddrPortFrom(a, port) }
