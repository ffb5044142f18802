package nft

import (
	"maps"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
)

// wanted is the chains of which one must let a frame for all VMs of a port through; none if every frame may go: where a source is active whose
// policy has nothing against it.
func (tx *transaction) wanted(device string) map[string]bool {
	for mac := range tx.state.members[device] {
		if tx.state.vms[VM{device, mac}].acl() == "" {
			return nil
		}
	}
	want := make(map[string]bool)
	for vm, h := range tx.state.vms {
		if acl := h.acl(); acl != "" && vm.Device == device {
			want[acl] = true
		}
	}
	return want
}

// ungroup prepares the first half of what makes the chains of frames for all VMs right: what is to go from them, so that what they jump to can go.
func (tx *transaction) ungroup(devices []string) (after []func()) {
	for _, device := range devices {
		name := device + "/" + groupPart
		if _, there := tx.state.chains[name]; !there {
			continue
		}
		want, have := tx.wanted(device), tx.state.groups[device]
		if have == nil {
			rules, err := tx.conn.read.GetRules(ourTable(), plainChain(name))
			if err != nil || len(rules) == 0 && err != nil {
				have = &group{broken: true}
			} else {
				have = parseGroup(rules)
			}
			tx.state.groups[device] = have
		}
		if have.broken || len(want) == 0 && len(have.jumps) > 0 {
			tx.begin().FlushChain(plainChain(name))
			have = &group{}
			tx.state.groups[device] = &group{}
		}
		for _, acl := range slices.Sorted(maps.Keys(have.jumps)) {
			if want[acl] {
				continue
			}
			if err := tx.begin().DelRule(&nftables.Rule{Table: ourTable(), Chain: plainChain(name), Handle: have.jumps[acl]}); err != nil {
				tx.fail(err)
			}
			tx.state.groups[device] = nil
		}
		after = append(after, func() { tx.group(device, want, have) })
	}
	return after
}

// group prepares the second half: what is to come.
func (tx *transaction) group(device string, want map[string]bool, have *group) {
	if len(want) == 0 {
		return
	}
	rule := func(exprs []expr.Any) *nftables.Rule {
		tx.state.groups[device] = nil
		return &nftables.Rule{
			Table: ourTable(), Chain: plainChain(device + "/" + groupPart), Exprs: exprs,
			UserData: userdata.AppendString(nil, userdata.TypeComment, groupLabel(exprs)),
		}
	}
	if !have.drops {
		tx.begin().AddRule(rule(exprs(counter(), drop)))
	}
	for _, acl := range slices.Sorted(maps.Keys(want)) {
		if _, there := have.jumps[acl]; !there {
			tx.begin().InsertRule(rule(jump(acl)))
		}
	}
}

// regroup prepares both.
func (tx *transaction) regroup(devices ...string) {
	for _, second := range tx.ungroup(devices) {
		second()
	}
}
