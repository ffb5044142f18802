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
	"github.com/tns-project/tns/speaker/guard/wire"
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
			engine, err := gobgp.NewMirror(config, nothing{})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error, 1)
			if err := engine.Open(ctx); err != nil {
				t.Fatal(err)
			}
			go func() { ended <- engine.Run(ctx) }()
			r := call(t, address(), g.own())
			r.establish(t, r.hello())
			g.waitUp(t, r.address)
			eventually(t, "the engine knows whose session it is", func() bool {
				list, err := engine.Sessions()
				return err == nil && len(list) == 1 && list[0].Peer == r.address
			})
			stopEngine := func() {
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
				eventually(t, "the engine knows", func() bool {
					list, err := engine.Sessions()
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

// TestLossesAreWarnings: an engine, or a peer, that is gone without a word is one each.
func TestLossesAreWarnings(t *testing.T) {
	base, lines := logtest.NewNullLogger()
	c := setting(anyone())
	c.Log = logrus.NewEntry(base)
	g := run(t, c)
	accept := await(t, c.Engine.Address.Addr())
	r := call(t, address(), g.own())
	r.establish(t, r.hello())
	engine := handmade(t, c, accept)
	g.renewing(t, r, 0, false)
	engine.Close()
	eventually(t, "a warning", func() bool { return len(loud(lines.AllEntries())) == 1 })
	engine = handmade(t, c, accept)
	g.renewing(t, r, 0, false)
	engine.say(wire.Notification{Code: wire.Cease, Subcode: wire.CeaseDeconfigured}.Append(nil)) // it stops: no warning
	engine = handmade(t, c, accept)
	g.renewing(t, r, 0, false)
	r.Close()
	eventually(t, "another warning", func() bool { return len(loud(lines.AllEntries())) == 2 })
	for _, e := range lines.AllEntries() {
		if e.Level <= logrus.WarnLevel && e.Data["peer"] != r.address {
			t.Errorf("%q %v: want the peer", e.Message, e.Data)
		}
	}
	engine.waitNotice(t, wire.Cease, wire.CeaseAdminReset)
}
