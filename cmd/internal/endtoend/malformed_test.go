package endtoend

import (
	"fmt"
	"strings"
	"testing"
)

// What one peer of an edge gets wrong costs that peer its session, and nobody else anything.
func TestMalformedMessagesToTheEdge(t *testing.T) {
	w := newWorld(t)
	const wrong = "198.51.100.12"
	w.address(w.tes, wrong, w.nve)
	w.change("nved.yaml", "  - {address: 198.51.100.11, as: 65000}\n", "  - {address: 198.51.100.11, as: 65000}\n  - {address: "+wrong+", as: 65000}\n")
	w.start("nved")
	w.start("tesd")
	w.established()
	w.operate("associate", "--nic", nic)
	before, err := w.session("nved", "198.51.100.11")
	if err != nil || before.State != "established" || before.Since == "" {
		t.Fatalf("session %+v, %v", before, err)
	}
	for _, c := range []struct {
		name string
		code byte // of the NOTIFICATION (RFC 4271 §4.5)
		send func(*peer)
	}{
		{"a header of type 99 before OPEN", 1, func(p *peer) { p.say(typeUnknown, nil) }},
		{"a header of type 99", 1, func(p *peer) { p.establish(); p.say(typeUnknown, nil) }},
		{"a second OPEN", 5, func(p *peer) { p.establish(); p.say(typeOpen, p.open()) }},
		{"a truncated NLRI", 3, func(p *peer) {
			p.establish()
			reach := p.reach("02:00:00:00:00:63")
			p.say(typeUpdate, update(reach[:len(reach)-20], communities()...))
		}},
		{"MP_REACH_NLRI of three octets", 3, func(p *peer) { p.establish(); p.say(typeUpdate, update([]byte{0, 25, 70})) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := call(t, w.tes, wrong, "192.0.2.1:179")
			c.send(p)
			p.refused(c.code)
			after, err := w.session("nved", "198.51.100.11")
			if err != nil || after != before {
				t.Errorf("another TES's session was %+v and is %+v, %v", before, after, err)
			}
			w.becomes("nved", "associated", "")
			if !w.forwards(mac) {
				t.Error("the kernel lost the VM")
			}
		})
	}
	w.operate("keep-alive")
	metrics := w.do(w.in(w.nve, "curl", "-sf", "http://127.0.0.1:9479/metrics")).out
	for _, want := range []string{
		`tns_guard_refused_total{peer="` + wrong + `",plane="tes"} 2`, `tns_guard_sessions_total{peer="` + wrong + `",plane="tes"} 4`,
		`tns_guard_refused_total{peer="198.51.100.11",plane="tes"} 0`, `tns_guard_strangers_total{plane="tes"} 0`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("%q is missing in\n%s", want, metrics)
		}
	}
}

// An edge that says nonsense is dialled again.
func TestMalformedMessagesToTheHypervisor(t *testing.T) {
	w := newWorld(t)
	accept := await(t, w.nve, "192.0.2.1:179")
	w.start("tesd")
	for range 2 {
		p := accept()
		p.establish()
		w.established()
		p.say(typeUnknown, nil)
		p.refused(1)
	}
	accept().establish()
	w.established()
}

// An EVPN community that GoBGP does not know (FRR's ND flags, RFC 9047) does not cost the route.
func TestRouteWithAnUnknownCommunity(t *testing.T) {
	w := newWorld(t)
	const vtep, remote = "198.51.100.13", "02:00:00:00:00:77"
	w.address(w.tes, vtep, w.nve)
	w.change("nved.yaml", "fabric: []", "fabric:\n  - {address: "+vtep+", as: 65000, port: 1790}")
	accept := await(t, w.tes, vtep+":1790")
	w.start("nved")
	w.start("tesd")
	p := accept()
	p.establish()
	p.say(typeUpdate, update(p.reach(remote), communities([8]byte{0x06, 0x08, 1})...))
	p.say(typeUpdate, []byte{0, 0, 0, 6, 0x80, 15, 3, 0, 25, 70}) // End-of-RIB (RFC 4724)
	w.established()
	w.operate("associate", "--nic", nic) // the kernel gets other edges' MACs of a VN that has a VM here
	eventually(t, "wait for the kernel's entry", func() error {
		if fdb := run(t, "bridge", "-n", w.nve, "fdb", "show"); !strings.Contains(fdb, remote+" dev tnsvx10100 dst "+vtep) {
			return fmt.Errorf("it has\n%s", fdb)
		}
		return nil
	})
}

// A port that is taken is named, with the address.
func TestListenPortIsTaken(t *testing.T) {
	w := newWorld(t)
	await(t, w.nve, "192.0.2.1:179")
	w.change("nved.yaml", "fabric: []", "fabric: []\nlisten: [192.0.2.1]")
	s := w.do(w.in(w.nve, "nved", "--config", "nved.yaml"))
	if s.status != 1 || !strings.Contains(s.errs, "listen on 192.0.2.1:179") || !strings.Contains(s.errs, "address already in use") {
		t.Errorf("exit status %d, %s; want 1 with the address and the port", s.status, s.errs)
	}
}
