package guard_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker/guard"
	"github.com/tns-project/tns/speaker/guard/mrt"
	"github.com/tns-project/tns/speaker/guard/wire"
)

// TestMirrorSeesThePeer: what the peer said in its OPEN is what GoBGP is told, as far as it is a mirror of routes, and who the peer is.
func TestMirrorSeesThePeer(t *testing.T) {
	c := setting(anyone())
	c.Families = []wire.Family{wire.EVPN, wire.RouteTargets}
	g := run(t, c)
	accept := await(t, c.Engine.Address.Addr())
	r := call(t, address(), g.own())
	open := r.hello()
	open.AS, open.HoldTime = 4_200_000_000, 7
	open.GracefulRestart = &wire.GracefulRestart{
		Restarted: true, Time: 120, Families: []wire.RestartFamily{{Family: wire.EVPN, Preserved: true}, {Family: wire.IPv4Unicast}},
	}
	open.Families = append(open.Families, wire.IPv4Unicast)
	r.establish(t, open)
	engine := accept()
	msg, _ := engine.wait(t, 0, wire.TypeOpen)
	got, err := wire.ParseOpen(msg)
	if err != nil {
		t.Fatal(err)
	}
	if got.AS != open.AS || got.RouterID != open.RouterID || got.HoldTime != 7 || !got.FourOctetAS || len(got.Families) != 1 || got.Families[0] != wire.EVPN {
		t.Errorf("the engine is told %+v", got)
	}
	if gr := got.GracefulRestart; gr == nil || !gr.Restarted || gr.Time != 120 || len(gr.Families) != 1 || !gr.Families[0].Preserved {
		t.Errorf("graceful restart %+v", gr)
	}
	if len(got.Unknown) != 1 || got.Unknown[0].Code != guard.AddressCapability || !bytes.Equal(got.Unknown[0].Value, r.address.AsSlice()) {
		t.Errorf("capabilities %+v", got.Unknown)
	}
	if at := engine.RemoteAddr().(*net.TCPAddr).AddrPort().Addr(); at != g.status(t, r.address).Inner {
		t.Errorf("the engine is dialled from %v", at)
	}

	// A NOTIFICATION of the engine about what the peer said is passed on, with all of it.
	engine.establish(t, &wire.Open{
		AS: as, RouterID: c.RouterID, HoldTime: 90, FourOctetAS: true, Families: []wire.Family{wire.EVPN}, GracefulRestart: &wire.GracefulRestart{Time: 1},
	})
	g.waitMirror(t, r.address)
	engine.say(wire.ShutdownNotification(wire.CeaseAdminShutdown, "an operator wants it so").Append(nil))
	r.waitNotice(t, wire.Cease, wire.CeaseAdminShutdown)
}

// TestResetAtMirror: a peer that an operator resets at GoBGP comes again, and GoBGP is not called for it in between.
func TestResetAtMirror(t *testing.T) {
	c := setting(anyone())
	g := run(t, c)
	accept := await(t, c.Engine.Address.Addr())
	ours := &wire.Open{AS: as, RouterID: c.RouterID, HoldTime: 90, FourOctetAS: true, Families: []wire.Family{wire.EVPN}}
	peer := address()
	for range 3 {
		r := call(t, peer, g.own())
		r.establish(t, r.hello())
		engine := accept()
		engine.establish(t, ours)
		g.waitMirror(t, peer)
		engine.say(wire.ShutdownNotification(wire.CeaseAdminReset, "an operator wants it so").Append(nil))
		r.waitNotice(t, wire.Cease, wire.CeaseAdminReset)
		eventually(t, "the session is over", func() bool { return g.status(t, peer).State != guard.Established })
		tick := time.NewTicker(2 * time.Millisecond)
		for range 100 { // it would be called after 20 ms
			<-tick.C
			if s := g.status(t, peer); s.Mirror != guard.Idle {
				t.Fatalf("GoBGP is called without a session: %v", s.Mirror)
			}
		}
		tick.Stop()
	}
}

// TestPeerEndsInnerSession: why the peer has gone GoBGP is told, so that it forgets the routes.
func TestPeerEndsInnerSession(t *testing.T) {
	c := setting(anyone())
	g := run(t, c)
	accept := await(t, c.Engine.Address.Addr())
	ours := &wire.Open{AS: as, RouterID: c.RouterID, HoldTime: 90, FourOctetAS: true, Families: []wire.Family{wire.EVPN}}
	for _, polite := range []bool{true, false} {
		r := call(t, address(), g.own())
		r.establish(t, r.hello())
		engine := accept()
		engine.establish(t, ours)
		g.waitMirror(t, r.address)
		if polite {
			r.say(wire.Notification{Code: wire.Cease, Subcode: wire.CeaseDeconfigured}.Append(nil))
			engine.waitNotice(t, wire.Cease, wire.CeaseDeconfigured)
			continue
		}
		r.Close()
		engine.waitNotice(t, wire.Cease, wire.CeaseAdminReset)
	}
}

// TestForgottenConnection: a GoBGP that takes a connection and never answers is called again soon.
func TestForgottenConnection(t *testing.T) {
	c := setting(anyone())
	g := run(t, c)
	accept := await(t, c.Engine.Address.Addr())
	r := call(t, address(), g.own())
	r.establish(t, r.hello())
	start := time.Now()
	accept().wait(t, 0, wire.TypeOpen)
	accept().wait(t, 0, wire.TypeOpen)
	accept().establish(t, &wire.Open{AS: as, RouterID: c.RouterID, HoldTime: 90, FourOctetAS: true, Families: []wire.Family{wire.EVPN}})
	g.waitMirror(t, r.address)
	if took := time.Since(start); took < 3*time.Second || took > 30*time.Second {
		t.Errorf("the engine that answers is called after %v, want 1 s and 2 s", took)
	}
}

// TestOwnMemberships: the guard asks peers for what is configured, with our address on the session as the next hop, and says that this is all.
func TestOwnMemberships(t *testing.T) {
	c := both(anyone())
	c.Memberships = []evpn.RouteTarget{evpn.RequestTarget(0xc0000201)}
	g := run(t, c)
	r := call(t, address(), g.own())
	r.establish(t, r.constrained())
	msg, next := r.wait(t, 0, wire.TypeUpdate)
	u, err := wire.ParseUpdate(msg)
	if err != nil {
		t.Fatal(err)
	}
	want := wire.Membership(as, c.Memberships[0])
	if len(u.Announced) != 1 || u.Announced[0].Family != wire.RouteTargets || string(u.Announced[0].Octets) != want || !bytes.Equal(u.Announced[0].NextHop, g.own().AsSlice()) {
		t.Errorf("announced %+v, want a membership with next hop %v", u.Announced, g.own())
	}
	if msg, _ = r.wait(t, next, wire.TypeUpdate); !bytes.Equal(msg, wire.AppendEndOfRIB(nil, wire.RouteTargets)) {
		t.Errorf("then comes %x, want End-of-RIB", msg)
	}
	r.say(wire.RouteRefresh{Family: wire.RouteTargets}.Append(nil))
	r.wait(t, next+1, wire.TypeUpdate)
}

// TestSignedInnerLink: with a password only the guard gets through to GoBGP.
func TestSignedInnerLink(t *testing.T) {
	c := setting(anyone())
	c.Engine.Password = "of this boot"
	g := run(t, c)
	engine := talk(t, engineOf(c))
	r := call(t, address(), g.own())
	r.establish(t, r.hello())
	r.say(update(1, 1))
	engine.WaitRoute(t, 0, keyOf(1))
	d := net.Dialer{Timeout: soon, LocalAddr: &net.TCPAddr{IP: c.Engine.Network.Addr().Next().AsSlice()}}
	d.SetMultipathTCP(false)
	if conn, err := d.DialContext(t.Context(), "tcp", c.Engine.Address.String()); err == nil {
		conn.Close()
		t.Error("another process got through to the engine")
	}
	g.waitMirror(t, r.address)
}

// TestIPv6: sessions over IPv6, with an engine over IPv4.
func TestIPv6(t *testing.T) {
	c := setting(guard.Peer{Prefix: netip.MustParsePrefix("::1/128"), Dynamic: true, Password: "six", SecurityHops: 1})
	l, err := net.Listen("tcp6", "[::1]:0") // a free port
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().(*net.TCPAddr).AddrPort()
	l.Close()
	c.Listen = []netip.AddrPort{at}
	g := run(t, c)
	engine := g.back(t)
	peer := static(netip.IPv6Loopback())
	peer.Prefix, peer.Port, peer.Password, peer.SecurityHops = netip.PrefixFrom(netip.IPv6Loopback(), 128), at.Port(), "six", 1
	other := setting(peer)
	other.Listen = nil
	h := run(t, other)
	there := h.back(t, request(1))
	there.waitEnd(t, 0)
	e, _ := engine.WaitRoute(t, 0, request(1).RouteKey)
	sameRoute(t, e.Route, request(1))
	g.waitUp(t, netip.IPv6Loopback())
	h.waitUp(t, netip.IPv6Loopback())
}

// TestRecord reads what was written down of a session.
func TestRecord(t *testing.T) {
	c := setting(anyone())
	c.Record = guard.Record{Directory: filepath.Join(t.TempDir(), "sessions"), Bound: 64 << 10}
	g := run(t, c)
	engine := g.back(t, request(1))
	start := time.Now()
	r := call(t, address(), g.own())
	r.establish(t, r.hello())
	r.wait(t, 0, wire.TypeUpdate)
	r.say(update(7, 1))
	engine.WaitRoute(t, 0, keyOf(7))
	path := filepath.Join(c.Record.Directory, r.address.String()+".mrt")
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	types := map[bool][]wire.Type{}
	for records := mrt.NewReader(f); ; {
		v, err := records.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if v.Peer != r.address || v.Local != g.own() || v.LocalAS != as || v.At.Before(start.Truncate(time.Microsecond)) || v.Truncated {
			t.Errorf("%+v", v)
		}
		types[v.Sent] = append(types[v.Sent], wire.TypeOf(v.Message))
		if int(binary.BigEndian.Uint16(v.Message[16:])) != len(v.Message) {
			t.Errorf("message of %d octets says it has another length", len(v.Message))
		}
	}
	if got := types[false]; len(got) != 3 || got[0] != wire.TypeOpen || got[1] != wire.TypeKeepalive || got[2] != wire.TypeUpdate {
		t.Errorf("received %v", got)
	}
	if got := types[true]; len(got) < 3 || got[0] != wire.TypeOpen || got[1] != wire.TypeKeepalive || got[2] != wire.TypeUpdate {
		t.Errorf("sent %v", got)
	}
	// The bound holds, whatever is said.
	for n := range uint32(2000) {
		r.say(update(n, 2))
	}
	engine.WaitRoute(t, 0, keyOf(1999))
	for _, p := range []string{path, mrt.Older(path)} {
		if info, err := os.Stat(p); err != nil || info.Size() > c.Record.Bound/2 {
			t.Errorf("%s: %v, %v", p, info.Size(), err)
		}
	}
}
