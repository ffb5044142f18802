package nft

import (
	"fmt"
	"maps"
	"slices"

	"github.com/tns-project/tns/dataplane"
)

// Change lets frames with the sources in add in and keeps those in del out, in one transaction. Adding what is there and removing
// what is not there are left out.
func (t *Table) Change(add, del []Source) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(add)+len(del) == 0 {
		return nil
	}
	if err := t.refresh(); err != nil {
		return err
	}
	tx := transaction{Table: t}
	devices := make(map[string]bool)
	var elements []element
	for _, part := range []struct {
		list   []Source
		active bool
	}{{add, true}, {del, false}} {
		elements = elements[:0]
		for _, s := range part.list {
			members, there := t.state.members[s.Device]
			if part.active && !there {
				return t.forget(fmt.Errorf("change the active sources in nftables table %s: there is no set %s", tableName, s.Device))
			}
			if members[s.MAC] == part.active || !there {
				continue
			}
			elements = append(elements, element{s.Device, string(s.MAC[:]), ""})
			devices[s.Device] = true
			for _, e := range sourceElements(s) {
				if _, there := t.state.sets[e.set][e.key]; there != part.active {
					elements = append(elements, e)
				}
			}
			if part.active {
				members[s.MAC] = true
			} else {
				delete(members, s.MAC)
			}
		}
		if part.active {
			tx.addElements(elements)
		} else {
			tx.removeElements(elements)
		}
	}
	if tx.changes == 0 {
		return nil
	}
	tx.regroup(slices.Sorted(maps.Keys(devices))...)
	if err := tx.commit(); err != nil {
		return fmt.Errorf("change the active sources: %w", err)
	}
	return nil
}

// Where is the devices, of those given, on which a source is active.
func (t *Table) Where(mac dataplane.MAC, devices []string) (active []Source) {
	if len(devices) == 0 {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, d := range devices {
		if t.state.members[d][mac] {
			active = append(active, Source{d, mac})
		}
	}
	return active
}

// Active is the addresses that are active on a port.
func (t *Table) Active(device string) []dataplane.MAC {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Collect(maps.Keys(t.state.members[device]))
}
