package nve

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle"
	"github.com/tns-project/tns/lifecycle/history"
	"github.com/tns-project/tns/speaker"
)

// does tells the world lines and returns what the edge did.
func (w *world) does(lines ...string) string {
	w.lines = nil
	for _, l := range lines {
		w.do(l)
		w.invariants(l)
	}
	return strings.Join(w.lines, "\n")
}

func (w *world) expect(want string, lines ...string) {
	w.t.Helper()
	if got := w.does(lines...); got != want {
		w.t.Errorf("after %q: got\n%s\nwant\n%s", lines, got, want)
	}
}

// alarms is what operators were told.
func (w *world) alarms() string {
	var texts []string
	for _, ev := range w.edge.History.Recent(64) {
		if ev.Kind == history.KindAlarm {
			texts = append(texts, ev.Detail)
		}
	}
	return strings.Join(texts, "\n")
}

func TestExplicitRouteTargets(t *testing.T) {
	a, _ := evpn.ParseRouteTarget("64999:1")
	b, _ := evpn.ParseRouteTarget("64999:2")
	w := newWorld(t, func(c *Config) {
		c.VNs[0].Import, c.VNs[0].Export = []evpn.RouteTarget{a}, []evpn.RouteTarget{a, b}
		c.VNs[1].Import = []evpn.RouteTarget{a, b} // one target, two VNs: the label tells
	})
	w.do("ask tes1 pre-associate vm1 blue/m1 red/m1")
	w.expect("set blue/m5 at edge2", "remote edge2 blue/m5 rt=64999:1")
	w.expect("set red/m5 at edge2", "remote edge2 red/m5 rt=64999:1")
	w.expect("", "remote edge2 blue/m6")
	w.expect("", "remote edge2 blue/m7 rt=64999:2")
}

func TestDuplicateRecoversByTime(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Duplicate = Duplicate{Moves: 1, Window: time.Minute, Recovery: time.Minute} })
	w.do("ask tes1 associate vm1 blue/m1")
	w.do("beacon tes1 lease=1000")
	w.expect("fabric withdraw blue/m1\nunset port eth11\nunset blue/m1\nrespond tes1 blue/m1 vm1: FAIL emigrating 14 @1 120s", "remote edge2 blue/m1 seq=1")
	if !strings.Contains(w.alarms(), "duplicate MAC") {
		t.Errorf("no alarm: %q", w.alarms())
	}
	w.expect("", "pass 59s")
	w.expect("set blue/m1 at edge2", "pass 1s")
	w.expect("unset blue/m1\nset port eth11\nset blue/m1 on eth11\nfabric blue/m1 sequence 2\nrespond tes1 blue/m1 vm1: SUCCESS associated @1 300s", "unremote edge2 blue/m1")
}

func TestConflictsAreAlarms(t *testing.T) {
	w := newWorld(t)
	w.do("ask tes1 associate vm1 blue/m1 blue/m1/10.0.0.1")
	for _, c := range []struct{ line, alarm string }{
		{"ask tes2 associate vm2 blue/m1", "MAC is active for VM"},
		{"ask tes2 associate vm3 blue/m3 blue/m3/10.0.0.1", "IP is active for VM"},
		{"ask tes2 associate vm1 blue/m1", "no Immigration"},
		{"ask tes1 associate vm4 blue/m1", "NLRI belongs to VM"}, // after which vm1 is an orphan
	} {
		before := w.edge.stats.alarms
		w.do(c.line)
		if w.edge.stats.alarms == before || !strings.Contains(w.alarms(), c.alarm) {
			t.Errorf("after %q: alarms %q, want %q among them", c.line, w.alarms(), c.alarm)
		}
	}
	before := w.edge.stats.alarms
	w.do("ask tes2 associate vm2 blue/m1 flags=D")
	if w.edge.stats.alarms != before {
		t.Error("a dry run rang an alarm")
	}
}

func TestDuplicateTESIDIsToldOnce(t *testing.T) {
	w := newWorld(t)
	w.do("ask tes1 associate vm1 blue/m1")
	w.do("session 203.0.113.5")
	w.do("ask tes1 associate vm2 blue/m2 via=203.0.113.5")
	w.do("ask tes1 associate vm3 blue/m3 via=203.0.113.5")
	if w.edge.stats.duplicateTES != 1 || !strings.Contains(w.alarms(), "duplicate-tes-id") {
		t.Errorf("counted %d, alarms %q", w.edge.stats.duplicateTES, w.alarms())
	}
}

func TestImmigrationIsReported(t *testing.T) {
	w := newWorld(t)
	w.do("ask tes1 pre-associate vm1 blue/m1 flags=M")
	w.do("ask tes1 associate vm1 flags=M")
	w.do("ask tes1 suspend vm1 flags=M") // M means nothing here
	n := 0
	for _, ev := range w.edge.History.Recent(64) {
		if ev.Kind == history.KindState && strings.HasPrefix(ev.Detail, "immigration") {
			n++
		}
	}
	if n != 2 || w.edge.stats.immigrations != 2 {
		t.Errorf("%d in history, %d counted, want 2", n, w.edge.stats.immigrations)
	}
}

func TestBeaconsThatAreNone(t *testing.T) {
	w := newWorld(t)
	w.do("ask tes1 associate vm1 blue/m1")
	good := w.beaconRoute("tes1")
	target := evpn.ExtendedCommunity(evpn.RequestTarget(w.config.ID))
	b := evpn.Beacon{Lease: evpn.Lease{Lifetime: 90, Counter: 7}}
	good.Communities = append([]evpn.ExtendedCommunity{target}, b.Communities()...)
	for name, spoil := range map[string]func(r *evpn.Route){
		"for another NVE":       func(r *evpn.Route) { r.Tag = 7 },
		"without our target":    func(r *evpn.Route) { r.Communities = r.Communities[1:] },
		"without a digest":      func(r *evpn.Route) { r.Communities = r.Communities[:2] },
		"of another originator": func(r *evpn.Route) { r.IP = names["tes2"] },
		"of another TES's RD":   func(r *evpn.Route) { r.RD = evpn.NewRD(id("198.51.100.12"), 0) },
		"with another next hop": func(r *evpn.Route) { r.NextHop = names["tes2"] },
	} {
		r := good
		r.Communities = slices.Clone(good.Communities)
		spoil(&r)
		w.hear(names["tes1"], r)
		if w.edge.tess[id("198.51.100.11")].beacon != nil {
			t.Errorf("a beacon %s counts", name)
		}
	}
	w.hear(names["tes1"], good)
	if w.edge.tess[id("198.51.100.11")].beacon == nil {
		t.Error("a good beacon does not count")
	}
}

// TestRefusedRouteIsAWithdraw takes the speaker's word for a route that it could not read.
func TestRefusedRouteIsAWithdraw(t *testing.T) {
	w := newWorld(t)
	w.do("ask tes1 pre-associate vm1 blue/m1")
	w.do("remote edge2 blue/m5")
	key := w.remoteRoute("edge2", "blue/m5").RouteKey
	w.lines = nil
	w.fabricEvent(speaker.Event{Kind: speaker.Refused, Peer: names["frr"], Epoch: 1, Key: key, Text: "bad attribute"})
	if got := strings.Join(w.lines, "\n"); got != "unset blue/m5" {
		t.Errorf("got %s", got)
	}
	w.tesEvent(speaker.Event{Kind: speaker.Refused, Peer: names["tes1"], Epoch: 1, Key: w.sets["tes1 vm1"].routes[0].RouteKey, Text: "bad attribute"})
	w.pass(10 * time.Second)
	if r := w.edge.records[VMKey{vm(1), id("198.51.100.11")}]; r.State != lifecycle.Terminated {
		t.Errorf("the record is %s", r.State)
	}
	if w.edge.stats.malformed != 2 {
		t.Errorf("%d counted, want 2", w.edge.stats.malformed)
	}
}

// TestEventsOfOldSessionsAreIgnored sends what a session said after it ended.
func TestEventsOfOldSessionsAreIgnored(t *testing.T) {
	w := newWorld(t)
	w.do("ask tes1 associate vm1 blue/m1")
	w.do("remote edge2 blue/m5")
	w.do("down tes1")
	w.do("up tes1")
	w.do("again tes1 vm1")
	w.do("down frr")
	w.do("up frr")
	w.lines = nil
	for _, kind := range []speaker.Kind{speaker.SessionDown, speaker.Withdrawn, speaker.EndOfRIB, speaker.Refused} {
		w.tesEvent(speaker.Event{Kind: kind, Peer: names["tes1"], Epoch: 1, Key: w.sets["tes1 vm1"].routes[0].RouteKey})
		w.fabricEvent(speaker.Event{Kind: kind, Peer: names["frr"], Epoch: 1, Key: w.remoteRoute("edge2", "blue/m5").RouteKey})
	}
	w.tesEvent(speaker.Event{Kind: speaker.SessionDown, Peer: addr("192.0.2.99"), Epoch: 1})
	w.fabricEvent(speaker.Event{Kind: speaker.SessionDown, Peer: addr("192.0.2.99"), Epoch: 1})
	if len(w.lines) > 0 {
		t.Errorf("they did something: %v", w.lines)
	}
	w.invariants("old events")
}

func TestAnnouncerThatRefuses(t *testing.T) {
	w := newWorld(t)
	w.tes.refuses, w.fabric.refuses = true, true
	w.do("ask tes1 associate vm1 blue/m1")
	if got := w.alarms(); !strings.Contains(got, "to the fabric: no room") || !strings.Contains(got, "to the TESs: no room") {
		t.Errorf("alarms %q", got)
	}
}

// broken is a store whose file cannot be read.
type broken struct{ *disk }

func (broken) Load() (Memory, error) { return Memory{}, errors.New("input/output error") }

func TestNew(t *testing.T) {
	if _, err := New(worldConfig(), Parts{Store: broken{}}); err == nil || !strings.Contains(err.Error(), "input/output error") {
		t.Errorf("with a broken store: %v", err)
	}
	many := Config{}
	for n := range 32768 {
		many.VNs = append(many.VNs, VN{VNI: evpn.VNI(n + 1)})
	}
	if _, err := New(many, Parts{}); !errors.Is(err, errTooManyVNs) {
		t.Errorf("with 32768 VNs: %v", err)
	}
	e, err := New(worldConfig(), Parts{})
	if err != nil {
		t.Fatal(err)
	}
	if c := e.config; c.Lifetimes != lifecycle.DefaultLifetimes || c.Assembly != 2*time.Second || c.Withdraw != 10*time.Second || c.HoldOnLoss != 120*time.Second ||
		c.StartupHold != 120*time.Second || c.Memory < 180*time.Second || c.Duplicate != (Duplicate{Moves: 5, Window: 180 * time.Second}) {
		t.Errorf("defaults %+v", c)
	}
}

// TestNumbersStay holds the RDs of a VN against restarts and other VNs: peers may still have routes from before.
func TestNumbersStay(t *testing.T) {
	w := newWorld(t)
	before := w.edge.vns[10200].fabricRD
	w.config.VNs = w.config.VNs[1:]
	w.boot()
	if got := w.edge.vns[10200].fabricRD; got != before {
		t.Errorf("RD %s, was %s", got, before)
	}
}

func TestSnapshot(t *testing.T) {
	w := newWorld(t)
	for _, line := range []string{
		"ask tes1 associate vm1 blue/m1 blue/m1/10.0.0.1", "beacon tes1", "ask tes2 associate vm2 red/m2", "ask tes2 emigrate vm2",
		"ask tes1 pre-associate vm3 blue/m3", "ask tes1 emigrate vm3", "ask tes1 associate vm4 blue/m4", "ask tes1 suspend vm4", "ask tes1 emigrate vm4",
		"remote edge2 blue/m5/10.0.0.5 seq=3 sticky", "flood edge2 blue", "ask tes2 associate vm9 nowhere/m9", "down tes2",
	} {
		w.do(line)
	}
	var s Snapshot
	w.edge.fill(&s)
	if len(s.VMs) != 4 || len(s.VNs) != 8 || len(s.TESs) != 2 || !s.Ready {
		t.Fatalf("%d VMs, %d VNs, %d TESs, ready %v", len(s.VMs), len(s.VNs), len(s.TESs), s.Ready)
	}
	for i, want := range []VMView{
		{State: evpn.StateAssociated, Lifetime: 300 * time.Second},
		{State: evpn.StateEmigrating, Before: evpn.StateAssociated, Orphaned: true, Lifetime: 3600 * time.Second},
		{State: evpn.StateEmigrating, Before: evpn.StatePreAssociated, Lifetime: 120 * time.Second},
		{State: evpn.StateEmigrating, Before: evpn.StateSuspended, Lifetime: 120 * time.Second},
	} {
		got := s.VMs[i]
		if got.State != want.State || got.Before != want.Before || got.Orphaned != want.Orphaned || got.Lifetime != want.Lifetime {
			t.Errorf("VM %d: %+v, want %+v", i+1, got, want)
		}
	}
	if r := s.VMs[0].Routes; len(r) != 2 || r[0].IP.IsValid() || r[1].IP != addr("10.0.0.1") || !r[0].Active {
		t.Errorf("routes %+v", r)
	}
	if v := s.VNs[0]; v.Name != "blue" || v.Members != 3 || v.Active != 1 || v.Remote != 1 || !slices.Equal(v.Flood, []netip.Addr{names["edge2"]}) {
		t.Errorf("VN %+v", v)
	}
	if len(s.FDB) != 3 {
		t.Fatalf("FDB %+v", s.FDB)
	}
	if f := s.FDB[0]; f.Port != "eth11" || f.VM == nil || f.VM.VM != vm(1) || len(f.IPs) != 1 || !f.Advertised {
		t.Errorf("local %+v", f)
	}
	if f := s.FDB[1]; f.VTEP != names["edge2"] || f.Sequence != 3 || !f.Sticky || len(f.IPs) != 1 {
		t.Errorf("remote %+v", f)
	}
	if a, b := s.TESs[0], s.TESs[1]; !a.Alive || a.Requests != 4 || a.Peer != names["tes1"] || b.Alive || b.Requests != 0 || b.Peer.IsValid() {
		t.Errorf("TESs %+v %+v", a, b)
	}
}
