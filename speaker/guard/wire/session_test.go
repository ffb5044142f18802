package wire

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	api "github.com/osrg/gobgp/v3/api"
	"github.com/osrg/gobgp/v3/pkg/apiutil"
	"github.com/osrg/gobgp/v3/pkg/log"
	"github.com/osrg/gobgp/v3/pkg/packet/bgp"
	"github.com/osrg/gobgp/v3/pkg/server"

	"github.com/tns-project/tns/evpn"
)

// silent is a log that nobody reads.
type silent struct{ log.Logger }

func (silent) Panic(string, log.Fields)   {}
func (silent) Fatal(string, log.Fields)   {}
func (silent) Error(string, log.Fields)   {}
func (silent) Warn(string, log.Fields)    {}
func (silent) Info(string, log.Fields)    {}
func (silent) Debug(string, log.Fields)   {}
func (silent) SetLevel(log.LogLevel)      {}
func (silent) GetLevel() (l log.LogLevel) { return l }

// goBGP is a running GoBGP that takes a session from 127.0.0.1, and what its watcher has heard.
type goBGP struct {
	*server.BgpServer
	address string

	mutex sync.Mutex
	heard map[string][]evpn.ExtendedCommunity // of each route, by family and key
	more  chan struct{}
}

func startGoBGP(t *testing.T) *goBGP {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	g := &goBGP{BgpServer: server.NewBgpServer(server.LoggerOption(silent{})), address: l.Addr().String(), heard: make(map[string][]evpn.ExtendedCommunity), more: make(chan struct{}, 1)}
	go g.Serve()
	ctx := t.Context()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(g.StartBgp(ctx, &api.StartBgpRequest{Global: &api.Global{Asn: 65000, RouterId: "192.0.2.9", ListenPort: int32(port), ListenAddresses: []string{"127.0.0.1"}}}))
	t.Cleanup(func() { _ = g.StopBgp(context.Background(), &api.StopBgpRequest{}) })
	check(g.WatchEvent(ctx, &api.WatchEventRequest{Table: &api.WatchEventRequest_Table{Filters: []*api.WatchEventRequest_Table_Filter{
		{Type: api.WatchEventRequest_Table_Filter_ADJIN},
	}}}, func(r *api.WatchEventResponse) {
		for _, p := range r.GetTable().GetPaths() {
			g.hear(p)
		}
	}))
	active := make(chan struct{})
	var once sync.Once
	check(g.WatchEvent(ctx, &api.WatchEventRequest{Peer: &api.WatchEventRequest_Peer{}}, func(r *api.WatchEventResponse) {
		if r.GetPeer().GetPeer().GetState().GetSessionState() == api.PeerState_ACTIVE {
			once.Do(func() { close(active) })
		}
	}))
	check(g.AddPeer(ctx, &api.AddPeerRequest{Peer: &api.Peer{
		Conf: &api.PeerConf{NeighborAddress: "127.0.0.1", PeerAsn: 65000}, Transport: &api.Transport{PassiveMode: true},
		GracefulRestart: &api.GracefulRestart{Enabled: true, HelperOnly: true, RestartTime: 1},
		AfiSafis: []*api.AfiSafi{
			{Config: &api.AfiSafiConfig{Family: &api.Family{Afi: api.Family_AFI_L2VPN, Safi: api.Family_SAFI_EVPN}, Enabled: true}},
			{Config: &api.AfiSafiConfig{Family: &api.Family{Afi: api.Family_AFI_IP, Safi: api.Family_SAFI_ROUTE_TARGET_CONSTRAINTS}, Enabled: true}},
			{Config: &api.AfiSafiConfig{Family: &api.Family{Afi: api.Family_AFI_IP, Safi: api.Family_SAFI_UNICAST}, Enabled: true}},
		},
	}}))
	select {
	case <-active: // before that it closes what it accepts
	case <-time.After(20 * time.Second):
		t.Fatal("GoBGP does not wait for its peer")
	}
	return g
}

// hear reads a path as a watcher must, hidden communities and all.
func (g *goBGP) hear(p *api.Path) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	defer func() {
		select {
		case g.more <- struct{}{}:
		default:
		}
	}()
	family := bgp.AfiSafiToRouteFamily(uint16(p.Family.Afi), uint8(p.Family.Safi))
	nlri, err := apiutil.UnmarshalNLRI(family, p.Nlri)
	if err != nil {
		return
	}
	octets, _ := nlri.Serialize()
	key := keyOf(NewFamily(uint16(p.Family.Afi), uint8(p.Family.Safi)), octets)
	if p.IsWithdraw {
		delete(g.heard, key)
		return
	}
	var told []evpn.ExtendedCommunity
	var hidden []byte
	for _, a := range p.Pattrs {
		native, err := apiutil.UnmarshalAttribute(a)
		if err != nil {
			continue
		}
		switch native := native.(type) {
		case *bgp.PathAttributeExtendedCommunities:
			for _, c := range native.Value {
				b, _ := c.Serialize()
				told = append(told, evpn.ExtendedCommunity(b))
			}
		case *bgp.PathAttributeUnknown:
			if native.Type == AttributeHidden {
				hidden = native.Value
			}
		}
	}
	g.heard[key], _ = RestoreCommunities(told, hidden)
}

// has reports whether a route was heard of. The caller has the mutex.
func (g *goBGP) has(nlri []byte) bool {
	_, ok := g.heard[keyOf(EVPN, nlri)]
	return ok
}

func keyOf(f Family, nlri []byte) string {
	b, n := splitKey(f.append(nil), f, string(nlri))
	return string(b[:3+n])
}

// await waits until what was heard is as wanted.
func (g *goBGP) await(t *testing.T, what string, wanted func() bool) {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		g.mutex.Lock()
		ok := wanted()
		g.mutex.Unlock()
		if ok {
			return
		}
		select {
		case <-g.more:
		case <-late:
			g.mutex.Lock()
			defer g.mutex.Unlock()
			t.Fatalf("%s: GoBGP has %d routes", what, len(g.heard))
		}
	}
}

// dial opens a session with GoBGP, and keeps it up; what GoBGP sends but for KEEPALIVEs arrives in the channel.
func dial(t *testing.T, address string) (net.Conn, <-chan []byte, Session) {
	t.Helper()
	conn, err := net.Dial("tcp4", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	ours := &Open{
		AS: 65000, HoldTime: 90, RouterID: 0xc0000201, FourOctetAS: true, RouteRefresh: true, Families: []Family{EVPN, RouteTargets, IPv4Unicast},
		GracefulRestart: &GracefulRestart{Time: 1, Families: []RestartFamily{{Family: EVPN}}},
	}
	buf := make([]byte, MaxLength)
	write := func(b []byte) {
		t.Helper()
		if _, err := conn.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	write(ours.Append(nil))
	msg, err := ReadMessage(conn, buf)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := ParseOpen(msg)
	if err != nil {
		t.Fatal(err)
	}
	write(AppendKeepalive(nil))
	if msg, err = ReadMessage(conn, buf); err != nil || TypeOf(msg) != TypeKeepalive {
		t.Fatalf("%x, %v, must be a KEEPALIVE", msg, err)
	}
	received := make(chan []byte, 64)
	go func() {
		defer close(received)
		for {
			msg, err := ReadMessage(conn, make([]byte, MaxLength))
			if err != nil {
				return
			}
			if TypeOf(msg) != TypeKeepalive {
				received <- msg
			}
		}
	}()
	return conn, received, Negotiate(ours, theirs)
}

// TestSession speaks to a GoBGP that runs: all of the corpus and a good deal of what is malformed goes through a Filter, and the session stays up, with the
// routes that FRR and others would lose.
func TestSession(t *testing.T) {
	g := startGoBGP(t)
	conn, received, s := dial(t, g.address)
	if !s.Has(EVPN) || !s.Has(RouteTargets) || !s.Has(IPv4Unicast) || !s.FourOctetAS || !s.Internal {
		t.Fatalf("negotiated %+v", s)
	}
	f, table := NewFilter(s), NewTable()
	send := func(msg []byte) {
		t.Helper()
		v := f.Update(msg)
		table.Apply(v.Changes())
		for _, m := range v.Forward {
			if _, err := conn.Write(m); err != nil {
				t.Fatalf("GoBGP has gone: %v", err)
			}
		}
	}
	m := newMutator(9)
	for range 3000 {
		send(m.next())
	}
	all := corpus()
	send(all["FRR: router MAC/IP"])
	send(all["FRR: Ethernet segment"])
	send(all["communities GoBGP loses"])
	last := set(nlri3, 9, 77)
	send(update(nil, nil, reach(EVPN, hop, last), origin, emptyPath))
	g.await(t, "all that was sent", func() bool { return g.has(last) })
	g.mutex.Lock()
	routes := len(g.heard)
	g.mutex.Unlock()
	if want := table.Len(EVPN) + table.Len(RouteTargets) + table.Len(IPv4Unicast); routes != want {
		t.Errorf("GoBGP has %d routes, must have %d", routes, want)
	}

	for nlri, from := range map[string]string{string(nlri2): "communities GoBGP loses", string(nlri26): "FRR: router MAC/IP", string(nlri4): "FRR: Ethernet segment"} {
		g.mutex.Lock()
		heard := g.heard[keyOf(EVPN, []byte(nlri))]
		g.mutex.Unlock()
		if err := sameCommunities(heard, sent(all[from])); err != nil {
			t.Errorf("%s: %v", from, err)
		}
	}
	var withdrawals []Change
	for c := range table.All() {
		withdrawals = append(withdrawals, Change{Family: c.Family, NLRI: c.NLRI})
	}
	msgs, _ := Pack(withdrawals, s)
	for _, msg := range msgs {
		if _, err := conn.Write(msg); err != nil {
			t.Fatal(err)
		}
	}
	g.await(t, "all withdrawn", func() bool { return len(g.heard) == 0 })
	select {
	case msg, ok := <-received:
		if !ok || TypeOf(msg) == TypeNotification {
			t.Errorf("GoBGP has closed the session: %x", msg)
		}
	default:
	}
}

// TestFromGoBGP reads and packs what GoBGP sends: an UPDATE for each route.
func TestFromGoBGP(t *testing.T) {
	g := startGoBGP(t)
	for _, nlri := range [][]byte{nlri2, nlri2m, nlri26, nlri3} {
		path := &api.Path{
			Family: &api.Family{Afi: api.Family_AFI_L2VPN, Safi: api.Family_SAFI_EVPN}, NlriBinary: nlri,
			PattrsBinary: [][]byte{origin, attr(0x40, attrNextHop, hop...), extended(target, vxlan)},
		}
		if _, err := g.AddPath(t.Context(), &api.AddPathRequest{Path: path}); err != nil {
			t.Fatal(err)
		}
	}
	conn, received, s := dial(t, g.address)
	for _, f := range s.Families {
		if _, err := conn.Write(AppendEndOfRIB(nil, f)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := conn.Write(update(nil, nil, reach(RouteTargets, hop, []byte{0}), origin, emptyPath, localPref)); err != nil {
		t.Fatal(err)
	}
	var changes []Change
	late := time.After(20 * time.Second)
	for len(changes) < 4 {
		select {
		case msg := <-received:
			u, err := ParseUpdate(msg)
			if err != nil {
				t.Fatalf("%x: %v", msg, err)
			}
			for _, c := range u.Changes() {
				if c.Family == EVPN {
					changes = append(changes, c)
				}
			}
		case <-late:
			t.Fatalf("%d routes from GoBGP", len(changes))
		}
	}
	msgs, unsent := Pack(changes, s)
	if len(msgs) != 1 || len(unsent) > 0 {
		t.Errorf("4 routes with equal attributes are %d messages, %d unsent", len(msgs), len(unsent))
	}
	table := NewTable()
	table.Apply(changes)
	if table.Len(EVPN) != 4 {
		t.Errorf("%d routes", table.Len(EVPN))
	}
}
