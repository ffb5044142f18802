package labs_test

import (
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/tns-project/tns/labs/internal/fdb"
	"github.com/tns-project/tns/labs/internal/frr"
)

// The servers of the labs, which their edges' configurations name.
var (
	printerMAC = net.HardwareAddr{2, 0, 0, 0, 2, 1} // 10.1.2.1, at edge1
	archiveMAC = net.HardwareAddr{2, 0, 0, 0, 2, 2} // 10.1.2.2, at edge2
)

// plainReady waits for the session of the plain VTEP.
func (l lab) plainReady() {
	l.t.Helper()
	vtep := frr.Router{Lab: l.Lab, Node: "vtep"}
	if err := vtep.WaitSessions(l.ctx, patience, "192.0.2.254"); err != nil {
		l.t.Fatal(err)
	}
}

// listed is what an edge's list of VMs has of a server.
func (l lab) listed(edge, server string) (id, state string, err error) {
	text, err := l.Output(l.ctx, edge, "tnsctl", "--json", "vm", "list")
	if err != nil {
		return "", "", err
	}
	var all []struct{ VMID, Server, State, TES, NVE string }
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		return "", "", err
	}
	for _, v := range all {
		if v.Server == server && v.TES == v.NVE {
			return v.VMID, v.State, nil
		}
	}
	return "", "", fmt.Errorf("%s has no server %s: %s", edge, server, text)
}

// TestServers has two servers without a TES, and a VM, talk with each other and with a host behind a plain VTEP, takes one out of the
// configuration for a while, and kills nved under them.
func TestServers(t *testing.T) {
	l := deploy(t, "servers/topology.clab.yml")
	l.established("tes1", 1)
	l.plainReady()
	v := newVM(1)
	l.does("tes1", "associate", v.id, "--nic", v.nic)
	l.knows("vtep", printerMAC, fdb.To(edge1))
	l.knows("vtep", archiveMAC, fdb.To(edge2))
	l.knows("edge2", printerMAC, fdb.To(edge1))
	if err := l.local("edge1", "printer", printerMAC); err != nil {
		t.Error(err)
	}

	t.Run("it is shown as a VM with a name", func(t *testing.T) {
		l := l.in(t)
		id, state, err := l.listed("edge1", "printer")
		if err != nil || state != "associated" {
			t.Fatalf("state %q, %v", state, err)
		}
		for _, command := range []string{"show", "explain"} {
			if text := l.run("edge1", "tnsctl", "vm", command, id); !strings.Contains(text, "printer") || !strings.Contains(text, printerMAC.String()) {
				t.Errorf("tnsctl vm %s:\n%s", command, text)
			}
		}
	})
	t.Run("frames", func(t *testing.T) {
		l := l.in(t)
		for _, talk := range [][2]string{{"vm1", "10.1.2.1"}, {"vm1", "10.1.2.2"}, {"printer", "10.1.2.2"}, {"archive", "10.1.0.1"}} {
			l.pings(talk[0], talk[1])
		}
		s := l.stream(printerMAC, []string{"printer"}, []string{"edge2"})
		s.talks = true
		s.taps["vm1"] = l.tap(s, "vm1", "eth1")
		s.arrive("printer", 100)
		if r := s.stop("printer"); r.Lost+r.Duplicated > 0 {
			t.Errorf("probes to the printer: %s", r)
		}
		for _, node := range []string{"vm1", "edge2"} {
			if n := len(s.taps[node].Arrivals()); n > 0 {
				t.Errorf("%d frames to the printer came to %s", n, node)
			}
		}
	})
	t.Run("nobody else may have its MAC or IP", func(t *testing.T) {
		l := l.in(t)
		for name, nic := range map[string]string{"MAC": "vn=blue,mac=" + printerMAC.String(), "IP": "vn=blue,mac=02:00:00:00:01:09,ip=10.1.2.1"} {
			if r := l.try("tes1", "associate", newVM(9).id, "--nic", nic); r.ReasonCode != 14 {
				t.Errorf("%s: %+v, want reason 14", name, r)
			}
		}
		l.does("tes1", "terminate", newVM(9).id) // else it would get what it asked for when the server goes
		l.keeps("vtep", printerMAC, fdb.To(edge1))
		if _, state, err := l.listed("edge1", "printer"); err != nil || state != "associated" {
			t.Errorf("state %q, %v", state, err)
		}
	})
	t.Run("it leaves the configuration, and is back", func(t *testing.T) {
		l := l.in(t)
		configured := l.run("edge1", "cat", "/etc/tns/nved.yaml")
		l.run("edge1", "umount", "/etc/tns/nved.yaml")
		configure := func(text string) {
			l.run("edge1", "sh", "-c", "cat >/etc/tns/nved.yaml <<'END'\n"+text+"END")
			l.run("edge1", "tnsctl", "reload")
		}
		configure(without(configured, "printer", "servers:"))
		l.knows("vtep", printerMAC, fdb.None)
		l.knows("edge2", printerMAC, fdb.None)
		l.soon("the kernel", func() error {
			if l.local("edge1", "printer", printerMAC) == nil {
				return fmt.Errorf("edge1 still has %s on its port", printerMAC)
			}
			return nil
		})
		if _, _, err := l.listed("edge1", "printer"); err == nil {
			t.Error("the server is still listed")
		}
		l.stands("edge1", v.id, tes1, "associated", "")
		l.knows("vtep", v.mac, fdb.To(edge1))
		l.pings("vm1", "10.1.2.2")
		configure(configured)
		l.knows("vtep", printerMAC, fdb.To(edge1))
		l.pings("vm1", "10.1.2.1")
	})
	t.Run("nved is killed", func(t *testing.T) {
		l := l.in(t)
		s := l.streamFrom("vm1", v.mac, printerMAC, []string{"printer"}, nil)
		s.talks = true
		s.arrive("printer", 100)
		l.restart("edge1")
		l.soon("the server", func() error {
			if _, state, err := l.listed("edge1", "printer"); err != nil || state != "associated" {
				return fmt.Errorf("state %q, %w", state, err)
			}
			return nil
		})
		l.knows("vtep", printerMAC, fdb.To(edge1))
		s.arrive("printer", 100)
		if r := s.stop("printer"); r.Lost+r.Duplicated > 0 {
			t.Errorf("probes to the printer, from before to after: %s", r)
		}
	})
}

// without is a text without the lines that hold one of some words.
func without(text string, words ...string) string {
	var kept strings.Builder
	for line := range strings.Lines(text) {
		if !slices.ContainsFunc(words, func(w string) bool { return strings.Contains(line, w) }) {
			kept.WriteString(line)
		}
	}
	return kept.String()
}
