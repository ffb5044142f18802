package labs_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"testing"
	"time"

	"github.com/tns-project/tns/labs/internal/probe"
)

// steady is what the file of policies has beside, in its n-th form: each change is one of the rules, the priority and now and then the limit of both profiles. Probes
// (EtherType 0x88b5) are allowed in every form, or in none.
func steady(n int, probes string) string {
	rate := ""
	if n%3 == 1 {
		rate = "rate: 1Gbit, "
	}
	return fmt.Sprintf(`
  - type: 500
    name: sends-%[1]d
    pcp: %[2]d
    from_vm: {%[3]sdefault: deny, rules: [{action: count, protocol: udp, destination_ports: %[4]d}, {action: %[5]s, name: probes, ethertype: 0x88b5}]}
  - type: 501
    name: receives-%[1]d
    to_vm: {%[3]sdefault: deny, rules: [{action: deny, protocol: tcp, destination_ports: %[4]d}, {action: %[5]s, name: probes, ethertype: 0x88b5}]}
`, n, n%6, rate, 1000+n, probes)
}

// TestPolicyReload changes, ten times, the policies of ten VMs by a file that is read again, while 10,000 frames a second go from one of them to another that all the
// policies allow: none is lost.
func TestPolicyReload(t *testing.T) {
	const reloads, vms = 10, 10
	l := deploy(t, "policy/topology.clab.yml")
	l.established("edge1", 2)
	path := l.Path("edge1", "/etc/tns/policies.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write := func(n int, probes string) {
		t.Helper()
		if err := os.WriteFile(path, append(text, steady(n, probes)...), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s", l.run("edge1", "tnsctl", "reload"))
	}
	write(0, "allow")
	l.does("tes1", "associate", clientID, "--nic", clientNIC+",policy=500")
	l.does("tes2", "associate", serverID, "--nic", serverNIC+",policy=501")
	for n := range vms - 2 {
		v := newVM(100 + n)
		l.does("tes1", "associate", v.id, "--nic", v.nic+",policy=500")
	}
	have := func(n int) {
		t.Helper()
		l.soon("the policies", func() error {
			if got, want := l.inForce(), map[string]int{fmt.Sprintf("profile sends-%d (500), in force", n): vms - 1, fmt.Sprintf("profile receives-%d (501), in force", n): 1}; fmt.Sprint(got) != fmt.Sprint(want) {
				return fmt.Errorf("in force are %v, want %v", got, want)
			}
			return nil
		})
	}
	have(0)

	client, server := net.HardwareAddr{2, 0, 0, 0, 0, 1}, net.HardwareAddr{2, 0, 0, 0, 0, 2}
	flow := probe.Flow{ID: rand.Uint64(), Source: client, Destination: server}
	s := &stream{l: l, flow: flow, taps: map[string]*probe.Tap{}, talks: true}
	if s.taps["server"], err = probe.Listen(l.Namespace("server"), "blue", flow); err != nil {
		t.Fatal(err)
	}
	if s.sender, err = probe.SendEvery(l.Namespace("client"), "blue", flow, 100*time.Microsecond); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	s.arrive("server", 1000)
	for n := 1; n <= reloads; n++ {
		write(n, "allow")
		have(n)
		s.arrive("server", 1000)
	}
	took := time.Since(begin)
	r := s.stop("server")
	t.Logf("%s, %.0f a second", r, float64(r.Sent)/took.Seconds())
	if r.Lost > 0 || r.Duplicated > 0 {
		t.Error(r)
	}

	// And it is these policies that they meet.
	write(reloads+1, "deny")
	have(reloads + 1)
	if s.taps["server"], err = probe.Listen(l.Namespace("server"), "blue", flow); err != nil {
		t.Fatal(err)
	}
	if s.sender, err = probe.SendEvery(l.Namespace("client"), "blue", flow, 100*time.Microsecond); err != nil {
		t.Fatal(err)
	}
	l.soon("frames that are denied", func() error {
		if n := l.hits("500", "probes"); n < 100 {
			return fmt.Errorf("%d are counted", n)
		}
		return nil
	})
	if r := s.stop("server"); r.Arrived > 0 {
		t.Errorf("all are denied, and: %s", r)
	}
}

// inForce is how many VMs of an edge have each policy, as the edge tells it.
func (l lab) inForce() map[string]int {
	l.t.Helper()
	var all []struct {
		Routes []struct{ MAC, IP, Enforced string }
	}
	if err := json.Unmarshal([]byte(l.run("edge1", "tnsctl", "--json", "vm", "list")), &all); err != nil {
		l.t.Fatal(err)
	}
	count := map[string]int{}
	for _, v := range all {
		for _, r := range v.Routes {
			if r.IP == "" {
				count[r.Enforced]++
			}
		}
	}
	return count
}
