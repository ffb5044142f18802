package guard_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker/guard/wire"
	"github.com/tns-project/tns/speaker/link"
)

// linked is an engine on a link: it announces what a test says, and keeps what the guard tells it.
type linked struct {
	net.Conn
	ended chan error // of Guard.Link
	alive context.CancelFunc

	mu     sync.Mutex
	writes sync.Mutex
	heard  []link.Message
	tables map[netip.Addr]*wire.Table // of the peers that are up
	ends   map[netip.Addr]bool
	err    error
}

// pair is two ends of a stream in this process.
func pair(t testing.TB) (here, there net.Conn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	ends := make([]net.Conn, 2)
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "link")
		if ends[i], err = net.FileConn(f); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	return ends[0], ends[1]
}

// mute links an engine that neither reads nor says that it is alive.
func (r *running) mute(t testing.TB) *linked {
	t.Helper()
	here, there := pair(t)
	e := &linked{
		Conn: here, ended: make(chan error, 1), tables: make(map[netip.Addr]*wire.Table), ends: make(map[netip.Addr]bool), alive: func() {},
	}
	go func() { e.ended <- r.Link(context.Background(), there) }()
	t.Cleanup(e.end)
	return e
}

// link links an engine that reads all and lives.
func (r *running) link(t testing.TB) *linked {
	t.Helper()
	e := r.mute(t)
	e.live()
	go e.listen()
	return e
}

// live says that the engine lives, until it ends.
func (e *linked) live() {
	ctx, cancel := context.WithCancel(context.Background())
	e.alive = cancel
	go func() {
		tick := time.NewTicker(link.AliveTime)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				e.say(link.Message{Kind: link.Alive})
			case <-ctx.Done():
				return
			}
		}
	}()
}

// end ends it, and waits until the guard has noticed.
func (e *linked) end() {
	e.alive()
	e.Close()
	err := <-e.ended
	e.ended <- err
}

func (e *linked) say(messages ...link.Message) {
	var b []byte
	for _, m := range messages {
		b = m.Append(b)
	}
	e.writes.Lock()
	defer e.writes.Unlock()
	_, _ = e.Write(b)
}

func (e *linked) listen() {
	in := link.NewReader(e)
	for {
		m, err := in.Next()
		e.mu.Lock()
		e.take(m, err)
		e.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (e *linked) take(m link.Message, err error) {
	if err != nil {
		e.err = err
		return
	}
	m.Update = append([]byte(nil), m.Update...)
	switch m.Kind {
	case link.Up:
		if e.tables[m.Peer] != nil {
			e.err = fmt.Errorf("%v comes up twice", m.Peer)
		}
		e.tables[m.Peer] = wire.NewTable()
	case link.Down:
		if e.tables[m.Peer] == nil {
			e.err = fmt.Errorf("%v goes and was not there", m.Peer)
		}
		delete(e.tables, m.Peer)
		delete(e.ends, m.Peer)
	case link.Routes:
		u, err := wire.ParseUpdate(m.Update)
		if err != nil || e.tables[m.Peer] == nil {
			e.err = errors.Join(fmt.Errorf("routes of %v, is up: %t", m.Peer, e.tables[m.Peer] != nil), err)
			return
		}
		e.ends[m.Peer] = e.ends[m.Peer] || u.EndOfRIB == wire.EVPN
		e.tables[m.Peer].Apply(u.Changes())
	}
	if m.Kind != link.Alive {
		e.heard = append(e.heard, m)
	}
}

// wait waits until what was heard so far satisfies a test.
func (e *linked) wait(t testing.TB, what string, holds func() bool) {
	t.Helper()
	eventually(t, what, func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.err != nil && !errors.Is(e.err, io.EOF) && !errors.Is(e.err, net.ErrClosed) {
			t.Fatalf("wait for %s: %v", what, e.err)
		}
		return holds()
	})
}

// waitRoutes waits until a peer is up and has so many routes.
func (e *linked) waitRoutes(t testing.TB, peer netip.Addr, n int) {
	t.Helper()
	e.wait(t, fmt.Sprintf("%d routes of %v", n, peer), func() bool { return e.tables[peer] != nil && e.tables[peer].Len(wire.EVPN) == n })
}

func (e *linked) waitEnd(t testing.TB, peer netip.Addr) {
	t.Helper()
	e.wait(t, fmt.Sprintf("End-of-RIB of %v", peer), func() bool { return e.ends[peer] })
}

// change is a route with its attributes as an engine announces it.
func change(t testing.TB, r evpn.Route) wire.Change {
	t.Helper()
	nlri, err := r.AppendNLRI(nil)
	if err != nil {
		t.Fatal(err)
	}
	var b []byte
	if n := 8 * len(r.Communities); n > 255 {
		b = append(b, 0xd0, 16, byte(n>>8), byte(n))
	} else {
		b = append(b, 0xc0, 16, byte(n))
	}
	for _, c := range r.Communities {
		b = append(b, c[:]...)
	}
	if len(r.LargeCommunities) > 0 {
		n := 12 * len(r.LargeCommunities)
		b = append(b, 0xd0, 32, byte(n>>8), byte(n))
		for _, c := range r.LargeCommunities {
			b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, c.Global), c.Data1), c.Data2)
		}
	}
	return wire.Change{Family: wire.EVPN, NLRI: string(nlri), Attributes: wire.NewAttributes(r.NextHop.AsSlice(), b)}
}

// updates says changes as an engine does.
func updates(t testing.TB, changes ...wire.Change) (messages []link.Message) {
	t.Helper()
	msgs, unsent := wire.Pack(changes, wire.Session{FourOctetAS: true})
	if len(unsent) > 0 {
		t.Fatalf("%d routes are too long", len(unsent))
	}
	for _, m := range msgs {
		messages = append(messages, link.Message{Kind: link.Routes, Update: m})
	}
	return messages
}

func (e *linked) announce(t testing.TB, routes ...evpn.Route) {
	t.Helper()
	var list []wire.Change
	for _, r := range routes {
		list = append(list, change(t, r))
	}
	e.say(updates(t, list...)...)
}

func (e *linked) withdraw(t testing.TB, routes ...evpn.Route) {
	t.Helper()
	var list []wire.Change
	for _, r := range routes {
		c := change(t, r)
		c.Attributes = wire.Attributes{}
		list = append(list, c)
	}
	e.say(updates(t, list...)...)
}

func (e *linked) whole() { e.say(link.Message{Kind: link.Whole}) }

// told is the routes that a peer has been told, and how many UPDATEs with routes that took.
func (r *raw) told(t testing.TB) (table *wire.Table, updates int) {
	t.Helper()
	table = wire.NewTable()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, msg := range r.heard {
		if wire.TypeOf(msg) != wire.TypeUpdate {
			continue
		}
		u, err := wire.ParseUpdate(msg)
		if err != nil {
			t.Fatal(err)
		}
		if u.EndOfRIB == 0 {
			updates++
		}
		table.Apply(u.Changes())
	}
	return table, updates
}

// waitTold waits until a peer has been told exactly these routes.
func (r *raw) waitTold(t testing.TB, routes ...evpn.Route) {
	t.Helper()
	want := make(map[wire.RouteKey]wire.Change)
	for _, route := range routes {
		c := change(t, route)
		want[c.Key()] = c
	}
	differs := func(table *wire.Table) bool {
		for k, w := range want {
			if c, ok := table.At(k); !ok || c.NLRI != w.NLRI {
				return true
			}
		}
		return table.Len(wire.EVPN) != len(want)
	}
	eventually(t, fmt.Sprintf("%v is told %d routes and no others", r.address, len(routes)), func() bool {
		table, _ := r.told(t)
		return !differs(table)
	})
}

// heardEnd reports whether a peer was told End-of-RIB of a family.
func (r *raw) heardEnd(f wire.Family) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, msg := range r.heard {
		if string(msg) == string(wire.AppendEndOfRIB(nil, f)) {
			return true
		}
	}
	return false
}

// asks says a membership for each route target, or takes them back.
func (r *raw) asks(t testing.TB, wanted bool, targets ...evpn.RouteTarget) {
	t.Helper()
	var list []wire.Change
	for _, rt := range targets {
		c := wire.Change{Family: wire.RouteTargets, NLRI: wire.Membership(as, rt)}
		if rt == (evpn.RouteTarget{}) {
			c.NLRI = "\x00"
		}
		if wanted {
			c.Attributes = wire.NewAttributes(r.address.AsSlice(), []byte{0x40, 1, 1, 0, 0x40, 2, 0, 0x40, 5, 4, 0, 0, 0, 100})
		}
		list = append(list, c)
	}
	msgs, _ := wire.Pack(list, wire.Session{FourOctetAS: true, Internal: true})
	r.say(msgs...)
}

// constrained is an OPEN with EVPN and route target constraint.
func (r *raw) constrained() *wire.Open {
	o := r.hello()
	o.Families = append(o.Families, wire.RouteTargets)
	return o
}

// targeted is a route with route targets.
func targeted(n uint32, targets ...evpn.RouteTarget) evpn.Route {
	r := request(n)
	r.Communities = nil
	for _, rt := range targets {
		r.Communities = append(r.Communities, evpn.ExtendedCommunity(rt))
	}
	return r
}

// target is one of many route targets.
func target(n byte) evpn.RouteTarget { return evpn.RouteTarget{0, 2, 0xfd, 0xe8, 0, 0, 0, n} }
