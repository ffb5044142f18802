package guard

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tns-project/tns/speaker/guard/wire"
)

// route is a change of an EVPN route of type 2 with a MAC, an ESI and a label.
func route(mac, esi, label byte) wire.Change {
	n := []byte{2, 33, 0, 1, 10, 0, 0, 9, 0, 1}
	n = append(n, make([]byte, 14)...)
	n[10] = esi
	n = append(n, 48, 2, 0, 0, 0, 0, mac, 0, 0, 0, label)
	return wire.Change{Family: wire.EVPN, NLRI: string(n)}
}

func TestQueueKeepsTheNewestInItsFirstPlace(t *testing.T) {
	q := newQueue()
	q.put(route(1, 0, 1), route(2, 0, 1))
	q.mark(wire.EVPN)
	q.put(route(3, 0, 1), route(1, 9, 2)) // another ESI and label: the same route
	if q.len() != 4 {
		t.Errorf("%d due, want three routes and a mark", q.len())
	}
	changes, end := q.take(nil, 10)
	if len(changes) != 2 || changes[0] != route(1, 9, 2) || changes[1] != route(2, 0, 1) || end != wire.EVPN {
		t.Errorf("taken %v, mark %v", changes, end)
	}
	changes, end = q.take(nil, 1)
	if len(changes) != 1 || changes[0] != route(3, 0, 1) || end != 0 || q.len() != 0 {
		t.Errorf("taken %v, mark %v, %d left", changes, end, q.len())
	}
	q.put(route(1, 0, 3))
	if changes, _ = q.take(nil, 1); len(changes) != 1 || changes[0] != route(1, 0, 3) {
		t.Errorf("taken %v: what was taken may be due again", changes)
	}
}

// TestQueueDoesNotGrow lets ten routes change for ever, End-of-RIB after each, and be taken one by one.
func TestQueueDoesNotGrow(t *testing.T) {
	q := newQueue()
	for n := range 100_000 {
		q.put(route(byte(n%10), 0, byte(n)))
		q.mark(wire.EVPN)
		if n%3 == 0 {
			q.take(nil, 1)
		}
	}
	if q.len() > 20 || cap(q.order) > 64 || len(q.newest) > 10 {
		t.Errorf("%d due in %d places and %d values, for ten routes", q.len(), cap(q.order), len(q.newest))
	}
}

func TestInnerAddresses(t *testing.T) {
	e := Engine{Address: netip.MustParseAddrPort("127.64.0.5:1790"), Network: netip.MustParsePrefix("127.64.0.0/29")}
	p := newPool(e)
	seen := make(map[netip.Addr]bool)
	for n := range 5 {
		peer := netip.MustParseAddr(fmt.Sprintf("192.0.2.%d", n))
		a, err := p.take(peer)
		if err != nil || seen[a] || !e.Network.Contains(a) || a == e.Address.Addr() || a == e.Network.Addr() {
			t.Fatalf("peer %d: %v, %v", n, a, err)
		}
		if again, err := p.take(peer); err != nil || again != a {
			t.Errorf("peer %d: %v, then %v", n, a, again)
		}
		seen[a] = true
	}
	if a, err := p.take(netip.MustParseAddr("192.0.2.9")); err == nil {
		t.Errorf("a sixth address of five: %v", a)
	}
	freed := p.of[netip.MustParseAddr("192.0.2.1")]
	p.give(netip.MustParseAddr("192.0.2.1"))
	if a, err := p.take(netip.MustParseAddr("2001:db8::1")); err != nil || a != freed {
		t.Errorf("%v, %v: want the free one %v", a, err, freed)
	}
}

// TestInnerPeers: whoever configures the engine comes to the same addresses as the guard.
func TestInnerPeers(t *testing.T) {
	c := valid()
	list, err := c.InnerPeers()
	if err != nil {
		t.Fatal(err)
	}
	g, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 2 || list[0].Real != c.Peers[0].Prefix.Addr() || g.pool.of[list[0].Real] != list[0].Prefix.Addr() {
		t.Errorf("%+v, the guard has %v", list, g.pool.of)
	}
	if last := list[len(list)-1]; last.Prefix != defaultNetwork || !last.Peer.Dynamic {
		t.Errorf("dynamic peers: %+v", last)
	}
	g.Close()
}

// TestClose frees what New took, so that another guard has the address, and keeps Run from using what is gone.
func TestClose(t *testing.T) {
	c := valid()
	g, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	c.Listen = []netip.AddrPort{g.listeners[0].Addr().(*net.TCPAddr).AddrPort()}
	if again, err := New(c); err == nil {
		again.Close()
		t.Fatal("two guards listen at one address")
	}
	g.Close()
	g.Close()
	if err := g.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "was closed") {
		t.Errorf("Run of a closed guard: %v", err)
	}
	again, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}

// TestUnheardNotices: where nobody reads notices, they take no memory and keep nobody waiting, and are counted.
func TestUnheardNotices(t *testing.T) {
	g, err := New(valid())
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	n := Notice{Kind: Filtered, Peer: loopback.Addr()}
	for range maxNotices {
		g.tell(n)
	}
	if allocations := testing.AllocsPerRun(1000, func() { g.tell(n) }); allocations != 0 {
		t.Errorf("a notice that nobody reads makes %v allocations", allocations)
	}
	if got := g.Totals().Unheard; got != 1001 { // AllocsPerRun has a run before those that it counts
		t.Errorf("%d notices were not heard, want 1001", got)
	}
}

// valid is a configuration without a mistake.
func valid() Config {
	return Config{
		AS: 65000, RouterID: 1 << 30, Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")},
		Engine: Engine{Address: netip.MustParseAddrPort("127.0.0.1:1790")},
		Peers: []Peer{
			{Prefix: netip.MustParsePrefix("192.0.2.1/32"), AS: 65000, Password: "a"},
			{Prefix: netip.MustParsePrefix("198.51.100.0/24"), Dynamic: true, Password: "b"},
		},
	}
}

func TestConfigurationMistakes(t *testing.T) {
	if _, err := valid().withDefaults(); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.AS = 0 }, "AS is missing"},
		{func(c *Config) { c.RouterID = 0 }, "router-id is missing"},
		{func(c *Config) { c.Engine.Address = netip.MustParseAddrPort("192.0.2.1:179") }, "must be an address in 127.0.0.0/8"},
		{func(c *Config) { c.Engine.Network = netip.MustParsePrefix("10.0.0.0/8") }, "inner addresses 10.0.0.0/8"},
		{func(c *Config) { c.Peers[1].Prefix = netip.MustParsePrefix("192.0.2.0/24"); c.Peers[0].Password = "" }, "needs a password, as it is in 192.0.2.0/24"},
		{func(c *Config) { c.Peers[0].HoldTime = 2 * time.Second }, "hold time 2s"},
		{func(c *Config) { c.Peers[0].SecurityHops, c.Peers[0].MultihopTTL = 1, 2 }, "contradicts"},
		{func(c *Config) { c.Peers[0].AS = 0 }, "AS is missing"},
		{func(c *Config) { c.Peers[0].LocalAddress = netip.MustParseAddr("2001:db8::1") }, "other family"},
		{func(c *Config) { c.Peers = append(c.Peers, c.Peers[0]) }, "is there twice"},
		{func(c *Config) { c.Listen = nil }, "needs a guard that listens"},
		{func(c *Config) { c.Peers[0].Password = strings.Repeat("x", 81) }, "81 octets"},
		{func(c *Config) { c.Peers[0].Prefix = netip.MustParsePrefix("192.0.2.0/30") }, "single address"},
	} {
		c := valid()
		test.change(&c)
		if _, err := c.withDefaults(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want one with %q", err, test.want)
		}
	}
}

func TestWhatTheEngineMeans(t *testing.T) {
	for n, want := range map[[2]uint8]bool{
		{3, 1}: true, {2, 2}: true, {6, 1}: true, {6, 2}: true, {6, 4}: true, {6, 9}: true, {6, 3}: false, {6, 6}: false, {6, 7}: false, {4, 0}: false, {5, 3}: false,
	} {
		if got := meansPeer(wire.Notification{Code: wire.Code(n[0]), Subcode: n[1]}); got != want {
			t.Errorf("NOTIFICATION %d/%d means the peer %t, want %t", n[0], n[1], got, want)
		}
	}
}

// TestBackOff: at once, then 1 s, 2 s, … up to the configured time, each up to a quarter less so that two sides do not keep step.
func TestBackOff(t *testing.T) {
	p := &peer{config: Peer{ConnectRetry: 8 * time.Second}}
	for n, most := range []time.Duration{0, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 8 * time.Second} {
		for range 100 {
			if d := p.outer().backoff(n); d > most || d < most*3/4 {
				t.Errorf("attempt %d after %v, want at most %v", n, d, most)
			}
		}
	}
}

// TestFailingLoopFails: a loop that panics does not wait for its readers, which wait for it.
func TestFailingLoopFails(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	g := &Guard{config: Config{Log: discard()}, distributor: newDistributor()}
	p := newPeer(g, ctx, Peer{Dynamic: true}, netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("127.64.0.1"))
	p.work.Go(func() { <-ctx.Done() })
	failed := make(chan any, 1)
	go func() {
		defer func() { failed <- recover() }()
		p.run()
	}()
	p.post(happening{do: func() { panic("nobody thought of this") }})
	select {
	case got := <-failed:
		if got == nil {
			t.Error("the loop has ended without a word")
		}
	case <-time.After(20 * time.Second):
		t.Error("the loop waits for its readers")
	}
}
