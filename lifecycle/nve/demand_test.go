package nve

import (
	"testing"

	"github.com/tns-project/tns/evpn"
)

// What a MAC takes because of its policy is what goes into the kernel for it, the VN's baseline included.
func TestDemandsOfPolicies(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		vn   string
		p    evpn.Policy
		want Demand
	}{
		{"blue", evpn.Policy{}, Demand{}},
		{"blue", evpn.Policy{Type: 5, Version: 1}, Demand{ACLRules: 1}},
		{"blue", evpn.Policy{Type: 12, Version: 1}, Demand{Bandwidth: 1e6}},
		{"blue", evpn.Policy{Type: 6, Version: 1}, Demand{ACLRules: 2}}, // its default is a rule of its own
		{"mauve", evpn.Policy{}, Demand{ACLRules: 2}},                   // profile 5 by default, and a rule of the baseline
		{"mauve", evpn.Policy{Type: 10, Version: 1}, Demand{ACLRules: 1}},
		{"blue", evpn.Policy{Type: 99}, Demand{}},
	} {
		if got := w.edge.demands(c.vn, c.p); got != c.want {
			t.Errorf("%s, policy %v: %+v, want %+v", c.vn, c.p, got, c.want)
		}
	}
	blue := w.edge.vns[vnis["blue"]]
	if got := w.edge.pcpOf(blue, &evpn.Policy{Type: 7, Version: 1}); got != 5 {
		t.Errorf("the priority of profile 7 is %d, want 5", got)
	}
	if got := w.edge.pcpOf(blue, nil); got != 0 {
		t.Errorf("without a profile the priority is %d", got)
	}
}
