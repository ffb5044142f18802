package endtoend

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What the kernel counts when it drops a segment.
const (
	unsigned   = "TcpExtTCPMD5NotFound"   // without the signature that is wanted
	unexpected = "TcpExtTCPMD5Unexpected" // with one where none is wanted
	forged     = "TcpExtTCPMD5Failure"    // with a wrong one
	tooFar     = "TcpExtTCPMinTTLDrop"
)

// two is another TES, a peer that the tests play.
const two = "198.51.100.12"

// unanswered is how long a connection is tried that should not come about; the kernel's counters tell why it did not.
const unanswered = 1500 * time.Millisecond

// edge is a world whose edge has a second TES, with the keys given; tesd's own entry has those of one.
func edge(t *testing.T, one, more string) *world {
	t.Helper()
	w := newWorld(t)
	w.address(w.tes, two, w.nve)
	w.change("nved.yaml", "  - {address: 198.51.100.11, as: 65000}\n", "  - {address: 198.51.100.11, as: 65000"+one+"}\n  - {address: "+two+", as: 65000"+more+"}\n")
	return w
}

// atNVE changes tesd's entry for the edge.
func (w *world) atNVE(more string) {
	w.t.Helper()
	w.change("tesd.yaml", "nve_id: 192.0.2.1}", "nve_id: 192.0.2.1"+more+"}")
}

// up waits until the session with a peer is established.
func (w *world) up(daemon, peer string) (s session) {
	w.t.Helper()
	eventually(w.t, fmt.Sprintf("wait for the session of %s with %s", daemon, peer), func() (err error) {
		if s, err = w.session(daemon, peer); err == nil && s.State != "established" {
			err = fmt.Errorf("it is %s", s.State)
		}
		return err
	})
	return s
}

// silent checks that no session with a peer is established.
func (w *world) silent(daemon, peer string) {
	w.t.Helper()
	if s, err := w.session(daemon, peer); err == nil && s.State == "established" {
		w.t.Errorf("the session of %s with %s is established", daemon, peer)
	}
}

// An edge that has a password for a prefix hears nobody in it who has not.
func TestPasswordOfAPrefix(t *testing.T) {
	w := newWorld(t)
	w.address(w.tes, two, w.nve)
	w.write("password", "between host and edge\n")
	w.change("nved.yaml", "{address: 198.51.100.11, as: 65000}", "{prefix: 198.51.100.0/24, password: between host and edge}")
	w.atNVE(", password_file: DIR/password")
	w.start("nved")
	w.start("tesd")
	w.up("nved", "198.51.100.11")
	for _, c := range []struct {
		name    string
		dropped string // the kernel's counter
		options []option
	}{
		{"no password", unsigned, nil},
		{"a wrong password", forged, []option{signed("192.0.2.1", "between host and ledge")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := counted(t, w.nve, c.dropped)
			if _, err := tryCall(t, unanswered, w.tes, two, "192.0.2.1:179", c.options...); err == nil {
				t.Error("it is connected")
			}
			if after := counted(t, w.nve, c.dropped); after == before {
				t.Errorf("%s is %d, as before: nothing was dropped for its signature", c.dropped, after)
			}
			w.silent("nved", two)
		})
	}
	p := call(t, w.tes, two, "192.0.2.1:179", signed("192.0.2.1", "between host and edge"))
	p.establish()
	w.up("nved", two)
}

// A hypervisor that has a password for its edge speaks with nobody who has not.
func TestPasswordOfAnEdge(t *testing.T) {
	w := newWorld(t)
	w.atNVE(`, password: "between host and edge"`)
	w.start("tesd")
	for _, c := range []struct {
		name    string
		dropped string
		options []option
	}{
		{"no password", unexpected, nil},
		{"a wrong password", forged, []option{signed("198.51.100.11", "between host and ledge")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := listen(t, w.nve, "192.0.2.1:179", c.options...)
			defer l.Close()
			l.unheard(w.nve, c.dropped)
			w.silent("tesd", "192.0.2.1")
		})
	}
	await(t, w.nve, "192.0.2.1:179", signed("198.51.100.11", "between host and edge"))().establish()
	w.established()
}

// unheard waits until a namespace's kernel has dropped what should connect to the listener, which does not.
func (l *listener) unheard(namespace, dropped string) {
	l.t.Helper()
	before := counted(l.t, namespace, dropped)
	eventually(l.t, "wait for "+dropped, func() error {
		if _, err := l.accept(time.Millisecond); err == nil {
			l.t.Fatal("it is connected")
		}
		if counted(l.t, namespace, dropped) == before {
			return errors.New("nothing was dropped")
		}
		return nil
	})
}

// Who is further away than ttl_security_hops has no session with an edge, whatever address he has (RFC 5082).
func TestTTLSecurityOfAnEdge(t *testing.T) {
	w := edge(t, ", ttl_security_hops: 1", ", ttl_security_hops: 2")
	w.atNVE(", ttl_security_hops: 1")
	w.start("nved")
	tesd := w.start("tesd")
	w.up("nved", "198.51.100.11") // both send with TTL 255

	t.Run("from far away", func(t *testing.T) {
		before := counted(t, w.nve, tooFar)
		if _, err := tryCall(t, unanswered, w.tes, two, "192.0.2.1:179", ttl(64)); err == nil {
			t.Error("it is connected")
		}
		if counted(t, w.nve, tooFar) == before {
			t.Error("no packet was dropped for its TTL")
		}
		w.silent("nved", two)
	})
	t.Run("from one hop more than allowed", func(t *testing.T) {
		tesd.end(9)
		p := call(t, w.tes, "198.51.100.11", "192.0.2.1:179", ttl(254)) // as far as the other neighbour may be
		if err := p.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, err := p.Read(make([]byte, 1))
		if timeout, ok := errors.AsType[net.Error](err); n > 0 || ok && timeout.Timeout() {
			t.Errorf("heard %d octets, %v; want the connection closed without a word", n, err)
		}
		w.silent("nved", "198.51.100.11")
	})
	t.Run("from as far as allowed", func(t *testing.T) {
		p := call(t, w.tes, two, "192.0.2.1:179", ttl(254))
		p.establish()
		w.up("nved", two)
	})
	t.Run("connected from near, speaking from far away", func(t *testing.T) {
		p := call(t, w.tes, "198.51.100.11", "192.0.2.1:179", ttl(255))
		before := counted(t, w.nve, tooFar)
		p.set(ttl(254))
		p.say(typeOpen, p.open())
		eventually(t, "wait until the OPEN is dropped", func() error {
			if counted(t, w.nve, tooFar) == before {
				return errors.New("it is not")
			}
			return nil
		})
		w.silent("nved", "198.51.100.11")
		p.set(ttl(255)) // TCP sends it again
		p.hear(typeOpen)
		p.say(typeKeepalive, nil)
		p.hear(typeKeepalive)
	})
}

// A hypervisor does not take the answer of an edge that is further away than ttl_security_hops.
func TestTTLSecurityOfAHypervisor(t *testing.T) {
	w := newWorld(t)
	w.atNVE(", ttl_security_hops: 1")
	w.start("tesd")
	for _, n := range []int{64, 254} {
		l := listen(t, w.nve, "192.0.2.1:179", ttl(n))
		l.unheard(w.tes, tooFar)
		w.silent("tesd", "192.0.2.1")
		l.Close()
	}
	await(t, w.nve, "192.0.2.1:179", ttl(255))().establish()
	w.established()
}

// A TES that floods waits in its own socket. One that may, floods beside it; a third one is answered meanwhile.
func TestMessageRate(t *testing.T) {
	const messages, rate = 5000, 100 // all of them take 49 s at that rate
	const three = "198.51.100.13"
	w := edge(t, "", fmt.Sprintf(", hold_time: 90s, message_rate: %d", rate))
	w.address(w.tes, three, w.nve)
	w.change("nved.yaml", "vns:", "  - {address: "+three+", as: 65000, hold_time: 90s}\nvns:")
	w.start("nved")
	w.start("tesd")
	w.established()

	start := time.Now()
	for _, from := range []string{two, three} {
		p := call(t, w.tes, from, "192.0.2.1:179")
		p.establish()
		p.flood(messages, update(p.reach("02:00:00:00:00:63"), communities()...))
	}
	w.operate("associate", "--nic", nic)
	if !w.forwards(mac) {
		t.Error("the kernel has not the VM")
	}
	eventually(t, "wait for all messages of the one without message_rate", func() error {
		n, err := w.received("nved", three)
		if err == nil && n != messages {
			err = fmt.Errorf("%d of %d were read", n, messages)
		}
		return err
	})
	slow, err := w.received("nved", two)
	if err != nil {
		t.Fatal(err)
	}
	if most := rate * (1 + time.Since(start).Seconds()); float64(slow) > most || slow > messages/2 {
		t.Errorf("%d messages of %d were read in the time in which the other one's all were; want at most %.0f, a burst of %d and %d a second", slow, messages, most, rate, rate)
	}
	eventually(t, "wait for more messages of the one with message_rate", func() error {
		n, err := w.received("nved", two)
		if err == nil && n <= slow {
			err = fmt.Errorf("%d were read, as before", n)
		}
		return err
	})
	if s, err := w.session("nved", two); err != nil || s.State != "established" {
		t.Errorf("the session of the one that is slowed: %+v, %v", s, err)
	}
}

// flood sends an UPDATE many times, as fast as it is taken.
func (p *peer) flood(times int, body []byte) {
	p.t.Helper()
	go p.Write(bytes.Repeat(message(typeUpdate, body), times)) // until the connection is closed
}

// received is how many UPDATEs of a peer a daemon has read.
func (w *world) received(daemon, peer string) (int, error) {
	w.t.Helper()
	s := w.tnsctl(daemon, "--json", "sessions")
	if s.status != 0 {
		return 0, fmt.Errorf("exit status %d: %s", s.status, s.errs)
	}
	for _, v := range decode[[]struct {
		Peer     string
		Received int
	}](w.t, s) {
		if v.Peer == peer {
			return v.Received, nil
		}
	}
	return 0, fmt.Errorf("%s has no session with %s: %s", daemon, peer, s.out)
}

// A neighbour with more routes than max_routes loses its session, and no other does.
func TestMaxRoutes(t *testing.T) {
	t.Run("a TES", func(t *testing.T) {
		w := edge(t, "", ", max_routes: 2")
		w.start("nved")
		w.start("tesd")
		w.established()
		before := w.up("nved", "198.51.100.11")
		w.exceed("nved", two, call(t, w.tes, two, "192.0.2.1:179"))
		if after, err := w.session("nved", "198.51.100.11"); err != nil || after != before {
			t.Errorf("another TES's session was %+v and is %+v, %v", before, after, err)
		}
	})
	t.Run("a neighbour in the fabric", func(t *testing.T) {
		w := newWorld(t)
		w.address(w.tes, two, w.nve)
		w.change("nved.yaml", "fabric: []", "fabric:\n  - {address: "+two+", as: 65000, port: 1790, max_routes: 2}")
		accept := await(t, w.tes, two+":1790")
		w.start("nved")
		w.exceed("nved", two, accept())
	})
	t.Run("an edge", func(t *testing.T) {
		w := newWorld(t)
		w.atNVE(", max_routes: 2")
		accept := await(t, w.nve, "192.0.2.1:179")
		w.start("tesd")
		w.exceed("tesd", "192.0.2.1", accept())
	})
}

// exceed has two routes, one of them told twice, and then a third.
func (w *world) exceed(daemon, from string, p *peer) {
	w.t.Helper()
	p.establish()
	for i, mac := range []string{"02:00:00:00:00:61", "02:00:00:00:00:62", "02:00:00:00:00:62"} {
		p.say(typeUpdate, update(p.reach(mac), communities()...))
		eventually(w.t, "wait for the route", func() error {
			n, err := w.received(daemon, from)
			if err == nil && n <= i {
				err = fmt.Errorf("%d UPDATEs were read", n)
			}
			return err
		})
	}
	if s, err := w.session(daemon, from); err != nil || s.State != "established" {
		w.t.Errorf("with as many routes as allowed: %+v, %v", s, err)
	}
	p.say(typeUpdate, update(p.reach("02:00:00:00:00:63"), communities()...))
	if n := p.hear(typeNotification); n[0] != 6 || n[1] != 1 {
		w.t.Errorf("NOTIFICATION %d/%d, want 6/1 (RFC 4486: maximum number of prefixes reached)", n[0], n[1])
	}
}

// With record, the messages of each session are on disk as they come and go; the process of nved that writes them is nobody's.
func TestRecord(t *testing.T) {
	w := newWorld(t)
	if err := os.Chmod(w.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"nved.yaml", "tesd.yaml"} {
		w.change(name, "as: 65000\n", "as: 65000\nrecord: DIR/"+strings.TrimSuffix(name, ".yaml")+"-record\n")
	}
	w.start("nved")
	w.start("tesd")
	w.established()
	w.operate("associate", "--nic", nic)
	m, err := net.ParseMAC(mac)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"nved-record/tes/198.51.100.11.mrt", "tesd-record/192.0.2.1.mrt"} {
		eventually(t, "read "+path, func() error {
			b, err := os.ReadFile(filepath.Join(w.dir, path))
			if err != nil {
				return err
			}
			if n := bytes.Count(b, m); n < 2 {
				return fmt.Errorf("it has the VM's MAC %d times, want the request and the response", n)
			}
			if typ := binary.BigEndian.Uint16(b[4:]); typ != 17 { // BGP4MP_ET (RFC 6396 §4.4)
				t.Errorf("%s begins with a record of type %d, want 17", path, typ)
			}
			return nil
		})
	}
}
