//go:debug multipathtcp=0

package main

import (
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/tns-project/tns/cmd/internal/bgp"
	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker"
	"github.com/tns-project/tns/speaker/guard"
)

// What the guard of a speaker records is told: both directions, from OPEN to a withdrawal.
func TestDecodeWhatTheGuardRecords(t *testing.T) {
	directory := t.TempDir()
	edge, host := netip.MustParseAddr("127.48.0.1"), netip.MustParseAddr("127.48.0.2")
	l, err := net.ListenTCP("tcp4", net.TCPAddrFromAddrPort(netip.AddrPortFrom(edge, 0)))
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().(*net.TCPAddr).AddrPort() // free, once it is closed
	l.Close()
	open := func(own netip.Addr, inner, record string, listen []netip.AddrPort, peers ...guard.Peer) *bgp.Speaker {
		id, err := evpn.RouterIDFromAddr(own)
		if err != nil {
			t.Fatal(err)
		}
		log := logrus.New()
		log.SetOutput(io.Discard)
		s, err := bgp.New(bgp.Config{
			RouterID: id, AS: 65000, Listen: listen, Peers: peers, Inner: netip.MustParsePrefix(inner), Record: record, Log: logrus.NewEntry(log),
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		t.Cleanup(func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		if err := s.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		return s
	}
	nve := open(edge, "127.64.0.0/11", directory, []netip.AddrPort{at}, guard.Peer{Prefix: netip.PrefixFrom(host, 32), Dynamic: true})
	tes := open(host, "127.96.0.0/11", "", nil, guard.Peer{Prefix: netip.PrefixFrom(edge, 32), Port: at.Port(), AS: 65000, LocalAddress: host})
	wait := func(kind speaker.Kind) {
		t.Helper()
		for limit := time.After(20 * time.Second); ; {
			select {
			case e := <-nve.Events():
				if e.Kind == kind {
					return
				}
			case <-limit:
				t.Fatalf("no event of kind %d", kind)
			}
		}
	}
	wait(speaker.EndOfRIB)
	vm, err := evpn.ParseVMID(firstVM)
	if err != nil {
		t.Fatal(err)
	}
	request := evpn.Request{Op: evpn.Associate, Sequence: 1767355200, VM: vm, Index: 1, Count: 1}
	id, err := evpn.RouterIDFromAddr(host)
	if err != nil {
		t.Fatal(err)
	}
	route := evpn.Route{
		RouteKey: evpn.RouteKey{Type: evpn.MACIPAdvertisement, RD: evpn.NewRD(id, 1), MAC: evpn.MAC{2, 0, 0, 0, 0, 1}}, Label: 10100, NextHop: host,
		Communities: request.Communities(), LargeCommunities: []evpn.LargeCommunity{request.Mirror(65000)},
	}
	if err := tes.Announce(route); err != nil {
		t.Fatal(err)
	}
	wait(speaker.Announced)
	if err := tes.Withdraw(route.RouteKey); err != nil {
		t.Fatal(err)
	}
	wait(speaker.Withdrawn)

	b, err := os.ReadFile(filepath.Join(directory, host.String()+".mrt"))
	if err != nil {
		t.Fatal(err)
	}
	text := decodeText(t, b)
	for _, want := range []string{
		" 127.48.0.2 received OPEN AS 65000 router-id 127.48.0.2 hold time ",
		" 127.48.0.2 sent OPEN AS 65000 router-id 127.48.0.1 hold time ",
		" 127.48.0.2 received KEEPALIVE\n",
		" 127.48.0.2 sent KEEPALIVE\n",
		" 127.48.0.2 received UPDATE End-of-RIB l2vpn-evpn\n",
		" 127.48.0.2 sent UPDATE End-of-RIB l2vpn-evpn\n",
		" 127.48.0.2 received UPDATE\n    announce type 2 rd 127.48.0.2:1 etag 0 mac 02:00:00:00:00:01 label 10100 next hop 127.48.0.2 VM " + firstVM + "\n",
		"        880112006957b340  OP associate base null seq 1767355200\n",
		"        65000:100020:1767355200  mirror request associate base null seq 1767355200\n",
		" 127.48.0.2 received UPDATE\n    withdraw type 2 rd 127.48.0.2:1 etag 0 mac 02:00:00:00:00:01\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no line %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "unread") {
		t.Errorf("something is unread:\n%s", text)
	}
}
