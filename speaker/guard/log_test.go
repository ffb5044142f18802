package guard_test

import (
	"context"
	"fmt"
	"net/netip"
	"testing"

	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"

	"github.com/tns-project/tns/speaker/gobgp"
	"github.com/tns-project/tns/speaker/guard"
	"github.com/tns-project/tns/speaker/link"
)

// loud is the lines that an operator should look at.
func loud(entries []*logrus.Entry) (lines []string) {
	for _, e := range entries {
		if e.Level <= logrus.WarnLevel {
			lines = append(lines, fmt.Sprintf("%v %q %v", e.Level, e.Message, e.Data))
		}
	}
	return lines
}

// TestRegularStopIsQuiet has engine and guard stop, in either order, with sessions up: no line is a warning, and none names an inner address.
func TestRegularStopIsQuiet(t *testing.T) {
	for _, first := range []string{"engine", "guard"} {
		t.Run(first, func(t *testing.T) {
			base, lines := logtest.NewNullLogger()
			c := setting(anyone())
			c.Log = base.WithField("part", "guard")
			g := run(t, c)
			config := engineOf(c)
			config.Log = base.WithField("part", "speaker")
			mirror, err := gobgp.NewMirror(config, nothing{})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error, 1)
			if err := mirror.Open(ctx); err != nil {
				t.Fatal(err)
			}
			go func() { ended <- mirror.Run(ctx) }()
			engine := g.back(t)
			r := call(t, address(), g.own())
			r.establish(t, r.hello())
			g.waitUp(t, r.address)
			eventually(t, "GoBGP knows whose session it is", func() bool {
				list, err := mirror.Sessions()
				return err == nil && len(list) == 1 && list[0].Peer == r.address
			})
			engine.WaitUp(t, 0, r.address)
			stopEngine := func() {
				engine.end()
				cancel()
				if err := <-ended; err != nil {
					t.Error(err)
				}
			}
			stopGuard := func() {
				g.stop()
				err := <-g.done
				if g.done <- err; err != nil {
					t.Error(err)
				}
			}
			if first == "engine" {
				stopEngine()
				eventually(t, "the guard knows", func() bool { return g.status(t, r.address).Engine != guard.Established })
				stopGuard()
			} else {
				stopGuard()
				eventually(t, "GoBGP knows", func() bool {
					list, err := mirror.Sessions()
					return err == nil && len(list) == 0
				})
				stopEngine()
			}
			if said := loud(lines.AllEntries()); len(said) > 0 {
				t.Errorf("a regular stop says %q", said)
			}
			for _, e := range lines.AllEntries() {
				for _, v := range e.Data {
					if a, err := netip.ParseAddr(fmt.Sprint(v)); err == nil && c.Engine.Network.Contains(a) {
						t.Errorf("an inner address in %q %v", e.Message, e.Data)
					}
				}
			}
		})
	}
}

// TestLossesAreWarnings: a peer that is gone is one, and so is an engine that went wrong.
func TestLossesAreWarnings(t *testing.T) {
	base, lines := logtest.NewNullLogger()
	c := setting(anyone())
	c.Log = logrus.NewEntry(base)
	g := run(t, c)
	r := call(t, address(), g.own())
	r.establish(t, r.hello())
	engine := g.link(t)
	engine.say(link.Message{Kind: link.Whole})
	g.waitUp(t, r.address)
	engine.end() // it stops: no warning
	eventually(t, "the engine is gone", func() bool { return g.status(t, r.address).Engine != guard.Established })
	r.Close()
	eventually(t, "a warning", func() bool { return len(loud(lines.AllEntries())) == 1 })
	for _, e := range lines.AllEntries() {
		if e.Level <= logrus.WarnLevel && e.Data["peer"] != r.address {
			t.Errorf("%q %v: want the peer", e.Message, e.Data)
		}
	}

	// One that talks nonsense on the control socket is lost with a warning, one that leaves without.
	client := g.serve(t)
	for n, what := range []string{"", "nonsense, and some more of it: it is none of a link's messages"} {
		conn, err := client.Link(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write([]byte(what))
		if n == 0 {
			conn.Close()
		}
		eventually(t, "a line about its end", func() bool {
			ends := 0
			for _, e := range lines.AllEntries() {
				if e.Message == "the engine is down, the sessions stay" {
					ends++
				}
			}
			return ends == n+1
		})
		if said := loud(lines.AllEntries()); len(said) != 1+n {
			t.Errorf("after %q: %q", what, said)
		}
		conn.Close()
	}
}
