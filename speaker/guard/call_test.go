package guard_test

import (
	"context"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tns-project/tns/speaker/guard"
)

// callers is guards with an open prefix, each at an address of its own, that dial each other from it.
func callers(t *testing.T, n int, change func(*guard.Config)) (all []*running) {
	t.Helper()
	for range n {
		c := setting(anyone())
		c.Peers[0].Port, c.Peers[0].LocalAddress, c.Peers[0].AS, c.Peers[0].Password = port, c.Listen[0].Addr(), as, "between edges"
		if change != nil {
			change(&c)
		}
		all = append(all, run(t, c))
	}
	return all
}

// call makes a guard call others, from its start on.
func (r *running) call(t *testing.T, only bool, others ...*running) (refused map[netip.Addr]string) {
	t.Helper()
	var list []netip.Addr
	for _, o := range others {
		list = append(list, o.own())
	}
	eventually(t, "the guard takes calls", func() bool {
		refused = r.Call(list, only)
		for _, why := range refused {
			if strings.Contains(why, "does not run") {
				return false
			}
		}
		return true
	})
	return refused
}

func established(g, h *running) func(t *testing.T) bool {
	return func(t *testing.T) bool {
		return g.status(t, h.own()).State == guard.Established && h.status(t, g.own()).State == guard.Established
	}
}

// TestCall: whoever calls brings the session about, both or one of them; it ends when nobody calls any more.
func TestCall(t *testing.T) {
	all := callers(t, 3, nil)
	a, b, c := all[0], all[1], all[2]
	up := func(g, h *running) {
		t.Helper()
		eventually(t, "session", func() bool { return established(g, h)(t) })
	}
	down := func(g, h *running) {
		t.Helper()
		eventually(t, "no session", func() bool {
			return g.status(t, h.own()).State != guard.Established && h.status(t, g.own()).State != guard.Established
		})
	}
	a.call(t, false, b)
	b.call(t, false, a, c)
	up(a, b)
	up(b, c)
	eventually(t, "a dynamic peer, from our own address", func() bool { // the two connections may collide after the first one was established
		s := a.status(t, b.own())
		return s.Dynamic && s.Local == a.own()
	})
	a.call(t, false, c) // b is called on
	up(a, c)
	a.call(t, false)
	up(a, b)

	// What only a calls goes when it does not any more, and stays with those who are called by the other side.
	a.call(t, true)
	down(a, c)
	up(a, b) // at once, or again: b dials
	up(b, c)
	b.call(t, true, c)
	down(a, b)
	up(b, c)
	b.call(t, true)
	down(b, c)
	b.call(t, true, c) // and again
	up(b, c)
}

// TestCalledPeerComesBack: a called peer that was not there, or goes, is dialled again.
func TestCalledPeerComesBack(t *testing.T) {
	g := callers(t, 1, nil)[0]
	c := setting(anyone())
	c.Peers[0].LocalAddress, c.Peers[0].Password = c.Listen[0].Addr(), "between edges"
	g.call(t, false, &running{config: c})
	eventually(t, "an attempt", func() bool { return g.status(t, c.Listen[0].Addr()).Failure != "" })
	for range 2 {
		h := run(t, c)
		eventually(t, "session", func() bool { return established(g, h)(t) })
		h.stop()
		if err := <-h.done; err != nil {
			t.Fatal(err)
		}
		h.done <- nil
		eventually(t, "no session", func() bool { return g.status(t, h.own()).State != guard.Established })
	}
}

// TestCallWithAnotherKey: there is no session, in either direction.
func TestCallWithAnotherKey(t *testing.T) {
	a := callers(t, 1, nil)[0]
	b := callers(t, 1, func(c *guard.Config) { c.Peers[0].Password = "of others" })[0]
	c := callers(t, 1, nil)[0]
	a.call(t, false, b, c)
	b.call(t, false, a)
	eventually(t, "session with the right key", func() bool { return established(a, c)(t) })
	eventually(t, "an attempt failed", func() bool { return a.status(t, b.own()).Failure != "" && b.status(t, a.own()).Failure != "" })
	if s := a.status(t, b.own()); s.Sessions != 0 {
		t.Errorf("%+v, want no session", s)
	}
}

// TestCallRefused: an address of no dynamic prefix is not dialled.
func TestCallRefused(t *testing.T) {
	there := address()
	g := callers(t, 1, func(c *guard.Config) {
		c.Peers[0].Prefix = netip.MustParsePrefix("127.0.0.0/30")
		s := static(there)
		s.Password = "its own"
		c.Peers = append(c.Peers, s)
	})[0]
	for a, want := range map[netip.Addr]string{netip.MustParseAddr("192.0.2.1"): "no dynamic peer", there: ""} {
		got := g.call(t, false, &running{config: guard.Config{Listen: []netip.AddrPort{addrPort(a)}}})
		if !strings.Contains(got[a], want) || (got[a] == "") != (want == "") {
			t.Errorf("call %v: refused %v, want %q", a, got, want)
		}
	}
	if n := len(g.Peers(t.Context())); n != 1 {
		t.Errorf("%d peers, want the static one", n)
	}
}

// TestMaxDynamic: neither calls nor connections make more dynamic peers than there may be; one without a connection makes place.
func TestMaxDynamic(t *testing.T) {
	g := callers(t, 1, func(c *guard.Config) { c.MaxDynamic = 2; c.Peers[0].Password = "" })[0]
	called := &running{config: setting()}
	if refused := g.call(t, false, called); len(refused) > 0 {
		t.Fatalf("refused %v", refused)
	}
	first := call(t, address(), g.own())
	first.establish(t, first.hello())
	eventually(t, "session", func() bool { return g.status(t, first.address).State == guard.Established })
	if refused := g.call(t, false, &running{config: setting()}); len(refused) != 1 {
		t.Errorf("refused %v, want the third peer", refused)
	}
	call(t, address(), g.own()).waitClosed(t)
	if n := g.Totals(); n.Crowded != 2 || n.Strangers != 0 {
		t.Errorf("%+v, want two refusals for want of place", n)
	}
	first.Close()
	eventually(t, "it is gone", func() bool { return g.status(t, first.address).State != guard.Established })
	second := call(t, address(), g.own()) // in its place
	second.establish(t, second.hello())
	if s := g.status(t, called.own()); s.Peer != called.own() {
		t.Error("the peer that is called made place")
	}
}

// TestCallByControl tells a guard in another process.
func TestCallByControl(t *testing.T) {
	all := callers(t, 2, nil)
	a, b := all[0], all[1]
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "guard.sock"))
	if err != nil {
		t.Fatal(err)
	}
	serving, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- a.Serve(serving, l) }()
	lists, refused, done := make(chan guard.CallList), make(chan map[netip.Addr]string), make(chan error, 1)
	go func() {
		done <- guard.Client{Path: l.Addr().String()}.Call(t.Context(), lists, func(r map[netip.Addr]string) { refused <- r })
	}()
	stranger := netip.MustParseAddr("192.0.2.1")
	lists <- guard.CallList{Addresses: []netip.Addr{b.own(), stranger}}
	if r := <-refused; len(r) != 1 || !strings.Contains(r[stranger], "no dynamic peer") {
		t.Errorf("refused %v", r)
	}
	eventually(t, "session", func() bool { return established(a, b)(t) })
	lists <- guard.CallList{Only: true}
	if r := <-refused; len(r) > 0 {
		t.Errorf("refused %v", r)
	}
	eventually(t, "no session", func() bool { return b.status(t, a.own()).State != guard.Established })
	stop()
	if err := <-done; err == nil {
		t.Error("the guard is gone, and nobody is told")
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}
