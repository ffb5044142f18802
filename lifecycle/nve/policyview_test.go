package nve

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/tns-project/tns/lifecycle/history"
	"github.com/tns-project/tns/lifecycle/policy"
	"github.com/tns-project/tns/speaker"
)

// What people are told of policies: what is in the kernel by VN and profile, whose rules these are, and where a profile is refused.
func TestPolicyViews(t *testing.T) {
	w := newWorld(t)
	for _, line := range []string{
		"ask tes1 associate vm1 mauve/m1", "ask tes1 associate vm2 mauve/m2 policy=6", "ask tes2 pre-associate vm3 mauve/m3 policy=6",
		"ask tes1 associate vm4 blue/m4 blue/m4/10.0.0.4", "ask tes1 associate vm5 blue/m5",
	} {
		w.do(line)
	}
	views := w.edge.viewPolicies()
	if len(views) != 3 {
		t.Fatalf("%d policies: %+v", len(views), views)
	}
	if v := views[0]; v.VN != "blue" || v.Profile != nil || len(v.MACs) != 1 || v.Active != 1 || len(v.FromVM)+len(v.ToVM) != 0 {
		t.Errorf("addresses alone: %+v", v)
	}
	if v := views[1]; v.Profile == nil || v.Profile.Type != 5 || !slices.Equal(v.FromVM, []RuleView{
		{"no-mail", "deny", "protocol tcp destination_ports 25", "VN mauve"}, {"http", "allow", "protocol tcp destination_ports 80", "profile web (5:1)"},
	}) {
		t.Errorf("the default: %+v", v)
	}
	v := views[2]
	if len(v.MACs) != 2 || v.Active != 1 || len(v.FromVM) != 3 || v.FromVM[2] != (RuleView{"default", "deny", "any", "profile shut (6:1)"}) {
		t.Errorf("held and active: %+v", v)
	}
	if r := w.edge.vns[vnis["mauve"]].rulings[policy.ID{Type: 6, Version: 1}].inKernel.From.Rules; len(r) != len(v.FromVM) {
		t.Errorf("%d rules are in the kernel, %d are shown", len(r), len(v.FromVM))
	}
	var s Snapshot
	w.edge.fill(&s)
	for i, want := range []string{"profile web (5:1), in force", "profile shut (6:1), in force", "profile shut (6:1), prepared", "no profile, in force", ""} {
		if got := s.VMs[i].Routes[0].Enforced; got != want {
			t.Errorf("VM %d: %q, want %q", i+1, got, want)
		}
	}
}

// Each refusal for a policy names both sides, in the VM's story.
func TestConflictsAreExplained(t *testing.T) {
	for _, c := range []struct{ ask, want string }{
		{"ask tes1 associate vm1 blue/m1 policy=99", "there is no profile 99:1"},
		{"ask tes1 associate vm1 blue/m1 policy=11", "profile reds (11:1) is not for VN blue"},
		{"ask tes1 associate vm1 mauve/m1 policy=8", `rule "mail" (allow protocol tcp destination_ports 25) of profile mailer (8:1): from the VM, it allows what is denied by rule "no-mail" (deny protocol tcp destination_ports 25) of the baseline of VN mauve`},
		{"ask tes1 pre-associate vm1 mauve/m1 policy=7", "pcp 5 of profile urgent (7:1): above the highest of the baseline of tenant acme, 3"},
		{"ask tes1 associate vm1 blue/m1!5 blue/m2!6", `two attachments to one VN, 02:00:00:00:00:01 and 02:00:00:00:00:02: rule "http" (allow protocol tcp destination_ports 80) of profile web (5:1): from the VM, it allows what is denied by rule "nothing"`},
		{"ask tes1 associate vm1 blue/m1!5 blue/m1/10.0.0.1!6", "two policies for one MAC"},
	} {
		w := newWorld(t)
		w.do(c.ask)
		story := w.edge.History.OfVM(vm(1).String())
		if !slices.ContainsFunc(story, func(e history.Event) bool {
			return e.Kind == history.KindAlarm && strings.HasPrefix(e.Detail, "refused: ") && strings.Contains(e.Detail, c.want)
		}) {
			t.Errorf("%s: %+v, want %s", c.ask, story, c.want)
		}
	}
	w := newWorld(t, func(config *Config) { config.Profiles = nil })
	w.do("ask tes1 associate vm1 blue/m1 policy=5")
	if len(w.lines) != 1 || w.lines[0] != "respond tes1 blue/m1 vm1: FAIL null 3 @1" {
		t.Errorf("without a file of policies: %v", w.lines)
	}
}

// Policies says where each profile is refused.
func TestPoliciesOfARunningEdge(t *testing.T) {
	w := newWorld(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := w.edge.Run(ctx, Inputs{TES: speaker.NewQueue(), Fabric: speaker.NewQueue(), Results: newResults()}); err != nil {
			t.Error(err)
		}
	}()
	_, conflicts, err := w.edge.Policies(ctx)
	stop()
	<-done
	if err != nil || len(conflicts) != 2 || len(conflicts[policy.ID{Type: 8, Version: 1}]) != 1 || !strings.HasPrefix(conflicts[policy.ID{Type: 7, Version: 1}][0], "VN mauve: pcp 5") {
		t.Errorf("conflicts %v, %v", conflicts, err)
	}
}
