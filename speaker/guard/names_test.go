package guard_test

import (
	"context"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker/gobgp"
)

// nothing is announced.
type nothing struct{ gobgp.Source }

func (nothing) Route(evpn.RouteKey) (evpn.Route, bool)   { return evpn.Route{}, false }
func (nothing) Keys() []evpn.RouteKey                    { return nil }
func (nothing) Quiet() time.Duration                     { return time.Hour }
func (nothing) Show(bool)                                {}
func (nothing) Up(context.Context) ([]netip.Addr, error) { return nil, nil }

// TestPeopleSeeRealAddresses asks the table for people with the stock gobgp command: it shows the peer's own address and takes it.
func TestPeopleSeeRealAddresses(t *testing.T) {
	c := setting(anyone())
	g := run(t, c)
	config := engineOf(c)
	socket := "unix://" + filepath.Join(t.TempDir(), "api.sock")
	config.API, config.Names = socket, gobgp.NewNames()
	engine, err := gobgp.NewMirror(config, nothing{})
	if err != nil {
		t.Fatal(err)
	}
	if err := engine.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- engine.Run(t.Context()) }()
	t.Cleanup(func() { _ = engine.Close(); <-done })
	r := call(t, address(), g.own())
	r.establish(t, r.hello())
	r.say(update(1, 1))
	g.waitMirror(t, r.address)
	inner := g.status(t, r.address).Inner.String()
	eventually(t, "the table has the route", func() bool {
		sessions, err := engine.Sessions()
		return err == nil && len(sessions) == 1 && sessions[0].Peer == r.address && sessions[0].Routes == 1
	})
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
