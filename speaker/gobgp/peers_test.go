package gobgp_test

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker"
	"github.com/tns-project/tns/speaker/gobgp"
	"github.com/tns-project/tns/speaker/internal/live"
)

// Sessions between two ASes, with the passive side dynamic, for any AS and for one, and static.
func TestExternalPeers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		peer func(active netip.Addr) gobgp.Peer
	}{
		{"dynamic, any AS", func(netip.Addr) gobgp.Peer { p := anyone(); p.MultihopTTL = 8; return p }},
		{"dynamic, one AS", func(netip.Addr) gobgp.Peer { p := anyone(); p.AS = 65001; p.MultihopTTL = 8; return p }},
		{"static", func(a netip.Addr) gobgp.Peer {
			return gobgp.Peer{Prefix: netip.PrefixFrom(a, 32), AS: 65001, Port: port, MultihopTTL: 8}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a, b := address(), address()
			c := speakerOn(a)
			c.Peers = append(c.Peers, test.peer(b))
			passive := start(t, c)
			peer := to(b, a)
			peer.MultihopTTL = 8
			ac := activeFrom(b, peer)
			ac.AS = 65001
			active := start(t, ac)
			up, _ := passive.WaitUp(t, 0, b)
			if up.AS != 65001 {
				t.Errorf("AS %d", up.AS)
			}
			for _, route := range contents() {
				active.announce(t, route)
				got, _ := passive.WaitRoute(t, 0, route.RouteKey)
				if diff := cmp.Diff(route, got.Route, cmp.Comparer(addrs)); diff != "" {
					t.Errorf("%v:\n%s", route.RouteKey, diff)
				}
			}
			passive.announce(t, macRoute(200))
			active.WaitRoute(t, 0, macRoute(200).RouteKey)
		})
	}
}

func TestDynamicPeerOfAnotherASIsNotLetIn(t *testing.T) {
	t.Parallel()
	a, b, c := address(), address(), address()
	config := speakerOn(a)
	p := anyone()
	p.AS = as
	config.Peers = append(config.Peers, p)
	passive := start(t, config)
	wrong := activeFrom(b, to(b, a))
	wrong.AS = 65001
	start(t, wrong)
	start(t, activeFrom(c, to(c, a)))
	passive.WaitUp(t, 0, c)
	// The right one had two tries' time.
	start(t, activeFrom(address(), to(netip.Addr{}, a)))
	passive.Wait(t, 0, "a third peer", func(e speaker.Event) bool { return e.Kind == speaker.SessionUp && e.Peer != c })
	events, _ := passive.Seen()
	if slices.ContainsFunc(events, func(e speaker.Event) bool { return e.Peer == b }) {
		t.Errorf("a session with the wrong AS came up:\n%s", live.Lines(events))
	}
}

// Two peers of one speaker hear nothing of each other, and a speaker keeps its own route beside a peer's route with the same NLRI.
func TestRoutesOfPeersAreNotPassedOn(t *testing.T) {
	t.Parallel()
	a, b, c := address(), address(), address()
	config := speakerOn(a)
	config.Peers = append(config.Peers, anyone())
	config.RouteTargets = []evpn.RouteTarget{target}
	middle := start(t, config)
	left, right := activeFrom(b, to(b, a)), activeFrom(c, to(c, a))
	left.RouteTargets, right.RouteTargets = []evpn.RouteTarget{target}, []evpn.RouteTarget{target}
	right.AS = 65001 // as an iBGP speaker would not pass it on anyway
	right.Peers[0].MultihopTTL = 8
	one, two := start(t, left), start(t, right)
	middle.WaitUp(t, 0, b)
	middle.WaitUp(t, 0, c)
	route := macRoute(1)
	one.announce(t, route)
	middle.WaitRoute(t, 0, route.RouteKey)
	own := route
	own.Label = 777
	middle.announce(t, own)
	two.WaitRoute(t, 0, own.RouteKey)
	one.WaitRoute(t, 0, own.RouteKey)
	one.withdraw(t, route.RouteKey)
	middle.WaitWithdrawal(t, 0, route.RouteKey)
	middle.announce(t, macRoute(2)) // after which there is nothing more to come
	two.WaitRoute(t, 0, macRoute(2).RouteKey)
	events, _ := two.Seen()
	for _, e := range events {
		if e.Kind == speaker.Withdrawn || e.Kind == speaker.Announced && e.Route.Label != 777 && e.Route.MAC != macRoute(2).MAC {
			t.Errorf("passed on: %s", live.Lines([]speaker.Event{e}))
		}
	}
	if keys, err := middle.Own(); err != nil || len(keys) != 2 {
		t.Errorf("own table %v, %v", keys, err)
	}
}

// A peer without graceful restart sends no End-of-RIB.
func TestEndOfRIBIsImplied(t *testing.T) {
	t.Parallel()
	peer := startOther(t, otherOptions{noGR: true})
	a := address()
	c := activeFrom(a, to(a, peer.address))
	c.EndOfRIBTimeout = 300 * time.Millisecond
	s := start(t, c)
	up, next := s.WaitUp(t, 0, peer.address)
	end, _ := s.WaitEnd(t, next, peer.address)
	if !end.Implied || end.Epoch != up.Epoch {
		t.Errorf("%+v", end)
	}
	if after := end.At.Sub(up.At); after < 300*time.Millisecond {
		t.Errorf("implied %v after the session came up", after)
	}
}

func TestResendSendsEverythingAgain(t *testing.T) {
	t.Parallel()
	passive, active := pair(t)
	active.announce(t, macRoute(1), macRoute(2))
	passive.WaitRoute(t, 0, macRoute(1).RouteKey)
	_, next := passive.WaitRoute(t, 0, macRoute(2).RouteKey)
	passive.WaitEnd(t, 0, active.address)
	for _, peer := range []netip.Addr{passive.address, {}} {
		if err := active.Resend(peer); err != nil {
			t.Fatal(err)
		}
		from := next
		_, one := passive.WaitRoute(t, from, macRoute(1).RouteKey)
		_, two := passive.WaitRoute(t, from, macRoute(2).RouteKey)
		next = max(one, two)
	}
	if err := active.Resend(netip.MustParseAddr("192.0.2.77")); err == nil {
		t.Error("no error for a peer that is not configured")
	}
}

func TestPassword(t *testing.T) {
	t.Parallel()
	for _, dynamic := range []bool{false, true} {
		a, right, wrong, none, last := address(), address(), address(), address(), address()
		c := speakerOn(a)
		if dynamic {
			p := anyone()
			p.Password = "secret"
			c.Peers = append(c.Peers, p)
		} else {
			for _, peer := range []netip.Addr{right, wrong, none, last} {
				p := to(a, peer)
				p.Password = "secret"
				c.Peers = append(c.Peers, p)
			}
		}
		passive := start(t, c)
		for peer, password := range map[netip.Addr]string{wrong: "guess", none: "", right: "secret"} {
			p := to(peer, a)
			p.Password = password
			start(t, activeFrom(peer, p))
		}
		passive.WaitUp(t, 0, right)
		p := to(last, a)
		p.Password = "secret"
		start(t, activeFrom(last, p))
		passive.WaitUp(t, 0, last) // by now the others had their tries
		events, _ := passive.Seen()
		for _, e := range events {
			if e.Peer != right && e.Peer != last {
				t.Errorf("dynamic %t: a session without the password: %s", dynamic, live.Lines([]speaker.Event{e}))
			}
		}
	}
}

// Linux has no MD5 signatures on Multipath TCP, and GoBGP then lets everybody in.
func TestListenersAreNotMultipathTCP(t *testing.T) {
	if new(net.ListenConfig).MultipathTCP() {
		t.Error("multipathtcp=0 is not in force")
	}
	t.Setenv("GODEBUG", "multipathtcp=2")
	c := speakerOn(address())
	p := anyone()
	p.Password = "secret"
	c.Peers = append(c.Peers, p)
	if _, err := gobgp.New(c); err == nil || !strings.Contains(err.Error(), "multipathtcp=0") {
		t.Errorf("got %v", err)
	}
}

// GoBGP's own MAC mobility neither refuses nor changes our routes, whatever sequence the peer has for the MAC.
func TestMobilityIsOurs(t *testing.T) {
	t.Parallel()
	passive, active := pair(t)
	with := func(rd uint16, ip string, sequence int64) evpn.Route {
		r := macRoute(1)
		r.RD = evpn.NewRD(0xc6336401, rd)
		if ip != "" {
			r.IP = netip.MustParseAddr(ip)
		}
		if sequence >= 0 {
			r.Communities = append(r.Communities, evpn.MACMobility{Sequence: uint32(sequence)}.Community())
		}
		return r
	}
	active.announce(t, with(1, "", 9), with(1, "10.0.0.1", 9))
	_, _ = passive.WaitRoute(t, 0, with(1, "10.0.0.1", 9).RouteKey)
	next := 0
	// The MAC goes up and down, on two routes with one route target, and at last has no sequence.
	for _, sequence := range []int64{5, 9, 10, 3, -1, 0, 2, -1} {
		for _, ip := range []string{"", "10.0.0.1"} {
			r := with(2, ip, sequence)
			passive.announce(t, r)
			eventually(t, "the route arrives as announced", func() bool {
				events, _ := active.Seen()
				for i := len(events) - 1; i >= next; i-- {
					if e := events[i]; e.Key == r.RouteKey && e.Kind == speaker.Announced {
						return cmp.Equal(r, e.Route, cmp.Comparer(addrs))
					}
				}
				return false
			})
		}
		if missing, foreign, err := passive.Check(); err != nil || len(missing)+len(foreign) != 0 {
			t.Errorf("after sequence %d: missing %v, foreign %v, %v", sequence, missing, foreign, err)
		}
	}
	// The end of it at the receiver: both routes, both without a sequence.
	last := make(map[evpn.RouteKey]speaker.Event)
	eventually(t, "both routes stand", func() bool {
		events, _ := active.Seen()
		for _, e := range events {
			last[e.Key] = e
		}
		for _, ip := range []string{"", "10.0.0.1"} {
			r := with(2, ip, -1)
			if !cmp.Equal(r, last[r.RouteKey].Route, cmp.Comparer(addrs)) {
				return false
			}
		}
		return true
	})
}
