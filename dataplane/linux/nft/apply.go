package nft

import (
	"fmt"
	"maps"
	"slices"
)

// Apply makes the policies hold and removes those of the VMs in del, in one transaction: a frame meets all that was before, or all that is now. What
// is there and whole is not touched, with its counters. Where it fails, nothing has changed.
func (t *Table) Apply(set []Policy, del []VM) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.refresh(); err != nil {
		return err
	}
	tx := transaction{Table: t}
	for _, p := range set {
		if t.state.members[p.Device] == nil {
			return tx.forget(fmt.Errorf("nftables table %s has nothing for port %s", tableName, p.Device))
		}
		if p.egress() {
			tx.fail(tx.egress(p.Device))
		}
	}

	var removeElements, addElements []element
	var removeChains []string
	var addChains []chain
	devices := make(map[string]bool)
	for _, p := range set {
		h := t.state.vm(p.VM)
		var wanted []element
		if p.InForce {
			wanted = p.elements()
		}
		if whole := h.Digest == p.Digest && h.Terms == p.terms(); whole && h.InForce == p.InForce {
			continue
		} else if !whole {
			removeChains = append(removeChains, h.chains...)
			removeElements = append(removeElements, h.elements...)
			chains := p.chains()
			h.chains, h.elements = make([]string, len(chains)), nil
			for i, c := range chains {
				h.chains[i] = c.name
			}
			addChains = append(addChains, chains...)
			slices.Sort(h.chains)
		}
		h.name(wanted)
		removeElements = appendOthers(removeElements, h.elements, wanted)
		addElements = appendOthers(addElements, wanted, h.elements)
		h.Digest, h.InForce, h.Terms, h.elements = p.Digest, p.InForce, p.terms(), wanted
		devices[p.Device] = true
	}
	for _, vm := range del {
		h := t.state.vms[vm]
		if h == nil {
			continue
		}
		removeChains = append(removeChains, h.chains...)
		removeElements = append(removeElements, h.elements...)
		delete(t.state.vms, vm)
		devices[vm.Device] = true
	}
	if len(devices) == 0 && tx.changes == 0 {
		return nil
	}

	// What refers to a chain goes before it and comes after it.
	second := tx.ungroup(slices.Sorted(maps.Keys(devices)))
	tx.removeElements(removeElements)
	tx.removeChains(removeChains)
	for _, c := range addChains {
		tx.begin().addChain(c.name)
		tx.prepare(c.name, c.lines)
	}
	tx.addElements(addElements)
	for _, f := range second {
		f()
	}
	return tx.commit()
}

// removeChains prepares the removal of VMs' chains: those that jump first.
func (tx *transaction) removeChains(names []string) {
	rank := map[string]int{toPart: 0, aclPart: 1, fromPart: 2}
	slices.SortStableFunc(names, func(a, b string) int {
		_, _, x, _ := parseVMChain(a)
		_, _, y, _ := parseVMChain(b)
		return rank[x] - rank[y]
	})
	for _, name := range names {
		tx.begin().delChain(name)
	}
}

// Policies is what is held of each VM on the devices, in no order.
func (t *Table) Policies() (all []Held, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.refresh(); err != nil {
		return nil, err
	}
	for _, h := range t.state.vms {
		all = append(all, h.Held)
	}
	return all, nil
}

// Held is what is held of a VM's policies on one device, as far as known.
func (t *Table) Held(vm VM) (Held, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	h, ok := t.state.vms[vm]
	if !ok {
		return Held{}, false
	}
	return h.Held, true
}
