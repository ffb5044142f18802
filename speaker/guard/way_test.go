package guard

import (
	"encoding/binary"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/speaker/guard/wire"
)

// BenchmarkWayOut is what the guard itself needs for a change of the engine's, from the message to the octets for the peer, without sockets: 40 in one go of
// 1,000 routes, each with attributes of its own, of the size that a TES's have, or all with the same.
func BenchmarkWayOut(b *testing.B) {
	for _, own := range []bool{true, false} {
		b.Run(map[bool]string{true: "own attributes", false: "equal attributes"}[own], func(b *testing.B) {
			change := wayOut(b, own)
			b.ReportAllocs()
			var before, after unix.Rusage
			_ = unix.Getrusage(unix.RUSAGE_SELF, &before)
			for b.Loop() {
				change()
			}
			_ = unix.Getrusage(unix.RUSAGE_SELF, &after)
			used := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
			b.ReportMetric(float64(used)/float64(b.N), "cpu-ns/op") // a busy machine's clock says little
		})
	}
}

// TestWayOutTakesLittleMemory: what GoBGP throws away of a route is 35 KB, and the collector's work is shared with it.
func TestWayOutTakesLittleMemory(t *testing.T) {
	change := wayOut(t, true)
	for range 4000 {
		change() // all routes are there, and the memory that is used again
	}
	if n := testing.AllocsPerRun(4000, change); n > 6 {
		t.Errorf("%v allocations for a change on the way out", n)
	}
}

// wayOut has the engine say one change more, and now and then writes what is due to the peer.
func wayOut(t testing.TB, own bool) (change func()) {
	const routes, chunk = 1000, 40
	here, there := net.Pipe()
	t.Cleanup(func() { here.Close(); there.Close() })
	g := &Guard{config: Config{RenewTime: time.Hour, Log: discard()}, recorder: &recorder{}, distributor: newDistributor()}
	p := newPeer(g, t.Context(), Peer{}, loopback.Addr(), loopback.Addr())
	p.session = &machine{side: p.outer(), state: Established, received: &wire.Open{}, conn: &conn{Conn: here}}
	p.routes = newExchange(wire.Session{Families: []wire.Family{wire.EVPN}, FourOctetAS: true, Internal: true})
	p.subscribe()
	msg := attributed()
	n, out := uint32(0), []byte(nil)
	reader := wire.Reader{Bare: true}
	var changes []wire.Change
	return func() {
		binary.BigEndian.PutUint16(msg[len(msg)-8:], uint16(n%routes)) // of the MAC
		version := n / routes                                          // what stands is not said again
		if n++; own {
			version = n
		}
		binary.BigEndian.PutUint32(msg[30:], version) // of the communities
		u, err := reader.Update(msg)
		if err != nil {
			t.Fatal(err)
		}
		changes = u.AppendChanges(changes)
		if n%chunk > 0 {
			return
		}
		g.distributor.apply(changes)
		g.distributor.deliver()
		changes = changes[:0]
		p.collect()
		if out = p.due(p.session, out[:0]); len(out) == 0 || g.distributor.table.Len(wire.EVPN) != int(min(n, routes)) {
			t.Fatalf("%d octets are due, of %d routes", len(out), g.distributor.table.Len(wire.EVPN))
		}
	}
}

// attributed is an UPDATE with eight extended communities.
func attributed() []byte {
	n := []byte(route('m', 0, 1).NLRI)
	reach := append([]byte{0, 25, 70, 4, 10, 0, 0, 9, 0}, n...)
	attributes := []byte{0xc0, 16, 64}
	for sub := range byte(8) {
		attributes = append(attributes, 0x88, sub, 0, 0, 0, 0, 0, 1)
	}
	return update(append(append(attributes, 0x80, 14, byte(len(reach))), reach...))
}
