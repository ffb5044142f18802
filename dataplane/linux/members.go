package linux

import (
	"fmt"
	"maps"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"

	"github.com/tns-project/tns/dataplane"
)

// change lets frames with the sources in add in and keeps those in del out, in one transaction. Adding what is there and removing
// what is not there are left out; where the kernel disagrees about that, its members are read again.
func (s *sources) change(add, del []source) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range 2 {
		added, removed := s.missing(add), s.present(del)
		if len(added)+len(removed) == 0 {
			return nil
		}
		if err = s.transact(added, removed); err == nil {
			return nil
		}
		if err := s.load(); err != nil {
			return err
		}
	}
	return fmt.Errorf("change the active sources in nftables table %s: %w", tableName, err)
}

// missing is those of the sources that are not in their sets, by port.
func (s *sources) missing(list []source) map[string][]nftables.SetElement {
	m := make(map[string][]nftables.SetElement)
	for _, l := range list {
		if !s.members[l.port][l.mac] {
			m[l.port] = append(m[l.port], nftables.SetElement{Key: l.mac[:]})
		}
	}
	return m
}

// present is those of the sources that are in their sets, by port.
func (s *sources) present(list []source) map[string][]nftables.SetElement {
	m := make(map[string][]nftables.SetElement)
	for _, l := range list {
		if s.members[l.port][l.mac] {
			m[l.port] = append(m[l.port], nftables.SetElement{Key: l.mac[:]})
		}
	}
	return m
}

func (s *sources) transact(add, del map[string][]nftables.SetElement) error {
	for port, elements := range add {
		for chunk := range slices.Chunk(elements, elementsPerMessage) {
			if err := s.conn.SetAddElements(sourceSet(port), chunk); err != nil {
				return err
			}
		}
	}
	for port, elements := range del {
		for chunk := range slices.Chunk(elements, elementsPerMessage) {
			if err := s.conn.SetDeleteElements(sourceSet(port), chunk); err != nil {
				return err
			}
		}
	}
	if err := s.flush(); err != nil {
		return err
	}
	for port, elements := range add {
		for _, e := range elements {
			s.members[port][dataplane.MAC(e.Key)] = true
		}
	}
	for port, elements := range del {
		for _, e := range elements {
			delete(s.members[port], dataplane.MAC(e.Key))
		}
	}
	return nil
}

// where is the ports on which a source is active.
func (s *sources) where(mac dataplane.MAC, ports []string) (active []source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range ports {
		if s.members[p][mac] {
			active = append(active, source{p, mac})
		}
	}
	return active
}

// active is the addresses that are active on a port.
func (s *sources) active(port string) []dataplane.MAC {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.members[port]))
}

// drops is, per port, the packets that its rule counted.
func (s *sources) drops() (map[string]uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	drops := make(map[string]uint64)
	for port := range s.members {
		rules, err := s.conn.GetRules(ourTable(), &nftables.Chain{Name: port})
		if err != nil {
			return nil, fmt.Errorf("count the drops on %s: %w", port, err)
		}
		for _, r := range rules {
			for _, e := range r.Exprs {
				if c, ok := e.(*expr.Counter); ok {
					drops[port] += c.Packets
				}
			}
		}
	}
	return drops, nil
}
