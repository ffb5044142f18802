package linux

import (
	"errors"
	"maps"
	"slices"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/dataplane/linux/nft"
	"github.com/tns-project/tns/dataplane/linux/tc"
)

// setRates has the limits and guarantees of policies that come into force. Where one cannot be had, its owner is told, and the policy does not
// come into force.
func (k *Kernel) setRates(changes []policyChange) {
	shaped := make(map[string]bool)
	places := k.places()
	for _, c := range changes {
		for _, p := range c.set {
			limits := tc.Limits{From: p.Policy.From.Limit, To: p.Policy.To.Limit}
			held, _ := k.table.Held(p.VM)
			if limits == (tc.Limits{}) && held.Terms.From.Rate == 0 && held.Terms.To.Rate == 0 {
				continue
			}
			k.policies.limited[p.Device] = true
			*c.owner = errors.Join(*c.owner, k.limiter.Set(p.Device, p.MAC, limits))
		}
		for _, p := range c.set {
			if p.Class != 0 {
				shaped[places[p.Device].port] = true
			}
		}
	}
	for port := range shaped {
		k.policies.shaped[port] = true
		k.shapeMore(port, changes)
	}
}

// shapeMore has the guarantees of changes on a port beside those that there are: all at once, or, where that cannot be, one after the other.
func (k *Kernel) shapeMore(port string, changes []policyChange) {
	have, err := k.guarantees(port)
	all := maps.Clone(have)
	places := k.places()
	var asking []policyChange
	for _, c := range changes {
		for _, p := range c.set {
			if p.Class != 0 && places[p.Device].port == port && *c.owner == nil {
				asking = append(asking, c)
				if err != nil {
					*c.owner = err
				} else {
					all[p.Class] = p.Policy.Guarantee
				}
			}
		}
	}
	if err != nil || k.shaper.Set(port, k.bandwidth(port), all) == nil {
		return
	}
	for _, c := range asking {
		p := c.set[0]
		more := maps.Clone(have)
		more[p.Class] = p.Policy.Guarantee
		if err := k.shaper.Set(port, k.bandwidth(port), more); err != nil {
			*c.owner = err
			continue
		}
		have = more
	}
}

// unsetRates takes away the limits and guarantees of what is not in force any more.
func (k *Kernel) unsetRates(changes []policyChange) {
	if k.table == nil {
		return
	}
	places := k.places()
	ports := make(map[string]bool)
	for _, c := range changes {
		var vms []nft.VM
		for _, p := range c.set {
			vms = append(vms, p.VM)
		}
		for _, vm := range slices.Concat(vms, c.del) {
			ports[places[vm.Device].port] = true
			if held, _ := k.table.Held(vm); !held.InForce && k.policies.limited[vm.Device] {
				if err := k.limiter.Set(vm.Device, vm.MAC, tc.Limits{}); err != nil && *c.owner == nil {
					*c.owner = err
				}
			}
		}
	}
	for port := range ports {
		if !k.policies.shaped[port] {
			continue
		}
		have, err := k.guarantees(port)
		if err == nil {
			err = k.shaper.Set(port, k.bandwidth(port), have)
		}
		if err != nil {
			k.log.WithError(err).WithField("port", port).Error("guarantees that are not in force any more cannot be taken away")
		}
	}
}

// guarantees is those in force on a port, by class, as nftables has them.
func (k *Kernel) guarantees(port string) (map[uint16]uint64, error) {
	held, err := k.table.Policies()
	if err != nil {
		return nil, err
	}
	places := k.places()
	all := make(map[uint16]uint64)
	for _, h := range held {
		if places[h.Device].port == port && h.InForce && h.Terms.Class != 0 {
			all[h.Terms.Class] = h.Terms.Guarantee
		}
	}
	return all, nil
}

// class is the number of a VM's class on a port: what it has, or else one that nobody has.
func (k *Kernel) class(port string, vm nft.VM, changes []policyChange) uint16 {
	if h, ok := k.table.Held(vm); ok && h.Terms.Class != 0 {
		return h.Terms.Class
	}
	places := k.places()
	taken := make(map[uint16]bool)
	held, _ := k.table.Policies() // what cannot be listed cannot be changed either
	for _, h := range held {
		if places[h.Device].port == port {
			taken[h.Terms.Class] = true
		}
	}
	for _, c := range changes {
		for _, p := range c.set {
			if places[p.Device].port == port {
				taken[p.Class] = true
			}
		}
	}
	for n := uint16(tc.FirstClass); n < tc.LastClass; n++ {
		if !taken[n] {
			return n
		}
	}
	return tc.LastClass
}

// bandwidth is what a port can send, bits/s.
func (k *Kernel) bandwidth(port string) uint64 {
	for _, n := range k.networks {
		if p, member := n.Port(port); member {
			return p.Bandwidth
		}
	}
	return 0
}

// checkRates takes the digest of policies whose limits and guarantees are not what they should be, and removes those of nobody.
func (k *Kernel) checkRates(held []nft.Held, places map[string]portOf) ([]nft.Held, error) {
	// After a restart every port may have some.
	first := !k.policies.checked
	for _, h := range held {
		at := places[h.Device]
		k.policies.limited[h.Device] = k.policies.limited[h.Device] || h.Terms.From.Rate != 0 || h.Terms.To.Rate != 0
		k.policies.shaped[at.port] = k.policies.shaped[at.port] || h.Terms.Class != 0
	}
	limits := make(map[string]map[dataplane.MAC]tc.Limits)
	for device := range places {
		if !first && !k.policies.limited[device] {
			continue
		}
		l, err := k.limiter.List(device)
		if err != nil {
			return nil, err
		}
		limits[device] = l
		k.policies.limited[device] = len(l) > 0
	}
	classes := make(map[string]map[uint16]uint64)
	surplus := make(map[string]bool)
	for _, at := range places {
		if _, done := classes[at.port]; done || !first && !k.policies.shaped[at.port] {
			continue
		}
		c, err := k.shaper.List(at.port)
		if err != nil {
			return nil, err
		}
		classes[at.port] = c
		k.policies.shaped[at.port] = c != nil
		surplus[at.port] = c != nil
	}
	for i, h := range held {
		at, ours := places[h.Device]
		if !ours {
			continue
		}
		var want tc.Limits
		if h.InForce {
			want = tc.Limits{From: h.Terms.From, To: h.Terms.To}
		}
		if limits[h.Device][h.MAC] != want || h.InForce && h.Terms.Class != 0 && classes[at.port][h.Terms.Class] != h.Terms.Guarantee {
			held[i].Digest = dataplane.Digest{}
		}
		delete(limits[h.Device], h.MAC)
	}
	for device, l := range limits {
		for mac := range l {
			if err := k.limiter.Set(device, mac, tc.Limits{}); err != nil {
				return nil, err
			}
		}
	}
	k.policies.checked = true
	for port := range surplus {
		if !surplus[port] {
			continue
		}
		want, err := k.guarantees(port)
		if err != nil {
			return nil, err
		}
		for class := range classes[port] {
			if want[class] == 0 {
				if err := k.shaper.Set(port, k.bandwidth(port), want); err != nil {
					return nil, err
				}
				break
			}
		}
	}
	return held, nil
}

// countLimited adds the frames that were above limits.
func (k *Kernel) countLimited(all map[dataplane.Key]dataplane.Counters, vms map[nft.VM]dataplane.Key) error {
	type dropped struct {
		from, to map[dataplane.MAC]dataplane.Counted
	}
	devices := make(map[string]dropped)
	for vm, key := range vms {
		d, done := devices[vm.Device]
		if !done {
			var err error
			if d.from, d.to, err = k.limiter.Dropped(vm.Device); err != nil {
				return err
			}
			devices[vm.Device] = d
		}
		if c, counted := all[key]; counted {
			c.FromLimited, c.ToLimited = d.from[vm.MAC], d.to[vm.MAC]
			all[key] = c
		}
	}
	return nil
}
