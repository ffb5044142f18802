package nve

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"

	"github.com/tns-project/tns/evpn"
)

// alter sends tes1's last set for vm1 again with a new sequence and something changed in each request, credentials as they were.
func (w *world) alter(change func(*evpn.Request)) {
	w.t.Helper()
	name := "tes1 vm1"
	old := w.sets[name]
	routes := slices.Clone(old.routes)
	for i := range routes {
		q, err := evpn.DecodeRequest(routes[i].Communities)
		if err != nil {
			w.t.Fatal(err)
		}
		q.Sequence = old.sequence + 1
		change(&q)
		routes[i].Communities = append([]evpn.ExtendedCommunity{evpn.ExtendedCommunity(evpn.RequestTarget(w.config.ID))}, q.Communities()...)
	}
	w.lines = nil
	w.send("tes1", name, old.sequence+1, routes, nil)
}

// last is the last line that the edge said.
func (w *world) last() string {
	if len(w.lines) == 0 {
		return ""
	}
	return w.lines[len(w.lines)-1]
}

// TestAcceptedCredentialIsHonouredAsItWas: what is sent again for an accepted binding is the credential that was accepted, octet for octet, or a good one.
func TestAcceptedCredentialIsHonouredAsItWas(t *testing.T) {
	w := newWorld(t)
	w.do("ask tes1 associate vm1 gold/m1 key=7 expiry=1s")
	w.do("pass 2s")
	for name, c := range map[string]struct {
		change func(*evpn.Request)
		good   bool
	}{
		"as it was":                {func(*evpn.Request) {}, true},
		"with another expiry":      {func(q *evpn.Request) { *q.Expiry ^= 1 }, false},
		"without its expiry":       {func(q *evpn.Request) { q.Expiry = nil }, false},
		"with another key's id":    {func(q *evpn.Request) { q.Credential.KeyID = 8 }, false},
		"with another tag":         {func(q *evpn.Request) { q.Credential.Tag[15] ^= 1 }, false},
		"with another policy":      {func(q *evpn.Request) { q.Policy = &evpn.Policy{Type: 1} }, false},
		"without, its expiry left": {func(q *evpn.Request) { q.Credential = nil }, true},
	} {
		before := w.sets["tes1 vm1"].routes
		w.alter(c.change)
		w.sets["tes1 vm1"].routes = before
		if got := w.last(); strings.Contains(got, "SUCCESS") != c.good || !c.good && !strings.Contains(got, "FAIL-KEPT associated 13") {
			t.Errorf("%s: %s", name, got)
		}
		w.invariants(name)
	}
}

// TestPolicyZeroIsNotNone: a credential speaks of no policy as of type 0, version 0, so that nobody can have it vouch for a profile of that number.
func TestPolicyZeroIsNotNone(t *testing.T) {
	w := newWorld(t)
	w.do("ask tes1 associate vm1 gold/m1 key=7")
	w.alter(func(q *evpn.Request) { q.Policy = &evpn.Policy{} })
	if got := w.last(); !strings.Contains(got, "FAIL-KEPT associated 13") {
		t.Errorf("got %s", got)
	}
}

// TestKeysRollOver: a VN has two keys for a while; when the old one goes, what was accepted by it stays, and nothing new is.
func TestKeysRollOver(t *testing.T) {
	w := newWorld(t)
	w.expect("fabric gold\nset port eth41\nset gold/m1 on eth41\nfabric gold/m1 sequence 0\nrespond tes1 gold/m1 vm1: SUCCESS associated @1 300s", "ask tes1 associate vm1 gold/m1 key=7")
	w.expect("set gold/m2 on eth41\nfabric gold/m2 sequence 0\nrespond tes1 gold/m2 vm2: SUCCESS associated @1 300s", "ask tes1 associate vm2 gold/m2 key=8")
	delete(w.config.VNs[3].Keys, 7)
	w.do("restart")
	for _, line := range []string{"up frr", "eor frr", "up tes1", "again tes1 vm1", "again tes1 vm2", "eor tes1"} {
		w.do(line)
	}
	w.expect("respond tes1 gold/m1 vm1: SUCCESS associated @2 300s", "ask tes1 associate vm1")
	w.expect("respond tes1 gold/m3 vm3: FAIL null 13 @1", "ask tes1 associate vm3 gold/m3 key=7")
	w.expect("set gold/m3 on eth41\nfabric gold/m3 sequence 0\nrespond tes1 gold/m3 vm3: SUCCESS associated @2 300s", "ask tes1 associate vm3 gold/m3 key=8")
}

// TestRenumberedVN: what was accepted in a VN is accepted in no other that has its number now.
func TestRenumberedVN(t *testing.T) {
	w := newWorld(t)
	w.do("ask tes1 associate vm1 gold/m1 key=7 expiry=1s")
	w.do("pass 2s")
	w.config.VNs[3].Name = "silver"
	w.do("restart")
	for _, line := range []string{"up frr", "eor frr", "up tes1"} {
		w.do(line)
	}
	w.expect("respond tes1 gold/m1 vm1: FAIL null 13 @1", "again tes1 vm1")
}

// TestTESThatMayNoMore: a TES is taken from a VN while nved is stopped. Its VMs are refused, and what the kernel had of them goes at the end of the start.
func TestTESThatMayNoMore(t *testing.T) {
	w := newWorld(t)
	w.do("ask tes1 associate vm1 gold/m1 key=7")
	w.config.VNs[3].TES = []evpn.RouterID{id("198.51.100.14")}
	w.do("restart")
	for _, line := range []string{"up frr", "eor frr", "up srr", "eor srr", "up srr2", "eor srr2", "up tes2", "eor tes2", "up tes1"} {
		w.do(line)
	}
	w.expect("respond tes1 gold/m1 vm1: FAIL null 6 @1", "again tes1 vm1")
	if len(w.kernel.entries) == 0 {
		t.Error("the kernel's entry went before the start was over")
	}
	w.expect("complete", "eor tes1")
	if len(w.kernel.entries) > 0 {
		t.Errorf("the kernel still has %v", w.kernel.entries)
	}
	w.do("pass 2h")
	w.invariants("two hours")
	if len(w.edge.memory.Acceptances) > 0 {
		t.Errorf("two hours later the journal has %v", w.edge.memory.Acceptances)
	}
}

// TestUnauthorizedIsCountedAndLogged: by TES and reason, a dry run's too; with VM and TES, and what was wrong.
func TestUnauthorizedIsCountedAndLogged(t *testing.T) {
	w := newWorld(t)
	logger, hook := logtest.NewNullLogger()
	w.edge.Log = logrus.NewEntry(logger)
	for line, want := range map[string]string{
		"ask tes1 associate vm1 gold/m1":                            "refused: a credential is missing",
		"ask tes1 associate vm1 gold/m1 key=9":                      "refused: the VN has no key 9",
		"ask tes1 associate vm1 gold/m1 key=7 for=vm:vm2":           "refused: the credential by key 7 is not for this",
		"ask tes1 associate vm1 gold/m1 key=8 expiry=-1s":           "refused: the credential expired at 2025-12-31T23:59:59Z",
		"ask tes1 associate vm1 gold/m1 gold/m1/10.0.0.1 flags=D":   "dry run refused: a credential is missing",
		"ask tes2 associate vm1 gold/m1 key=7":                      "refused: the TES may not use the VN",
		"ask tes2 associate vm1 blue/m1 gold/m2 seq=9 only=2 key=7": "", // the rest is awaited
	} {
		hook.Reset()
		w.do(line)
		i := slices.IndexFunc(hook.AllEntries(), func(e *logrus.Entry) bool {
			return e.Message == want && e.Level == logrus.WarnLevel && e.Data["vm"] == vm(1).String() && strings.HasPrefix(e.Data["tes"].(string), "198.51.100.1")
		})
		if i < 0 && want != "" {
			t.Errorf("after %q: the log has no %q: %v", line, want, hook.AllEntries())
		}
	}
	w.do("session 203.0.113.5")
	w.do("ask tes2 associate vm1 blue/m1 via=203.0.113.5") // which speaks for tes1 only
	tes1, tes2 := id("198.51.100.11"), id("198.51.100.12")
	got := w.edge.stats.unauthorizedBy
	for u, want := range map[Unauthorized]uint64{
		{tes1, evpn.BadCredential}: 6, {tes2, evpn.FailedAuthorization}: 1, {tes1, evpn.FailedAuthorization}: 1,
	} {
		if got[u] != want {
			t.Errorf("%v: %d counted, want %d", u, got[u], want)
		}
	}
	if len(got) != 3 {
		t.Errorf("counted %v", got)
	}
}

func TestUnauthorizedIsBounded(t *testing.T) {
	var c counters
	for n := range maxUnauthorized + 7 {
		c.unauthorized(evpn.RouterID(n+1), evpn.BadCredential)
	}
	c.unauthorized(1, evpn.BadCredential)
	c.unauthorized(1, evpn.Duplicate)
	if len(c.unauthorizedBy) != maxUnauthorized+1 || c.unauthorizedBy[Unauthorized{0, evpn.BadCredential}] != 7 || c.unauthorizedBy[Unauthorized{1, evpn.BadCredential}] != 2 {
		t.Errorf("%d kinds, %d of others", len(c.unauthorizedBy), c.unauthorizedBy[Unauthorized{0, evpn.BadCredential}])
	}
}

// BenchmarkVouched is the check of one credential.
func BenchmarkVouched(b *testing.B) {
	w := newWorld(b)
	w.mute = true
	w.do("ask tes1 associate vm1 gold/m1 key=7")
	var o *offer
	for o = range w.edge.requests.all() {
	}
	delete(w.edge.memory.Acceptances, o.vm)
	w.edge.now = w.now.Add(time.Second)
	b.ReportAllocs()
	for b.Loop() {
		if why, _ := w.edge.vouched(o); why != evpn.ReasonNone {
			b.Fatal(why)
		}
	}
}
