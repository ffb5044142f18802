package guard

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/tns-project/tns/speaker/guard/wire"
	"github.com/tns-project/tns/speaker/link"
)

// established is the loop of a peer whose session has its routes, without sockets, and the other end of its connection. Nothing is written to it before the
// session's state is Established.
func established(t *testing.T, c Config) (*peer, net.Conn) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	c.Log, c.EngineTime, c.MirrorTime = discard(), time.Hour, time.Hour
	g := &Guard{config: c, notices: make(chan Notice, maxNotices), peers: make(map[netip.Addr]*peer), recorder: &recorder{}, distributor: newDistributor()}
	p := newPeer(g, ctx, Peer{Passive: true}, loopback.Addr(), loopback.Addr())
	g.peers[p.address] = p
	here, there := net.Pipe()
	p.session = &machine{side: p.outer(), since: p.now(), received: &wire.Open{GracefulRestart: &wire.GracefulRestart{}}}
	m := p.session
	m.conn = newConn(here, nil, &p.work, func(v chunk) { p.post(happening{machine: m, chunk: v}) })
	p.accepted = []*machine{m}
	p.routes = newExchange(wire.Session{Families: []wire.Family{wire.EVPN}, FourOctetAS: true, Internal: true})
	p.subscribe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.run()
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		there.Close()
	})
	return p, there
}

// inLoop does something in a peer's loop.
func inLoop(t *testing.T, p *peer, do func()) {
	t.Helper()
	if !p.post(happening{do: do}) {
		t.Fatal("the loop has ended")
	}
}

// speech is an engine on a link that says what a test says, and does not heed what it is told.
type speech struct {
	net.Conn
	ended chan error
}

func linked(t *testing.T, g *Guard) *speech {
	t.Helper()
	here, there := net.Pipe()
	s := &speech{here, make(chan error, 1)}
	go func() { s.ended <- g.Link(context.Background(), there) }()
	go func() { _, _ = io.Copy(io.Discard, here) }()
	t.Cleanup(s.end)
	return s
}

// end ends it; the guard has noticed.
func (s *speech) end() {
	s.Close()
	err := <-s.ended
	s.ended <- err
}

func (s *speech) say(t *testing.T, messages ...link.Message) {
	t.Helper()
	for _, m := range messages {
		if _, err := s.Write(m.Append(nil)); err != nil {
			t.Fatal(err)
		}
	}
}

// bulk is a route of many, with a MED, as an engine announces it.
func bulk(n uint16, med byte) link.Message {
	b := []byte(route('m', 0, 1).NLRI)
	binary.BigEndian.PutUint16(b[len(b)-8:], n) // of the MAC
	c := wire.Change{Family: wire.EVPN, NLRI: string(b), Attributes: wire.NewAttributes([]byte{10, 0, 0, 9}, []byte{0x80, 4, 4, 0, 0, 0, med})}
	msgs, _ := wire.Pack([]wire.Change{c}, wire.Session{FourOctetAS: true})
	return link.Message{Kind: link.Routes, Update: msgs[0]}
}
