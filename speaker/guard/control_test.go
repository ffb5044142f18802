package guard_test

import (
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/tns-project/tns/speaker/guard"
	"github.com/tns-project/tns/speaker/guard/wire"
)

// TestControl asks a guard as another process does.
func TestControl(t *testing.T) {
	c := setting(anyone())
	g := run(t, c)
	client := g.serve(t)
	engine := g.link(t)
	engine.announce(t, request(1), request(2))
	from := address()
	var heard []guard.Kind
	hearing := make(chan error, 1)
	go func() {
		hearing <- client.Notices(t.Context(), func(n guard.Notice) bool {
			if n.Peer == from {
				heard = append(heard, n.Kind)
			}
			return n.Kind != guard.PeerDown || n.Peer != from
		})
	}()

	r := call(t, from, g.own())
	r.establish(t, r.hello())
	g.waitUp(t, r.address)
	renewing := func(want bool) func() bool {
		return func() bool {
			peers, _, err := client.Peers(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return len(peers) == 1 && peers[0].Renewing == want && peers[0].RoutesOut > 0 && peers[0].Engine == guard.Established
		}
	}
	eventually(t, "two routes", func() bool { return g.status(t, r.address).RoutesOut == 2 })
	eventually(t, "renewing", renewing(true))
	engine.whole()
	eventually(t, "renewed", renewing(false))

	// A new engine that has but one route at first: the other one is not withdrawn until it says so.
	engine.end()
	eventually(t, "the engine is gone", func() bool { return g.status(t, r.address).Engine != guard.Established })
	engine = g.link(t)
	engine.announce(t, request(1))
	eventually(t, "renewing", renewing(true))
	engine.announce(t, request(2))
	engine.whole()
	eventually(t, "renewed", renewing(false))
	// A session that begins now is told the end when the engine does.
	later := call(t, address(), g.own())
	later.establish(t, later.hello())
	eventually(t, "End-of-RIB", func() bool {
		s := g.status(t, later.address)
		return later.count(wire.TypeUpdate) >= 2 && !s.Renewing && s.RoutesOut == 2
	})
	later.Close()
	eventually(t, "it is gone", func() bool { return g.status(t, later.address).State != guard.Established })
	peers, totals, err := client.Peers(t.Context())
	peers = slices.DeleteFunc(peers, func(s guard.Status) bool { return s.Peer == later.address })
	if err != nil || len(peers) != 1 || totals.Strangers != 0 {
		t.Fatalf("%+v, %+v, %v", peers, totals, err)
	}
	if s := peers[0]; s.Peer != r.address || s.RouterID != id(r.address) || s.State != guard.Established || s.AS != as || s.Engines != 2 {
		t.Errorf("%+v", s)
	}
	r.Close()
	if err := <-hearing; err != nil {
		t.Fatal(err)
	}
	want := []guard.Kind{guard.PeerUp, guard.EngineUp, guard.EngineDown, guard.EngineUp, guard.PeerDown}
	if len(heard) != len(want) {
		t.Fatalf("heard %v, want %v", heard, want)
	}
	for i := range want {
		if heard[i] != want[i] {
			t.Errorf("heard %v, want %v", heard, want)
		}
	}
	conn, err := net.Dial("unix", client.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("{\"ask\":\"weather\"}\n")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 256)
	n, err := conn.Read(b)
	if err != nil || !strings.Contains(string(b[:n]), "cannot be asked") {
		t.Errorf("%s, %v", b[:n], err)
	}
}
