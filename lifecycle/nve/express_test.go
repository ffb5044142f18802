package nve

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/history"
	"github.com/tns-project/tns/speaker"
)

// TestFloodOfEdges: many edges that say EDGE cost no more sessions than there may be, and some lines a minute; all are counted.
func TestFloodOfEdges(t *testing.T) {
	w := newWorld(t, withExpress)
	w.mute = true
	w.edge.History = history.New(4096, 16)
	flood := func(first netip.Addr, n int) {
		for i := range n {
			b := first.As4()
			a := netip.AddrFrom4([4]byte{b[0], b[1], b[2], b[3] + byte(i%256)})
			r := w.floodRoute("edge2", "blue")
			r.RD = evpn.NewRD(evpn.RouterID(0xcb007100+uint32(i)), 2)
			binary.BigEndian.PutUint16(r.RD[6:], uint16(i))
			r.Communities = append(r.Communities, evpn.Edge{Express: true, Session: evpn.SessionAddress(a)}.Community())
			w.fabricEvent(speaker.Event{Kind: speaker.Announced, Peer: names["frr"], Epoch: 1, Route: r})
		}
	}
	flood(addr("192.0.2.2"), 14) // all may be called, two are
	flood(addr("198.51.100.0"), 200)
	s := w.edge.stats
	if n := len(w.edge.express.callees); n != 2 {
		t.Errorf("%d edges are called, want 2", n)
	}
	if s.edgesRefused[EdgeTooMany] != 12 || s.edgesRefused[EdgeNotAllowed] != 200 {
		t.Errorf("refused %v", s.edgesRefused)
	}
	if s.alarms != edgesTold {
		t.Errorf("%d alarms in a minute, want %d", s.alarms, edgesTold)
	}
	w.pass(edgesWindow + time.Second)
	flood(addr("203.0.113.0"), 1)
	if got := w.edge.stats.alarms; got != edgesTold+1 {
		t.Errorf("%d alarms, want that a later one is told", got)
	}
}

// TestExpressIsOff: without it EDGE says nothing, and no session but the reflector's overrules anything.
func TestExpressIsOff(t *testing.T) {
	w := newWorld(t)
	w.do("flood edge2 blue edge=192.0.2.2")
	w.do("up edge2")
	w.do("eor edge2")
	w.do("remote edge3 blue/m5 via=edge2")
	if x := w.edge.express; len(x.claims)+len(x.callees) > 0 || len(w.edge.authorities) > 0 || w.edge.stats.expressForeign > 0 {
		t.Errorf("%d claims, %d edges, %d authorities", len(x.claims), len(x.callees), len(w.edge.authorities))
	}
	for _, l := range w.lines {
		if l == "call" {
			t.Error(l)
		}
	}
}

// TestExpressConverges lets an edge announce and withdraw in any order while its express session comes and goes and the reflector is late, or leaves out
// what changed back meanwhile. As long as the session stands, the kernel holds what the edge said last; in the end it does in any case.
func TestExpressConverges(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := newWorld(r, withExpress)
		w.mute = true
		do := func(format string, args ...any) {
			line := fmt.Sprintf(format, args...)
			w.do(line)
			w.invariants(line)
		}
		do("ask tes1 pre-associate vm1 blue/m1")
		truth, late, seq := map[string]int{}, map[string]bool{}, 0 // sequences by MAC, 0: withdrawn; MACs of which the reflector has not told the truth
		tell := func(mac, via string) {
			if truth[mac] > 0 {
				do("remote edge2 blue/%s seq=%d via=%s", mac, truth[mac], via)
			} else {
				do("unremote edge2 blue/%s via=%s", mac, via)
			}
		}
		macs := []string{"m5", "m6", "m7"}
		check := func(macs ...string) {
			for _, m := range macs {
				e, ok := w.kernel.asked[dataplane.Key{Kind: dataplane.Unicast, VNI: 10100, MAC: dataplane.MAC(macOf(m))}]
				if ok != (truth[m] > 0) || ok && e.VTEP != names["edge2"] {
					r.Fatalf("%s: the kernel has %+v (%t), the edge said sequence %d last", m, e, ok, truth[m])
				}
			}
		}
		up, whole, missing := false, false, []string(nil)
		r.Repeat(map[string]func(*rapid.T){
			"change": func(r *rapid.T) {
				m := rapid.SampledFrom(macs).Draw(r, "mac")
				if seq++; rapid.Bool().Draw(r, "there") {
					truth[m] = seq
				} else {
					truth[m] = 0
				}
				late[m] = true
				if up && !slices.Contains(missing, m) {
					tell(m, "edge2")
				}
			},
			"the reflector tells": func(r *rapid.T) {
				m := rapid.SampledFrom(macs).Draw(r, "mac")
				if late[m] {
					tell(m, "frr")
					delete(late, m)
					if !up {
						check(m) // it is newer than what a lost session said
					}
				}
			},
			"session": func(r *rapid.T) {
				if up = !up; !up {
					do("down edge2")
					whole = false
					return
				}
				do("up edge2")
				missing = slices.Clone(macs)
			},
			"the edge tells": func(*rapid.T) {
				switch {
				case up && len(missing) > 0:
					m := missing[0]
					missing = missing[1:]
					if truth[m] > 0 {
						tell(m, "edge2")
					}
				case up && !whole:
					do("eor edge2")
					whole = true
				}
			},
			"": func(*rapid.T) {
				if whole {
					check(macs...)
				}
			},
		})
		for _, m := range macs {
			if late[m] {
				tell(m, "frr")
			}
		}
		if up && !whole {
			for _, m := range missing {
				if truth[m] > 0 {
					tell(m, "edge2")
				}
			}
			do("eor edge2")
		}
		w.pass(w.edge.config.HoldOnLoss + time.Second)
		check(macs...)
	})
}
