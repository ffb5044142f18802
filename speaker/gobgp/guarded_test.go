package gobgp

import (
	"net/netip"
	"testing"

	"github.com/tns-project/tns/speaker"
)

func TestInboxNamesRealAddresses(t *testing.T) {
	g, err := NewGuarded(Config{AS: 65000, RouterID: 0xc0000201, ListenPort: -1})
	if err != nil {
		t.Fatal(err)
	}
	inner, real := netip.MustParseAddr("127.64.0.9"), netip.MustParseAddr("192.0.2.9")
	g.names.Set(inner, real)
	for range 3 {
		g.queue.Put(speaker.Event{Kind: speaker.SessionDown, Peer: inner})
	}
	in := g.Inbox()
	<-in.Ready()
	first, _ := in.Take(nil, 1)
	all, open := in.Take(first, 5)
	if len(all) != 3 || !open {
		t.Fatalf("took %d, open is %t", len(all), open)
	}
	for i, e := range all {
		if e.Peer != real {
			t.Errorf("event %d is of %v", i, e.Peer)
		}
	}
}
