package labs_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// The VMs of the policy lab, and their cards.
const (
	clientID  = "11111111-0000-4000-8000-000000000001"
	serverID  = "11111111-0000-4000-8000-000000000002"
	clientNIC = "vn=blue,mac=02:00:00:00:00:01,ip=10.1.0.1"
	serverNIC = "vn=blue,mac=02:00:00:00:00:02,ip=10.1.0.2"

	conflictPolicies = 7
)

// TestPolicy shows with real packets what a VM may do, what is refused, and what people are told of it.
func TestPolicy(t *testing.T) {
	l := deploy(t, "policy/topology.clab.yml")
	l.established("edge1", 2)
	l.does("tes2", "associate", serverID, "--nic", serverNIC)

	t.Run("addresses", func(t *testing.T) {
		l := l.in(t)
		l.run("client", "ip", "address", "add", "10.1.0.99/24", "dev", "blue")
		l.does("tes1", "associate", clientID, "--nic", "vn=blue,mac=02:00:00:00:00:01")
		l.pinged(true, "-I", "10.1.0.99") // nobody said which addresses it has
		l.does("tes1", "associate", clientID, "--nic", clientNIC)
		l.pinged(true)
		l.pinged(false, "-I", "10.1.0.99")
		l.run("client", "ip", "address", "del", "10.1.0.99/24", "dev", "blue")
	})
	t.Run("rules", func(t *testing.T) {
		l := l.in(t)
		l.does("tes1", "associate", clientID, "--nic", clientNIC+",policy=100:1")
		l.pinged(true)
		l.knocks(map[int]bool{80: true, 22: false, 25: false, 443: false})
		if hits := l.hits("100:1", "default"); hits == 0 {
			t.Error("nothing is counted for what the default denies")
		}
		if hits := l.hits("100:1", "http"); hits == 0 {
			t.Error("nothing is counted for what is allowed")
		}
	})
	t.Run("suspended", func(t *testing.T) {
		l := l.in(t)
		l.does("tes1", "suspend", clientID)
		l.enforced("profile web-client (100:1), prepared")
		l.pinged(false)
		l.knocks(map[int]bool{80: false, 22: false})
		l.does("tes1", "resume", clientID)
		l.enforced("profile web-client (100:1), in force")
		l.pinged(true)
		l.knocks(map[int]bool{80: true, 22: false})
	})
	t.Run("another version", func(t *testing.T) {
		l := l.in(t)
		l.does("tes1", "associate", clientID, "--nic", clientNIC+",policy=100:2")
		l.pinged(false)
		l.knocks(map[int]bool{80: true, 443: true, 22: false})
	})
	t.Run("refused", func(t *testing.T) {
		l := l.in(t)
		for _, c := range []struct{ policy, names string }{
			{"300", `rule "smtp" (allow protocol tcp destination_ports 25) of profile mailer (300): from the VM, it allows what is denied by rule "no-mail"`},
			{"200", "pcp 7 of profile urgent (200): above the highest of the baseline of tenant acme, 5"},
			{"400", "there is no profile 400"},
		} {
			for _, flags := range [][]string{{"--dry-run"}, nil} {
				r := l.try("tes1", "associate", clientID, append(flags, "--nic", clientNIC+",policy="+c.policy)...)
				if r.ReasonCode != conflictPolicies || r.State != "associated" {
					t.Errorf("policy %s %v: %+v, want reason %d and what was there", c.policy, flags, r, conflictPolicies)
				}
			}
			if story := l.run("edge1", "tnsctl", "vm", "explain", clientID); !strings.Contains(story, c.names) {
				t.Errorf("the story does not tell why policy %s is refused, %q:\n%s", c.policy, c.names, story)
			}
		}
		l.enforced("profile web-client-2 (100:2), in force")
		l.knocks(map[int]bool{443: true, 25: false})
	})
	t.Run("another file", func(t *testing.T) {
		l := l.in(t)
		before := l.run("tes1", "tnsctl", "--json", "vm", "show", clientID)
		l.run("edge1", "sed", "-i", "s/destination_ports: 443/destination_ports: 8443/", "/etc/tns/policies.yaml")
		l.run("edge1", "nved", "--config", "/etc/tns/nved.yaml", "--check")
		if err := l.Kill("edge1"); err != nil {
			t.Fatal(err)
		}
		if err := l.Start("edge1"); err != nil {
			t.Fatal(err)
		}
		l.soon("what the file says now", func() error {
			if !l.knock(8443) || l.knock(443) {
				return errors.New("the client reaches what it did before")
			}
			return nil
		})
		l.knocks(map[int]bool{80: true, 22: false})
		if after := l.run("tes1", "tnsctl", "--json", "vm", "show", clientID); sequenceOf(t, after) != sequenceOf(t, before) {
			t.Errorf("the hypervisor asked again:\n%s\nbefore:\n%s", after, before)
		}
	})
}

// pinged checks that the client gets answers from the server, or none.
func (l lab) pinged(want bool, flags ...string) {
	l.t.Helper()
	_, err := l.Output(l.ctx, "client", append(append([]string{"ping", "-c", "2", "-i", "0.2", "-W", "1"}, flags...), "10.1.0.2")...)
	if (err == nil) != want {
		l.t.Errorf("ping %v: %v, want an answer: %v", flags, err, want)
	}
}

// knock reports whether a TCP port of the server answers the client. Nobody listens there, so what gets through is refused at once.
func (l lab) knock(port int) bool {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.ctx, patience)
	defer cancel()
	err := l.Command(ctx, "client", "timeout", "1", "bash", "-c", fmt.Sprintf("exec 3<>/dev/tcp/10.1.0.2/%d", port)).Run()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.ExitCode() != 1 && exit.ExitCode() != 124 {
		l.t.Fatalf("knocking at port %d: %v, want that it is refused, or times out", port, err)
	}
	return exit.ExitCode() == 1
}

func (l lab) knocks(ports map[int]bool) {
	l.t.Helper()
	for port, want := range ports {
		if got := l.knock(port); got != want {
			l.t.Errorf("port %d answers: %v, want %v", port, got, want)
		}
	}
}

// hits is how many frames fitted a rule of a profile.
func (l lab) hits(policy, rule string) (frames uint64) {
	l.t.Helper()
	var all struct {
		Rules []struct {
			Policy, Name string
			Frames       uint64
		}
	}
	if err := json.Unmarshal([]byte(l.run("edge1", "tnsctl", "--json", "policies")), &all); err != nil {
		l.t.Fatal(err)
	}
	for _, r := range all.Rules {
		if r.Policy == policy && r.Name == rule {
			frames += r.Frames
		}
	}
	return frames
}

// enforced checks what the edge says it has in its kernel for the client.
func (l lab) enforced(want string) {
	l.t.Helper()
	var vm struct{ Routes []struct{ Enforced string } }
	if err := json.Unmarshal([]byte(l.run("edge1", "tnsctl", "--json", "vm", "show", clientID)), &vm); err != nil {
		l.t.Fatal(err)
	}
	for _, r := range vm.Routes {
		if r.Enforced != want {
			l.t.Errorf("enforced is %q, want %q", r.Enforced, want)
		}
	}
}

func sequenceOf(t *testing.T, vm string) uint32 {
	t.Helper()
	var v struct{ Sequence uint32 }
	if err := json.Unmarshal([]byte(vm), &v); err != nil || v.Sequence == 0 {
		t.Fatalf("%v: %s", err, vm)
	}
	return v.Sequence
}
