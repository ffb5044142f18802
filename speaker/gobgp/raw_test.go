package gobgp_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker"
	"github.com/tns-project/tns/speaker/guard/wire"
	"github.com/tns-project/tns/speaker/internal/live"
)

// raw is a peer that says what a test writes, octet for octet.
type raw struct {
	conn net.Conn
}

// dialRaw connects and comes up with EVPN, and with graceful restart if the restart time is not 0.
func dialRaw(t testing.TB, local, remote netip.Addr, restart uint16) *raw {
	t.Helper()
	dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(local, 0)), Timeout: patience}
	conn, err := dialer.DialContext(t.Context(), "tcp", netip.AddrPortFrom(remote, port).String())
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	r := &raw{conn: conn}
	open := wire.Open{AS: as, RouterID: live.RouterID(local), HoldTime: 90, FourOctetAS: true, Families: []wire.Family{wire.EVPN}}
	if restart != 0 {
		open.GracefulRestart = &wire.GracefulRestart{Time: restart}
	}
	r.say(t, open.Append(nil), wire.TypeOpen)
	r.say(t, wire.AppendKeepalive(nil), wire.TypeKeepalive)
	go func() { _, _ = io.Copy(io.Discard, conn) }()
	return r
}

// say writes a message and waits for the answer.
func (r *raw) say(t testing.TB, message []byte, want wire.Type) {
	t.Helper()
	must(t, r.conn.SetDeadline(time.Now().Add(patience)))
	_, err := r.conn.Write(message)
	must(t, err)
	answer, err := wire.ReadMessage(r.conn, make([]byte, wire.MaxLength))
	must(t, err)
	if got := wire.TypeOf(answer); got != want {
		t.Fatalf("answer %v, want %v", got, want)
	}
	must(t, r.conn.SetDeadline(time.Time{}))
}

// attr is one path attribute.
func attr(flags, typ byte, value ...byte) []byte {
	b := []byte{flags | 0x10, typ}
	return append(binary.BigEndian.AppendUint16(b, uint16(len(value))), value...)
}

// update sends an UPDATE with those attributes.
func (r *raw) update(t testing.TB, attrs ...[]byte) {
	t.Helper()
	all := bytes.Join(attrs, nil)
	b := bytes.Repeat([]byte{0xff}, 16)
	b = binary.BigEndian.AppendUint16(b, uint16(19+4+len(all)))
	b = append(b, byte(wire.TypeUpdate), 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(len(all)))
	_, err := r.conn.Write(append(b, all...))
	must(t, err)
}

// announce sends routes with one set of further attributes.
func (r *raw) announce(t testing.TB, nlri []byte, more ...[]byte) {
	t.Helper()
	reach := append([]byte{0, 25, 70, 4, 198, 51, 100, 1, 0}, nlri...)
	attrs := [][]byte{attr(0x40, 1, 0), attr(0x40, 2), attr(0x40, 5, 0, 0, 0, 100)}
	attrs = append(attrs, more...)
	r.update(t, append(attrs, attr(0x80, 14, reach...))...)
}

func nlriOf(t testing.TB, r evpn.Route) []byte {
	t.Helper()
	b, err := r.AppendNLRI(nil)
	must(t, err)
	return b
}

// What peers get wrong is counted, costs at most the route, and never the session.
func TestRoutesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	a, b := address(), address()
	c := speakerOn(a)
	c.Peers = append(c.Peers, anyone())
	s := start(t, c)
	peer := dialRaw(t, b, a, 0)
	_, next := s.WaitUp(t, 0, b)

	good := macRoute(1)
	rt := attr(0xc0, 16, good.Communities[0][:]...)
	peer.announce(t, nlriOf(t, good), rt)
	_, next = s.WaitRoute(t, next, good.RouteKey)

	// A tunnel identifier that is no address, on a route with a key.
	imet := evpn.Route{RouteKey: evpn.RouteKey{Type: evpn.InclusiveMulticast, RD: good.RD, IP: netip.MustParseAddr("198.51.100.1")}}
	peer.announce(t, nlriOf(t, imet), rt, attr(0xc0, 22, 0, 6, 0, 0, 1, 1, 2, 3))
	refused, next := s.Wait(t, next, "refusal", func(e speaker.Event) bool { return e.Kind == speaker.Refused })
	if refused.Key != imet.RouteKey || !strings.Contains(refused.Text, "PMSI") || refused.Epoch != 1 {
		t.Errorf("refused: %+v", refused)
	}

	// An RD of a type that GoBGP does not know, and loses.
	unknownRD := good
	unknownRD.RD[1] = 9
	peer.announce(t, nlriOf(t, unknownRD), rt)
	refused, next = s.Wait(t, next, "refusal", func(e speaker.Event) bool { return e.Kind == speaker.Refused })
	if refused.Key != (evpn.RouteKey{}) || refused.Text == "" {
		t.Errorf("refused: %+v", refused)
	}

	// Type 1, known to GoBGP and of no use here: RD, ESI, tag, label.
	peer.announce(t, append([]byte{1, 25}, append(append([]byte(nil), good.RD[:]...), make([]byte, 17)...)...), rt)
	// An EVPN community that GoBGP does not know (FRR's ND flags, RFC 9047): treated as a withdrawal.
	peer.announce(t, nlriOf(t, good), attr(0xc0, 16, append(good.Communities[0][:], 0x06, 0x08, 1, 0, 0, 0, 0, 0)...))
	_, next = s.WaitWithdrawal(t, next, good.RouteKey)
	// Type 9: the UPDATE is ignored.
	peer.announce(t, append([]byte{9, 8}, make([]byte, 8)...), rt)

	peer.announce(t, nlriOf(t, good), rt)
	again, _ := s.WaitRoute(t, next, good.RouteKey)
	if again.Epoch != 1 {
		t.Errorf("the session was lost: %+v", again)
	}
	stats := s.Stats()
	stats.Queue = 0
	if stats.Received != 3 || stats.Refused != 2 || stats.Skipped != 1 || stats.TreatedAsWithdraw != 1 || stats.Ignored != 1 {
		t.Errorf("%+v", stats)
	}
}

// Communities that a guard hid from GoBGP are the route's again.
func TestHiddenCommunities(t *testing.T) {
	t.Parallel()
	a, b := address(), address()
	c := speakerOn(a)
	c.Peers = append(c.Peers, anyone())
	s := start(t, c)
	peer := dialRaw(t, b, a, 0)
	_, next := s.WaitUp(t, 0, b)

	route := macRoute(1)
	route.NextHop = netip.MustParseAddr("198.51.100.1")
	hidden := []evpn.ExtendedCommunity{{0x06, 0x08, 1}, {0x06, 0x04, 0, 0, 5, 220}}
	value := append(hidden[0][:], hidden[1][:]...)
	peer.announce(t, nlriOf(t, route), attr(0xc0, 16, route.Communities[0][:]...), attr(0x80, wire.AttributeHidden, value...))
	e, next := s.WaitRoute(t, next, route.RouteKey)
	if want := append(route.Communities[:1:1], hidden...); !slices.Equal(e.Route.Communities, want) {
		t.Errorf("communities %v, want %v", e.Route.Communities, want)
	}
	peer.announce(t, nlriOf(t, route), attr(0x80, wire.AttributeHidden, value...)) // it has no others
	e, next = s.WaitRoute(t, next, route.RouteKey)
	if !slices.Equal(e.Route.Communities, hidden) {
		t.Errorf("communities %v, want %v", e.Route.Communities, hidden)
	}
	peer.announce(t, nlriOf(t, route), attr(0x80, wire.AttributeHidden, value[:9]...))
	refused, _ := s.Wait(t, next, "refusal", func(e speaker.Event) bool { return e.Kind == speaker.Refused })
	if refused.Key != route.RouteKey || !strings.Contains(refused.Text, "9 octets") {
		t.Errorf("refused: %+v", refused)
	}
}

// Withdrawals in one UPDATE with announcements, and several routes in one.
func TestSeveralRoutesInOneUpdate(t *testing.T) {
	t.Parallel()
	a, b := address(), address()
	c := speakerOn(a)
	c.Peers = append(c.Peers, anyone())
	s := start(t, c)
	peer := dialRaw(t, b, a, 0)
	rt := attr(0xc0, 16, macRoute(1).Communities[0][:]...)
	peer.announce(t, append(nlriOf(t, macRoute(1)), nlriOf(t, macRoute(2))...), rt)
	s.WaitRoute(t, 0, macRoute(1).RouteKey)
	_, next := s.WaitRoute(t, 0, macRoute(2).RouteKey)
	peer.announce(t, nlriOf(t, macRoute(3)), rt, attr(0x80, 15, append([]byte{0, 25, 70}, append(nlriOf(t, macRoute(1)), nlriOf(t, macRoute(2))...)...)...))
	s.WaitRoute(t, next, macRoute(3).RouteKey)
	s.WaitWithdrawal(t, next, macRoute(1).RouteKey)
	s.WaitWithdrawal(t, next, macRoute(2).RouteKey)
	// The peer vanishes without a word.
	must(t, peer.conn.Close())
	down, _ := s.WaitDown(t, next, b)
	if down.Epoch != 1 {
		t.Errorf("%+v", down)
	}
}
