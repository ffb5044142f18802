package labs_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"testing"

	"github.com/tns-project/tns/labs/internal/fdb"
	"github.com/tns-project/tns/labs/internal/probe"
)

func contains(text string, words ...string) bool {
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

// TestSharedPort has two hypervisors behind one port of an edge, through a switch: a silent VM moves between them, two VMs talk without the edge, and what is nobody's
// does not pass it.
func TestSharedPort(t *testing.T) {
	l := deploy(t, "shared/topology.clab.yml")
	l.established("tes1", 1)
	l.established("tes2", 1)
	l.plainReady()
	l.knows("vtep", archiveMAC, fdb.To(edge2))
	v, w := newVM(1), newVM(2)
	places := []string{"vm1", "vm2"}

	t.Run("a silent VM", func(t *testing.T) {
		l := l.in(t)
		l.does("tes1", "associate", v.id, "--nic", v.nic)
		l.knows("vtep", v.mac, fdb.To(edge1))
		l.knows("edge2", v.mac, fdb.To(edge1))
		if err := l.local("edge1", "shared", v.mac); err != nil {
			t.Error(err)
		}
		l.arrivesUnflooded(v.mac, "vm1")
	})
	t.Run("it moves to the other hypervisor behind the port", func(t *testing.T) {
		l := l.in(t)
		l.does("tes2", "pre-associate", v.id, immigration, "--nic", v.nic)
		l.does("tes1", "emigrate", v.id)
		l.does("tes2", "associate", v.id, immigration, "--nic", v.nic)
		l.does("tes1", "terminate", v.id)
		l.stands("edge1", v.id, tes2, "associated", "")
		if err := l.local("edge1", "shared", v.mac); err != nil {
			t.Error(err)
		}
		l.keeps("vtep", v.mac, fdb.To(edge1))
		l.keeps("edge2", v.mac, fdb.To(edge1))
		l.arrivesUnflooded(v.mac, "vm2")
	})
	t.Run("two VMs behind the port talk through the switch", func(t *testing.T) {
		l := l.in(t)
		l.does("tes1", "associate", w.id, "--nic", w.nic)
		l.speaks("vm1", w.mac, farMAC, "far") // the switch learns where both are
		l.speaks("vm2", v.mac, farMAC, "far")
		s := l.streamFrom("vm1", w.mac, v.mac, places[1:], []string{"edge2"})
		s.talks = true
		s.taps["far"] = l.tap(s, "far", "eth1")
		s.taps["edge1"] = l.tap(s, "edge1", "shared")
		s.arrive("vm2", 100)
		if r := s.stop("vm2"); r.Lost+r.Duplicated > 0 {
			t.Errorf("probes from VM to VM: %s", r)
		}
		for _, node := range []string{"edge1", "edge2", "far"} {
			if n := len(s.taps[node].Arrivals()); n > 0 {
				t.Errorf("%d frames between VMs behind the switch came to %s", n, node)
			}
		}
		// From outside, now that the switch knows, each VM's frames go to it alone.
		l.reaches2(w.mac, "vm1", "vm2")
		l.reaches2(v.mac, "vm2", "vm1")
	})
	t.Run("a broadcast comes to everybody once, and not back", func(t *testing.T) {
		l := l.in(t)
		s := l.streamFrom("vm1", w.mac, net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, append([]string{"far", "archive"}, places...), nil) // all listen before the first is sent
		s.talks = true
		for _, node := range []string{"vm2", "far", "archive"} {
			s.arrive(node, 100)
		}
		back := s.taps["vm1"]
		sent, err := s.sender.Stop()
		if err != nil {
			t.Fatal(err)
		}
		for _, node := range []string{"vm2", "far", "archive"} {
			tap := s.taps[node]
			l.soon("the last broadcast at "+node, func() error {
				if n := len(tap.Arrivals()); n < len(sent) {
					return fmt.Errorf("%d of %d", n, len(sent))
				}
				return nil
			})
			if err := tap.Stop(); err != nil {
				t.Error(err)
			}
			if r := probe.Judge(sent, tap.Arrivals()); r.Lost+r.Duplicated > 0 {
				t.Errorf("broadcasts at %s: %s", node, r)
			}
		}
		if err := back.Stop(); err != nil {
			t.Error(err)
		}
		if n := len(back.Arrivals()); n > 0 {
			t.Errorf("%d broadcasts came back to who sent them", n)
		}
	})
	t.Run("who is nobody does not pass the edge", func(t *testing.T) {
		l := l.in(t)
		stranger := net.HardwareAddr{2, 0, 0, 0, 9, 9}
		s := l.streamFrom("vm1", stranger, farMAC, []string{"far"}, nil)
		s.taps["edge1"] = l.tap(s, "edge1", "shared")
		s.arrive("edge1", 200)
		s.stop()
		if n := len(s.taps["far"].Arrivals()); n > 0 {
			t.Errorf("%d frames of a MAC that is nobody's came through the edge", n)
		}
		l.knows("vtep", stranger, fdb.None)
	})
	t.Run("terminated", func(t *testing.T) {
		l := l.in(t)
		l.does("tes2", "terminate", v.id)
		l.does("tes1", "terminate", w.id)
		for _, mac := range []net.HardwareAddr{v.mac, w.mac} {
			l.knows("vtep", mac, fdb.None)
			l.knows("edge2", mac, fdb.None)
			if l.local("edge1", "shared", mac) == nil {
				t.Errorf("edge1 still has %s on its port", mac)
			}
		}
	})
}

// arrivesUnflooded checks that frames to a silent VM arrive at its place, and that no edge had to guess. The switch has to: it has never heard of the VM.
func (l lab) arrivesUnflooded(mac net.HardwareAddr, place string) {
	l.t.Helper()
	s := l.stream(mac, []string{place}, []string{"edge2"})
	s.arrive(place, 100)
	if r := s.stop(place); r.Lost+r.Duplicated > 0 {
		l.t.Errorf("probes to %s: %s", place, r)
	}
	if n := len(s.taps["edge2"].Arrivals()); n > 0 {
		l.t.Errorf("%d frames to %s were flooded to edge2", n, mac)
	}
}

// reaches2 checks that frames to a VM arrive at its place, and none at the other place or edge.
func (l lab) reaches2(mac net.HardwareAddr, place, other string) {
	l.t.Helper()
	s := l.stream(mac, []string{place, other}, []string{"edge2"})
	s.talks = true
	s.arrive(place, 100)
	if r := s.stop(place); r.Lost+r.Duplicated > 0 {
		l.t.Errorf("probes to %s: %s", place, r)
	}
	for _, node := range []string{other, "edge2"} {
		if n := len(s.taps[node].Arrivals()); n > 0 {
			l.t.Errorf("%d frames to %s came to %s", n, mac, node)
		}
	}
}

// speaks has a VM send frames until some arrive.
func (l lab) speaks(from string, source, destination net.HardwareAddr, to string) {
	l.t.Helper()
	f := probe.Flow{ID: rand.Uint64(), Source: source, Destination: destination}
	tap, err := probe.Listen(l.Namespace(to), "eth1", f)
	if err != nil {
		l.t.Fatal(err)
	}
	sender, err := probe.Send(l.Namespace(from), "eth1", f)
	if err != nil {
		l.t.Fatal(err)
	}
	l.soon("frames of "+from, func() error {
		if n := len(tap.Arrivals()); n < 20 {
			return fmt.Errorf("%d of 20", n)
		}
		return nil
	})
	if _, err := sender.Stop(); err != nil {
		l.t.Error(err)
	}
	if err := tap.Stop(); err != nil {
		l.t.Error(err)
	}
}
