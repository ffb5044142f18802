package endtoend

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A server comes with a reload, changes, and goes with another, while the engine runs: kernel and fabric have it, and have it no more. A VM of a TES notices nothing.
func TestServersFollowAReload(t *testing.T) {
	const (
		printer, archive = "02:00:00:00:02:01", "02:00:00:00:02:02"
		vtep             = "198.51.100.13"
	)
	w := newWorld(t)
	w.address(w.tes, vtep, w.nve)
	w.change("nved.yaml", "fabric: []", "fabric:\n  - {address: "+vtep+", as: 65000, port: 1790, hold_time: 90s}")
	accept := await(t, w.tes, vtep+":1790")
	nved := w.start("nved")
	w.start("tesd")
	p := accept()
	p.establish()
	p.say(typeUpdate, []byte{0, 0, 0, 6, 0x80, 15, 3, 0, 25, 70}) // End-of-RIB (RFC 4724)
	w.established()
	w.operate("associate", "--nic", nic)
	p.hears(mac, true)
	engine := nved.process("engine")
	reloads := func(servers string) {
		t.Helper()
		w.servers(servers)
		if r := w.reload(0); !r.Changed || len(r.Problems) > 0 {
			t.Errorf("reload with %q: %+v", servers, r)
		}
	}
	refuses := func(t *testing.T, servers string, problems ...string) {
		t.Helper()
		w.servers(servers)
		r := w.reload(1)
		if r.Changed || len(r.Problems) != len(problems) {
			t.Fatalf("reload with %q: %+v, want problems with %q", servers, r, problems)
		}
		for i, want := range problems {
			if !strings.Contains(r.Problems[i], want) {
				t.Errorf("reload: problem %q, want one with %q", r.Problems[i], want)
			}
		}
	}
	kernel := func(mac string, there bool) {
		t.Helper()
		eventually(t, fmt.Sprintf("wait until the kernel has %s: %v", mac, there), func() error {
			if w.forwards(mac) != there {
				return fmt.Errorf("it has it: %v", !there)
			}
			return nil
		})
	}

	reloads("{name: printer, nics: [{vn: blue, port: eth1, mac: " + printer + ", ips: [10.1.2.1]}]}")
	p.hears(printer, true)
	kernel(printer, true)
	if s := w.tnsctl("nved", "vm", "list"); !strings.Contains(s.out, "printer") {
		t.Errorf("vm list says\n%s", s.out)
	}

	t.Run("what cannot be is refused, and all is as it was", func(t *testing.T) {
		one := func(rest string) string {
			return "{name: printer, nics: [{vn: blue, port: eth1, mac: " + printer + ", ips: [10.1.2.1]}]}, " + rest
		}
		refuses(t, one("{name: archive, nics: [{vn: blue, port: eth1, mac: "+printer+"}]}"), `servers[1].nics[0].mac: value "`+printer+`": the same as servers[0].nics[0].mac; a MAC is of one network card in a VN`)
		refuses(t, one("{name: printer, nics: [{vn: blue, port: eth1, mac: "+archive+"}]}"), `servers[1].name: value "printer": the same as servers[0].name; names are unique`)
		refuses(t, one("{name: archive, nics: [{vn: red, port: eth1, mac: "+archive+"}]}"), `servers[1].nics[0].vn: value "red"`)
		refuses(t, one("{name: archive, nics: [{vn: blue, port: eth7, mac: "+archive+"}]}"), `servers[1].nics[0].port: value "eth7": not a port of this edge; want one of ports:`)
		refuses(t, one("{name: archive, nics: [{vn: blue, port: eth1, mac: 01:00:00:00:00:01}]}"), `servers[1].nics[0].mac: value "01:00:00:00:00:01"`)
		if !w.forwards(printer) || w.forwards(archive) {
			t.Error("the kernel has lost the printer, or has the archive")
		}
	})

	reloads("{name: printer, nics: [{vn: blue, port: eth1, mac: " + printer + ", ips: [10.1.2.1]}, {vn: blue, port: eth1, mac: " + archive + "}]}")
	p.hears(archive, true)
	kernel(archive, true)
	if !w.forwards(printer) {
		t.Error("the kernel has lost the printer")
	}

	reloads("{name: printer, nics: [{vn: blue, port: eth1, mac: " + archive + "}]}")
	p.hears(printer, false)
	kernel(printer, false)
	if !w.forwards(archive) {
		t.Error("the kernel has lost the archive")
	}

	// a signal does the same
	w.servers("")
	if err := nved.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	p.hears(archive, false)
	kernel(archive, false)
	eventually(t, "wait until nothing is known of the server", func() error {
		if s := w.tnsctl("nved", "vm", "list"); s.status != 0 || strings.Contains(s.out, "printer") || !strings.Contains(s.out, vmid) {
			return fmt.Errorf("vm list says\n%s%s", s.out, s.errs)
		}
		return nil
	})
	if now := nved.process("engine"); now != engine {
		t.Errorf("the engine was %d and is %d", engine, now)
	}

	t.Run("an engine that is started again has the servers of the last reload", func(t *testing.T) {
		reloads("{name: archive, nics: [{vn: blue, port: eth1, mac: " + archive + "}]}")
		kernel(archive, true)
		nved.kill("engine")
		w.becomes("nved", "associated", "")
		eventually(t, "wait for the server", func() error {
			if s := w.tnsctl("nved", "vm", "list"); !strings.Contains(s.out, "archive") {
				return fmt.Errorf("vm list says\n%s", s.out)
			}
			return nil
		})
		reloads("")
		kernel(archive, false)
		kernel(mac, true)
	})

	t.Run("a VN goes with its server, and is not renumbered under it", func(t *testing.T) {
		w.operate("terminate")
		reloads("{name: archive, nics: [{vn: blue, port: eth1, mac: " + archive + "}]}")
		kernel(archive, true)
		w.notReloaded("vni: 10100}", "vni: 10101}", "VN blue cannot be renumbered from 10100 to 10101 while servers are in it: server archive")
		w.servers("")
		w.change("nved.yaml", "vni: 10100}", "vni: 10101}")
		if r := w.reload(0); !r.Changed {
			t.Errorf("reload: %+v", r)
		}
		kernel(archive, false)
	})
}

// servers makes the edge's servers those, in its file.
func (w *world) servers(list string) {
	w.t.Helper()
	text := run(w.t, "cat", w.dir+"/nved.yaml")
	if i := strings.Index(text, "servers: "); i >= 0 {
		text = text[:i]
	}
	w.write("nved.yaml", text+"servers: ["+list+"]\n")
}

// hears reads until an UPDATE announces a MAC, or withdraws it.
func (p *peer) hears(mac string, announced bool) {
	p.t.Helper()
	station, err := net.ParseMAC(mac)
	if err != nil {
		p.t.Fatal(err)
	}
	want := map[bool]byte{true: 14, false: 15}[announced] // MP_REACH_NLRI, MP_UNREACH_NLRI (RFC 4760)
	if err := p.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		p.t.Fatal(err)
	}
	for {
		header := make([]byte, 19)
		if _, err := io.ReadFull(p, header); err != nil {
			p.t.Fatalf("wait until %s is announced: %v: %v", mac, announced, err)
		}
		body := make([]byte, binary.BigEndian.Uint16(header[16:])-19)
		if _, err := io.ReadFull(p, body); err != nil {
			p.t.Fatal(err)
		}
		if header[18] != typeUpdate {
			continue
		}
		for attributes := body[4:]; len(attributes) > 0; {
			n, from := int(attributes[2]), 3
			if attributes[0]&0x10 != 0 { // the length has two octets
				n, from = int(binary.BigEndian.Uint16(attributes[2:])), 4
			}
			if attributes[1] == want && bytes.Contains(attributes[from:from+n], station) {
				return
			}
			attributes = attributes[from+n:]
		}
	}
}
