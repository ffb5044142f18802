package guard_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tns-project/tns/speaker"
	"github.com/tns-project/tns/speaker/gobgp"
)

// TestPeopleSeeRealAddresses asks the engine with the stock gobgp command: it shows the peer's own address and takes it. So do the speaker's events.
func TestPeopleSeeRealAddresses(t *testing.T) {
	c := setting(anyone())
	g := run(t, c)
	config := engineOf(c)
	socket := "unix://" + filepath.Join(t.TempDir(), "api.sock")
	config.API, config.Names = socket, gobgp.NewNames()
	engine, err := gobgp.NewGuarded(config)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- engine.Run(t.Context()) }()
	t.Cleanup(func() { _ = engine.Close(); <-done })
	if err := engine.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := call(t, address(), g.own())
	r.establish(t, r.hello())
	r.say(update(1, 1))
	for e := range engine.Events() {
		if e.Peer != r.address {
			t.Errorf("event of %v, want %v", e.Peer, r.address)
		}
		if e.Kind == speaker.Announced {
			break
		}
	}
	go func() {
		for range engine.Events() {
		}
	}()
	inner := g.waitUp(t, r.address).Inner.String()
	sessions, err := engine.Sessions()
	if err != nil || len(sessions) != 1 || sessions[0].Peer != r.address {
		t.Errorf("sessions %+v, %v", sessions, err)
	}
	ask := func(args ...string) string {
		out, err := exec.CommandContext(t.Context(), "gobgp", append([]string{"--target", socket}, args...)...).CombinedOutput()
		if err != nil {
			t.Errorf("gobgp %v: %v: %s", args, err, out)
		}
		return string(out)
	}
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"neighbor"}, r.address.String()},
		{[]string{"neighbor", r.address.String()}, "BGP neighbor is " + r.address.String()},
		{[]string{"neighbor", r.address.String(), "adj-in", "-a", "evpn"}, "02:00:00:00:00:01"},
		{[]string{"neighbor", r.address.String(), "adj-in", "-a", "evpn", "-j"}, "02:00:00:00:00:01"},
	} {
		out := ask(test.args...)
		if !strings.Contains(out, test.want) || strings.Contains(out, inner) {
			t.Errorf("gobgp %v: want %q and not %s:\n%s", test.args, test.want, inner, out)
		}
	}
}
