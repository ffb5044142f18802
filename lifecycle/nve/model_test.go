package nve

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tns-project/tns/lifecycle"
)

// TestModel does anything in any order to a few VMs, and holds the edge against its invariants after each step; then everything ends, and nothing may be left.
func TestModel(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		quotas := rapid.SampledFrom([]string{"", "blue.vms=1", "blue.vms_per_tes=1 tes.vms=2", "blue.macs=1 gold.macs=1", "acme.macs=2", "rules=8 eth11.bandwidth=500", "eth11.vids=1 tes.vms=1 acme.macs=1"})
		w := newWorld(r, func(c *Config) { setQuotas(c, options(quotas.Draw(r, "quotas"))) })
		w.config.Duplicate.Recovery, w.edge.config.Duplicate.Recovery = time.Minute, time.Minute
		if w.trusting = rapid.Bool().Draw(r, "no authorizer"); w.trusting {
			w.edge.Authorizer = nil
		}
		w.do("up srr")
		var story []string
		do := func(format string, args ...any) {
			line := fmt.Sprintf(format, args...)
			story = append(story, line)
			w.do(line)
			w.invariants(line)
			if r.Failed() {
				r.Fatalf("the story:\n%s", strings.Join(story, "\n"))
			}
		}
		up := map[string]bool{"tes1": true, "tes2": true, "srr": true, "frr": true}
		session := map[string]string{"tes1": "tes1", "tes2": "tes2", "tes3": "srr"}
		oneOf := func(label string, from ...string) string { return rapid.SampledFrom(from).Draw(r, label) }
		bindings := []string{"blue/m1", "blue/m1 blue/m1/10.0.0.1", "blue/m1 red/m2", "blue/m2 blue/m2/10.0.0.1", "blue/m1 blue/m2", "green/m3", "blue/m1 nowhere/m2", "pink/m5", "pink/m5 lime/m6", "pink/m6 grey/m5", "lime/m5 blue/m1", "pink/m5!7", "gold/m4", "gold/m4 gold/m4/10.0.0.4", "blue/m1 gold/m4", "mauve/m1", "blue/m1!5 blue/m1/10.0.0.1!5", "blue/m1!5 blue/m2!6", "mauve/m1!8"}
		credentials := []string{"", "", " key=7", " key=8", " key=7 expiry=1s", " key=7 expiry=-1s", " credential", " key=7 for=vm:vm9", " key=7 policy=5", " policy=5", " policy=6", " policy=7", " policy=99"}
		servers := []string{"server s1", "server s1 vm9 srv1 blue/m1", "server s1 vm9 srv2 blue/m1", "server s1 vm3 srv1 blue/m1 blue/m1/10.0.0.1", "server s1 vm9 srv1 blue/m1 red/m2", "server s1 vm9 srv1 gold/m4 policy=5", "server s1 vm9 trunk1 pink/m5",
			"server s2", "server s2 vm8 srv2 blue/m7 blue/m7/10.0.0.1", "server s2 vm8 srv2 red/m7"}
		tes := func() string { return oneOf("tes", "tes1", "tes2", "tes3") }
		vms := func() string { return oneOf("vm", "vm1", "vm2", "vm3") }
		remotes := func() string {
			return oneOf("remote", "edge2 blue/m1", "edge2 blue/m1/10.0.0.1", "edge0 blue/m1", "edge3 blue/m2", "edge2 red/m2")
		}
		r.Repeat(map[string]func(*rapid.T){
			"ask": func(*rapid.T) {
				from := tes()
				if !up[session[from]] {
					return
				}
				op := oneOf("op", "pre-associate", "associate", "associate", "associate", "suspend", "resume", "emigrate", "terminate")
				flags := oneOf("flags", "", "", "", " flags=M", " flags=K", " flags=D")
				only := oneOf("only", "", "", "", "", " only=1")
				do("ask %s %s %s %s%s%s", from, op, vms(), oneOf("bindings", bindings...), flags, only+oneOf("credentials", credentials...))
			},
			"go on": func(*rapid.T) {
				from, vm := tes(), vms()
				if set := w.sets[from+" "+vm]; !up[session[from]] || set == nil || len(set.routes) == 0 {
					return
				}
				do("ask %s %s %s%s", from, oneOf("op", "associate", "associate", "suspend", "resume", "emigrate", "terminate"), vm, oneOf("flags", "", "", " flags=M", " flags=K")+oneOf("credentials", "", "", "", " bare", " key=8", " key=7 expiry=-1s", " credential"))
			},
			"again": func(*rapid.T) {
				from, vm := tes(), vms()
				if w.sets[from+" "+vm] != nil && up[session[from]] {
					do("again %s %s", from, vm)
				}
			},
			"withdraw": func(*rapid.T) {
				from, vm := tes(), vms()
				if set := w.sets[from+" "+vm]; set != nil && up[session[from]] {
					do("withdraw %s %s", from, vm)
				}
			},
			"session": func(*rapid.T) {
				p := oneOf("peer", "tes1", "tes2", "srr", "frr")
				if up[p] = !up[p]; up[p] {
					do("up %s", p)
					if rapid.Bool().Draw(r, "eor") {
						do("eor %s", p)
					}
				} else {
					do("down %s", p)
				}
			},
			"beacon": func(*rapid.T) {
				if from := tes(); up[session[from]] {
					do("beacon %s%s", from, oneOf("digest", "", " wrong"))
				}
			},
			"remote": func(*rapid.T) {
				if up["frr"] {
					do("remote %s seq=%d%s", remotes(), rapid.IntRange(0, 9).Draw(r, "seq"), oneOf("sticky", "", "", "", "", " sticky"))
				}
			},
			"unremote": func(*rapid.T) {
				if up["frr"] {
					do("unremote %s", remotes())
				}
			},
			"flood": func(*rapid.T) {
				if up["frr"] {
					do("%s edge2 %s", oneOf("what", "flood", "unflood"), oneOf("vn", "blue", "red"))
				}
			},
			"garbage": func(*rapid.T) {
				if up["tes1"] {
					do("garbage tes1 %s %s", oneOf("binding", "blue/m1", "red/m2"), oneOf("what", "bare", "op-7", "two-vmids", "other-nve", "unknown"))
				}
			},
			"retag": func(*rapid.T) {
				do("retag %s %s %s", oneOf("vn", "pink", "lime"), oneOf("port", "trunk1", "trunk2"), oneOf("vid", "0", "0", "100", "101", "2"))
			},
			"echo": func(*rapid.T) {
				from, vm := tes(), vms()
				set := w.sets[from+" "+vm]
				if set == nil || len(set.routes) == 0 || !up[session[from]] {
					return
				}
				for _, told := range w.edge.memory.Told[VMKey{vmOf(vm), id(names[from].String())}] {
					do("echo %s %s %d%s vn=%s", from, vm, told.Value.Change, oneOf("result", "", "", ":failed"), vnOf(told.VNI))
					break
				}
			},
			"refuse": func(*rapid.T) { do("%s m1 6", oneOf("what", "refuse", "allow")) },
			"kernel": func(*rapid.T) {
				do("kernel %s", oneOf("what", "hold", "answer", "answer", "fail m1", "heal m1", "fail m2", "heal m2", "fail trunk1", "heal trunk1", "fail policy", "heal policy"))
			},
			"authorizer": func(*rapid.T) { do("authorizer %s", oneOf("what", "hold", "answer", "answer")) },
			"drain": func(*rapid.T) {
				do("%s %s", oneOf("what", "drain", "undrain", "undrain"), oneOf("vn", "blue", "red", "gold"))
			},
			"pass": func(*rapid.T) { do("pass %s", oneOf("time", "1s", "3s", "30s", "2m", "2m", "1h")) },
			"reload": func(r *rapid.T) {
				if rapid.IntRange(0, 3).Draw(r, "reload") == 0 {
					do("%s", oneOf("server", servers...))
					do("reload")
				}
			},
			"restart": func(r *rapid.T) {
				if rapid.IntRange(0, 9).Draw(r, "restart") == 0 {
					do("authorizer answer")
					if rapid.Bool().Draw(r, "other quotas") {
						do("quotas %s", quotas.Draw(r, "quotas"))
					}
					if rapid.Bool().Draw(r, "other servers") {
						do("%s", oneOf("server", servers...))
					}
					do("restart%s", oneOf("guard", "", " behind"))
					clear(up)
				}
			},
		})
		for _, line := range []string{"undrain blue", "undrain red", "undrain gold", "authorizer answer", "allow m1", "kernel heal m1", "kernel heal m2", "kernel heal trunk1", "kernel heal policy", "kernel answer", "pass 10s"} {
			do("%s", line)
		}
		for p, is := range up {
			if is {
				do("down %s", p)
			}
		}
		if len(w.config.Servers) > 0 {
			do("server s1")
			do("server s2")
			do("%s", oneOf("the servers go with a", "restart", "reload"))
		}
		do("up frr")
		do("eor frr")
		for _, p := range []string{"tes1", "tes2", "srr"} {
			do("up %s", p)
			do("eor %s", p)
		}
		do("pass 26h") // every orphan ages, every duplicate recovers, every memory ends
		for _, p := range []string{"tes1", "tes2", "srr", "frr"} {
			do("down %s", p)
		}
		do("pass 2h")
		if left := w.leftovers(); left != "" {
			r.Fatalf("left over: %s\nthe story:\n%s", left, strings.Join(story, "\n"))
		}
	})
}

// leftovers is what an edge without VMs, sessions and routes still keeps.
func (w *world) leftovers() string {
	e := w.edge
	var b strings.Builder
	for name, n := range map[string]int{
		"requests": e.requests.len(), "refused": len(e.refused), "records": len(e.records), "bound": e.bound.len(), "dry": len(e.dry), "stations": len(e.stations),
		"answers": len(e.answers), "ips": len(e.ips), "waiting": len(e.waiting), "deferred": len(e.deferred), "peers": len(e.peers), "tess": len(e.tess),
		"sequences": len(e.memory.Sequences), "mobility": len(e.memory.Mobility), "timers": len(e.timers.heap), "queue": len(e.queue),
		"sequences on disk": len(w.disk.m.Sequences), "mobility on disk": len(w.disk.m.Mobility), "acceptances": len(e.memory.Acceptances), "accounts": len(e.ledger.Usage()), "holdings": len(e.memory.Holdings), "drained VNs": len(e.memory.Draining), "drained VNs on disk": len(w.disk.m.Draining), "holdings on disk": len(w.disk.m.Holdings), "acceptances on disk": len(w.disk.m.Acceptances), "TESs on disk": len(w.disk.m.TESs),
		"tags held": len(e.book.Held()), "told": len(e.memory.Told), "told on disk": len(w.disk.m.Told), "tag steps": len(e.tagSteps), "tag timers": len(e.tagTimers), "tag tells": len(e.tagTells), "responses": len(w.tes.routes), "fabric routes": len(w.fabric.routes), "kernel": len(w.kernel.asked),
	} {
		if n > 0 {
			fmt.Fprintf(&b, "%d %s, ", n, name)
		}
	}
	for _, v := range e.vns {
		if len(v.members)+len(v.carried)+len(v.active)+len(v.stations)+len(v.floods)+len(v.neighbors)+len(v.pinned) > 0 {
			fmt.Fprintf(&b, "VN %s: %d members, %d active, %d stations, %d floods, %d neighbors, %d pinned, ", v.Name, len(v.members), len(v.active), len(v.stations), len(v.floods), len(v.neighbors), len(v.pinned))
		}
	}
	return b.String()
}

// TestMergedUpdates holds what BGP does against the edge: of two sets in a row the edge sees both, or the second only; it ends in the same, where the
// second is accepted either way.
func TestMergedUpdates(t *testing.T) {
	ops := []string{"pre-associate", "associate", "suspend", "resume", "emigrate", "terminate"}
	before := map[string][]string{
		"null": nil, "pre-associated": {"pre-associate"}, "associated": {"associate"}, "suspended": {"associate", "suspend"}, "emigrating": {"associate", "emigrate"},
	}
	for state, way := range before {
		for _, first := range ops {
			for _, second := range ops {
				both, one := newWorld(t), newWorld(t)
				for _, w := range []*world{both, one} {
					for _, op := range way {
						w.do("ask tes1 " + op + " vm1 blue/m1")
					}
				}
				both.do("ask tes1 " + first + " vm1 blue/m1 blue/m2 seq=10")
				both.do("ask tes1 " + second + " vm1 blue/m1 seq=11")
				one.do("ask tes1 " + second + " vm1 blue/m1 seq=11")
				both.invariants(first + " " + second)
				one.invariants(second)
				key := VMKey{vm(1), id("198.51.100.11")}
				a, b := both.edge.records[key], one.edge.records[key]
				refused := func(r *record) bool {
					for _, d := range r.decisions {
						return d.refusal != 0
					}
					return false
				}
				if refused(a) || refused(b) || second == "resume" || a.State == b.State {
					continue
				}
				if second == "emigrate" && a.State.Figure() == b.State.Figure() {
					continue // the state to come back to is another
				}
				if second == "associate" && a.State == lifecycle.Associated && b.State == lifecycle.Associated {
					continue
				}
				t.Errorf("from %s: %s and %s end in %s, %s alone in %s", state, first, second, a.State, second, b.State)
			}
		}
	}
}
