package nft

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/userdata"

	"github.com/tns-project/tns/dataplane"
)

// Drops is, per device, the frames dropped for their source addresses.
func (t *Table) Drops() (map[string]uint64, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.refresh(); err != nil {
		return nil, err
	}
	drops := make(map[string]uint64)
	for device := range t.state.members {
		rules, err := t.conn.read.GetRules(ourTable(), plainChain(device))
		if err != nil {
			return nil, fmt.Errorf("count the drops on %s: %w", device, err)
		}
		for _, r := range rules {
			frames, _ := counted(r)
			drops[device] += frames
		}
	}
	elements, err := t.elements(portsSet)
	if err != nil {
		return nil, err
	}
	for _, e := range elements {
		device, _, _ := strings.Cut(string(e.Key), "\x00")
		if _, ours := drops[device]; ours && e.Counter != nil {
			drops[device] += e.Counter.Packets
		}
	}
	return drops, nil
}

func (t *Table) elements(set string) ([]nftables.SetElement, error) {
	if t.state.sets[set] == nil {
		return nil, nil
	}
	elements, err := t.conn.read.GetSetElements(sharedSet(set))
	if err != nil {
		return nil, fmt.Errorf("list nftables set %s: %w", set, err)
	}
	return elements, nil
}

// Counters is what was counted for each of these VMs that has a whole policy.
func (t *Table) Counters(vms []VM) (map[VM]dataplane.Counters, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.refresh(); err != nil {
		return nil, err
	}
	elements, err := t.elements(spoofedSet)
	if err != nil {
		return nil, err
	}
	spoofed := make(map[VM]dataplane.Counted)
	for _, e := range elements {
		if vm, _, ok := parseVMKey(e.Key); ok && e.Counter != nil {
			spoofed[vm] = dataplane.Counted{Frames: e.Counter.Packets, Octets: e.Counter.Bytes}
		}
	}
	all := make(map[VM]dataplane.Counters)
	for _, vm := range vms {
		h := t.state.vms[vm]
		if h == nil || h.Digest == (dataplane.Digest{}) {
			continue
		}
		c := dataplane.Counters{Spoofed: spoofed[vm]}
		if c.From, err = t.ruleCounters(h, fromPart); err != nil {
			return nil, err
		}
		to := toPart
		if slices.Contains(h.chains, vmChain(vm, h.Digest, aclPart)) {
			to = aclPart
		}
		if c.To, err = t.ruleCounters(h, to); err != nil {
			return nil, err
		}
		all[vm] = c
	}
	return all, nil
}

// ruleCounters are the counters of a policy's rules in one of its chains.
func (t *Table) ruleCounters(h *held, part string) (all []dataplane.Counted, err error) {
	name := vmChain(h.VM, h.Digest, part)
	if !slices.Contains(h.chains, name) {
		return nil, nil
	}
	rules, err := t.conn.read.GetRules(ourTable(), plainChain(name))
	if err != nil {
		return nil, fmt.Errorf("read the counters of nftables chain %s: %w", name, err)
	}
	for i, r := range rules {
		comment, _ := userdata.GetString(r.UserData, userdata.TypeComment)
		says, _ := strings.CutPrefix(comment, label(i, len(rules), line{exprs: r.Exprs})+" ")
		if strings.HasPrefix(says+" ", ruleComment) {
			frames, octets := counted(r)
			all = append(all, dataplane.Counted{Frames: frames, Octets: octets})
		}
	}
	return all, nil
}
