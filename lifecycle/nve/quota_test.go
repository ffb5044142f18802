package nve

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tns-project/tns/lifecycle/history"
)

// options is the words KEY=VALUE of a line.
func options(line string) map[string]string {
	opts := map[string]string{}
	for _, f := range strings.Fields(line) {
		if k, v, ok := strings.Cut(f, "="); ok {
			opts[k] = v
		}
	}
	return opts
}

// setQuotas makes these the only quotas of a configuration. A configuration that another edge has is not touched.
func setQuotas(c *Config, opts map[string]string) {
	n := func(key string) uint64 {
		n, _ := strconv.ParseUint(opts[key], 10, 64)
		return n
	}
	c.Quotas = Quotas{VMsPerTES: n("tes.vms"), ACLRules: n("rules"), Tenants: map[string]uint64{"acme": n("acme.macs")}}
	c.VNs = slices.Clone(c.VNs)
	for i := range c.VNs {
		v := &c.VNs[i]
		v.MaxVMs, v.MaxVMsPerTES, v.MaxMACs = n(v.Name+".vms"), n(v.Name+".vms_per_tes"), n(v.Name+".macs")
		v.Ports = slices.Clone(v.Ports)
		for j := range v.Ports {
			p := &v.Ports[j]
			p.Bandwidth, p.VIDs = n(p.Name+".bandwidth"), n(p.Name+".vids")
		}
	}
}

// The limit is named, with its value, in the VM's story and in the log.
func TestQuotaIsExplained(t *testing.T) {
	for want, story := range map[string][]string{
		"refused: VMs in VN blue: the limit is 1, 1 are reserved, 2 would be": {
			"quotas blue.vms=1", "ask tes1 associate vm1 blue/m1", "ask tes2 pre-associate vm2 blue/m2"},
		"refused: ACL rules of this edge: the limit is 8, 0 are reserved, 9 would be": {
			"quotas rules=8", "ask tes1 associate vm2 blue/m1 policy=9"},
		"refused: bit/s of guaranteed bandwidth on port eth11: the limit is 500, 300 are reserved, 800 would be": {
			"quotas eth11.bandwidth=500", "ask tes1 associate vm1 blue/m1 policy=3", "ask tes1 associate vm2 blue/m2 policy=5"},
	} {
		w := newWorld(t, func(c *Config) { setQuotas(c, options(story[0])) })
		for _, line := range story[1:] {
			w.do(line)
		}
		told := ""
		for _, ev := range w.edge.History.OfVM(vm(2).String()) {
			if ev.Kind == history.KindAlarm {
				told += fmt.Sprintln(ev.Detail)
			}
		}
		if told != want+"\n" {
			t.Errorf("%v: told %q, want %q", story, told, want)
		}
		if all := w.edge.stats.alarms; all != 1 {
			t.Errorf("%v: %d alarms", story, all)
		}
	}
}
