package main

import (
	"bufio"
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/sirupsen/logrus"

	"github.com/tns-project/tns/lifecycle/nve"
	"github.com/tns-project/tns/speaker/guard"
)

// What the file says of the express path, guard and edge are told; without it the fabric's guard listens nowhere.
func TestExpressIsAsConfigured(t *testing.T) {
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("between edges\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const plain = "nve_id: 192.0.2.1\nas: 65000\nvtep: 192.0.2.1\nvns: []\nstate: /var/lib/tns/nved.db\n"
	log := logrus.NewEntry(logrus.New())
	if c := load(t, plain); len(fabricSpeaker(c, log).Listen) > 0 || edgeConfig(c).Express != nil {
		t.Error("the express path is on, want it off")
	}
	c := load(t, plain+"express: {peers: [192.0.2.0/28, 203.0.113.0/24], password_file: "+password+", max_sessions: 7, hold_time: 6s, connect_retry: 2s, ttl_security_hops: 3, max_routes: 9, message_rate: 8}\n")
	s := fabricSpeaker(c, log)
	addr, prefix := netip.MustParseAddr("192.0.2.1"), netip.MustParsePrefix
	want := guard.Peer{
		Dynamic: true, AS: 65000, Port: 1179, LocalAddress: addr, HoldTime: 6 * time.Second, ConnectRetry: 2 * time.Second, Password: "between edges",
		SecurityHops: 3, MaxRoutes: 9, MessageRate: 8, Description: "express",
	}
	both := []guard.Peer{want, want}
	both[0].Prefix, both[1].Prefix = prefix("192.0.2.0/28"), prefix("203.0.113.0/24")
	same := cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}, netip.AddrPort{})
	if diff := cmp.Diff(both, s.Peers, same); diff != "" {
		t.Errorf("peers (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]netip.AddrPort{netip.AddrPortFrom(addr, 1179)}, s.Listen, same); diff != "" || s.MaxDynamic != 7 {
		t.Errorf("%d sessions, listens on (-want +got):\n%s", s.MaxDynamic, diff)
	}
	edge := &nve.Express{Address: addr, Peers: []netip.Prefix{prefix("192.0.2.0/28"), prefix("203.0.113.0/24")}, Max: 7, Linger: expressLinger}
	if diff := cmp.Diff(edge, edgeConfig(c).Express, same); diff != "" {
		t.Errorf("the edge's (-want +got):\n%s", diff)
	}
}

// A guard is told the list as it is, and each that comes later is, too; of lists that could not be told the last one is, with what any of them ended.
func TestGuardIsToldWhomToCall(t *testing.T) {
	path := filepath.Join(t.TempDir(), "guard.sock")
	o := newOperator()
	a, b := netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.3")
	o.Call([]netip.Addr{a}, true)
	o.Call([]netip.Addr{a, b}, false)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- o.run(ctx, logrus.NewEntry(logrus.New()), guard.Client{Path: path}) }()
	one := func(then func(), wants ...string) {
		t.Helper()
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		lines, before := bufio.NewScanner(c), ""
		for _, want := range wants {
			for before != want {
				if !lines.Scan() || lines.Text() != want && lines.Text() != before { // to be told twice does no harm
					t.Fatalf("told %q, want %q (%v)", lines.Text(), want, lines.Err())
				}
				before = lines.Text()
				if _, err := c.Write([]byte("{}\n")); err != nil {
					t.Fatal(err)
				}
			}
			if then != nil {
				then()
			}
		}
	}
	all, last := `{"ask":"call","call":{"addresses":["192.0.2.2","192.0.2.3"],"only":true}}`, `{"ask":"call","call":{"addresses":["192.0.2.3"],"only":true}}`
	one(func() { o.Call([]netip.Addr{b}, true) }, all, last)
	one(nil, last) // another guard
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Whom the guard has no place for, it is asked for again: place comes when another session ends, of which the edge need not hear.
func TestGuardIsAskedAgainForWhomItRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "guard.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	o := newOperator()
	o.pause = time.Millisecond
	o.Call([]netip.Addr{netip.MustParseAddr("192.0.2.2")}, true)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- o.run(ctx, logrus.NewEntry(logrus.New()), guard.Client{Path: path}) }()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(c)
	for i := range 4 { // one may be told twice by itself
		if want := `{"ask":"call","call":{"addresses":["192.0.2.2"],"only":true}}`; !lines.Scan() || lines.Text() != want {
			t.Fatalf("told %q at time %d, want %q (%v)", lines.Text(), i+1, want, lines.Err())
		}
		if _, err := c.Write([]byte(`{"refused":{"192.0.2.2":"there are as many dynamic peers as there may be, 64"}}` + "\n")); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// However many lists had somebody refused, the guard is asked once a pause.
func TestGuardIsAskedOnceAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator()
		for range 5 {
			o.later()
			time.Sleep(o.pause / 10)
		}
		asked := 0
		for start := time.Now(); time.Since(start) < 3*o.pause; time.Sleep(o.pause / 100) {
			select {
			case <-o.changed:
				asked++
			default:
			}
		}
		if asked != 1 {
			t.Errorf("the guard is asked %d times, want once", asked)
		}
	})
}
