package labs_test

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
)

// The VMs of the lab: the same two MACs and addresses in both VNs.
var (
	mac1 = net.HardwareAddr{2, 0, 0, 0, 1, 1}
	mac2 = net.HardwareAddr{2, 0, 0, 0, 1, 2}
)

// taggedVN is what tnsctl tells of a VN's VIDs.
type taggedVN struct {
	Name string
	Tags []taggedSegment
}

type taggedSegment struct {
	Segment                  string
	VID, Sent, Also          int
	Changing                 bool
	Applied, Waiting, Failed int
}

// segment is how a VN is known behind a port.
func (l lab) segment(vn, port string) (s taggedSegment, err error) {
	text, err := l.Output(l.ctx, "edge1", "tnsctl", "--json", "vn", "list")
	if err != nil {
		return s, err
	}
	var all []taggedVN
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		return s, err
	}
	for _, v := range all {
		for _, s := range v.Tags {
			if v.Name == vn && s.Segment == port {
				return s, nil
			}
		}
	}
	return s, fmt.Errorf("%s has no VID on %s: %s", vn, port, text)
}

// becomes waits until a VN is known by a VID behind a port, and by no other.
func (l lab) becomes(vn, port string, vid int) {
	l.t.Helper()
	l.soon("VID of "+vn+" on "+port, func() error {
		s, err := l.segment(vn, port)
		if err == nil && (s.VID != vid || s.Sent != vid || s.Also != 0 || s.Changing) {
			err = fmt.Errorf("%+v, want VID %d alone", s, vid)
		}
		return err
	})
}

// onWire is frames on a link as tcpdump prints them.
func (l lab) onWire(node, device, filter string) string {
	l.t.Helper()
	return l.run(node, append([]string{"timeout", "10", "tcpdump", "-nn", "-e", "-c", "20", "-i", device}, strings.Fields(filter)...)...)
}

// tagged are the VMs of the lab, associated: gold has PCP 5 by its policy.
func (l lab) tagged() {
	l.t.Helper()
	for i, tes := range []string{"tes1", "tes2"} {
		l.established(tes, 1)
		n := i + 1
		for j, vn := range []string{"blue", "red"} {
			nic := fmt.Sprintf("vn=%s,mac=02:00:00:00:01:0%d,ip=10.1.0.%d", vn, n, n)
			if vn == "blue" {
				nic += ",policy=7:1"
			}
			l.does(tes, "associate", fmt.Sprintf("11111111-0000-4000-8000-%012d", n+10*j), "--nic", nic)
		}
	}
}

func TestTaggedFrames(t *testing.T) {
	l := deploy(t, "tag/topology.clab.yml")
	l.tagged()
	l.becomes("blue", "trunk1", 100)
	l.becomes("red", "trunk1", 101)
	l.becomes("red", "trunk2", 3)
	l.becomes("blue", "trunk2", 2)
	l.pings("vm1", "10.1.0.2")
	l.pings("vm1red", "10.1.0.2")

	t.Run("two VNs on one link, with VID and PCP", func(t *testing.T) {
		l := l.in(t)
		for _, c := range []struct{ from, to, port, want string }{
			{"vm1", "vm2", "trunk1", "vlan 100, p 5,"},
			{"vm1", "vm2", "trunk2", "vlan 2, p 5,"},
			{"vm1red", "vm2red", "trunk1", "vlan 101, p 0,"},
			{"vm1red", "vm2red", "trunk2", "vlan 3, p 0,"},
		} {
			s := l.streamFrom(c.from, mac1, mac2, []string{c.to, map[string]string{"vm2": "vm2red", "vm2red": "vm2"}[c.to]}, nil)
			s.talks = true
			seen := l.onWire("edge1", c.port, "ether src 02:00:00:00:01:01")
			s.arrive(c.to, 100)
			s.stop(c.to)
			if n := len(s.taps[map[string]string{"vm2": "vm2red", "vm2red": "vm2"}[c.to]].Arrivals()); n > 0 {
				t.Errorf("%d frames of %s came to the other VN", n, c.from)
			}
			for line := range strings.Lines(seen) {
				if strings.Contains(line, "0x88b5") && !strings.Contains(line, c.want) {
					t.Errorf("from %s on %s: %s, want %s", c.from, c.port, line, c.want)
				}
			}
			if !strings.Contains(seen, c.want) {
				t.Errorf("from %s nothing on %s with %s:\n%s", c.from, c.port, c.want, seen)
			}
		}
	})

	t.Run("a change loses nothing", func(t *testing.T) {
		l := l.in(t)
		to, from := l.streamFrom("vm1", mac1, mac2, []string{"vm2"}, nil), l.streamFrom("vm2", mac2, mac1, []string{"vm1"}, nil)
		to.talks, from.talks = true, true
		to.arrive("vm2", 200)
		from.arrive("vm1", 200)
		for _, vid := range []int{150, 151, 100} {
			l.run("edge1", "tnsctl", "vn", "retag", "blue", "--port", "trunk1", "--vid", fmt.Sprint(vid))
			l.becomes("blue", "trunk1", vid)
			to.arrive("vm2", 200)
			from.arrive("vm1", 200)
			for _, node := range []string{"edge1", "tes1"} {
				if text := l.run(node, "tnsctl", "vm", "show", "11111111-0000-4000-8000-000000000001"); !strings.Contains(text, fmt.Sprintf("vid %d pcp 5, applied", vid)) {
					t.Errorf("%s shows\n%s", node, text)
				}
			}
		}
		if seen := l.onWire("edge1", "trunk1", "ether src 02:00:00:00:01:01"); !strings.Contains(seen, "vlan 100, p 5") {
			t.Errorf("on the wire:\n%s", seen)
		}
		for name, s := range map[string]*stream{"vm2": to, "vm1": from} {
			r := s.stop(name)
			t.Logf("to %s: %s", name, r)
			if r.Lost > 0 || r.Duplicated > 0 {
				t.Errorf("to %s: %s", name, r)
			}
		}
	})

	t.Run("a restart of either daemon loses nothing, also during a change", func(t *testing.T) {
		l := l.in(t)
		to, from := l.streamFrom("vm1", mac1, mac2, []string{"vm2"}, nil), l.streamFrom("vm2", mac2, mac1, []string{"vm1"}, nil)
		to.talks, from.talks = true, true
		to.arrive("vm2", 100)
		if err := l.Kill("tes1"); err != nil {
			t.Fatal(err)
		}
		l.run("edge1", "tnsctl", "vn", "retag", "blue", "--port", "trunk1", "--vid", "160")
		to.arrive("vm2", 200)
		l.restart("edge1")
		to.arrive("vm2", 200)
		if err := l.Start("tes1"); err != nil {
			t.Fatal(err)
		}
		l.becomes("blue", "trunk1", 160)
		to.arrive("vm2", 500)
		from.arrive("vm1", 500)
		for name, s := range map[string]*stream{"vm2": to, "vm1": from} {
			r := s.stop(name)
			t.Logf("to %s: %s", name, r)
			if r.Lost > 0 || r.Duplicated > 0 {
				t.Errorf("to %s: %s", name, r)
			}
		}
	})

	t.Run("a TES that cannot apply it is shown", func(t *testing.T) {
		l := l.in(t)
		l.established("tes3", 1)
		const vm3 = "11111111-0000-4000-8000-000000000003"
		l.does("tes3", "associate", vm3, "--nic", "vn=blue,mac=02:00:00:00:01:03,policy=7:1")
		told := func(want string) {
			t.Helper()
			l.soon("the switch", func() error {
				text, err := os.ReadFile(l.Path("tes3", "/run/switch"))
				if err == nil && string(text) != want {
					err = fmt.Errorf("it was told %q, want %q", text, want)
				}
				return err
			})
		}
		told("blue 02:00:00:00:01:03 vid 500 pcp 5\n")
		l.run("tes3", "touch", "/run/refuse")
		l.run("edge1", "tnsctl", "vn", "retag", "blue", "--port", "trunk3", "--vid", "505")
		l.soon("the failure", func() error {
			s, err := l.segment("blue", "trunk3")
			if err == nil && (s.Changing || s.Failed != 1 || s.VID != 505 || s.Sent != 500 || s.Also != 505) {
				err = fmt.Errorf("%+v", s)
			}
			return err
		})
		for node, want := range map[string]string{"edge1": "vid 505 pcp 5, failed", "tes3": "vid 505 pcp 5, failed"} {
			if text := l.run(node, "tnsctl", "vm", "show", vm3); !strings.Contains(text, want) {
				t.Errorf("%s shows\n%s", node, text)
			}
			if text := l.run(node, "tnsctl", "events", "--vm", vm3); !strings.Contains(text, "alarm") || !strings.Contains(text, "could not") {
				t.Errorf("%s tells\n%s", node, text)
			}
		}
		if text := l.run("edge1", "curl", "-s", "http://127.0.0.1:9479/metrics"); !strings.Contains(text, "tags_failed_total 1\n") {
			t.Error("the metric does not count it")
		}
		l.run("tes3", "rm", "/run/refuse")
		l.run("tes3", "tnsctl", "resync")
		l.becomes("blue", "trunk3", 505)
		l.does("tes3", "terminate", vm3)
		told("blue 02:00:00:00:01:03 ended\n")
	})
}
