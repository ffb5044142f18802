package linux

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/dataplane/linux/nft"
)

// policies is what is known of policies beside the kernel's tables.
type policies struct {
	failed map[dataplane.Key]error           // asked for in force, and not: what keeps it from being so
	bare   map[dataplane.Key]dataplane.Entry // without nftables: those that ask for nothing but more spoof protection than the locked port has

	checked bool            // whatever there is of the following is known
	limited map[string]bool // devices that may have limits
	shaped  map[string]bool // ports that may have guarantees
}

func newPolicies() policies {
	return policies{
		failed: make(map[dataplane.Key]error), bare: make(map[dataplane.Key]dataplane.Entry),
		limited: make(map[string]bool), shaped: make(map[string]bool),
	}
}

// enforcePolicies puts policies in force, before anything lets a frame through. A local unicast entry whose policy could not be put in force fails
// with it.
func (k *Kernel) enforcePolicies(ctx context.Context, set []dataplane.Entry, errs []error) {
	var changes []policyChange
	for i := range set {
		if e := &set[i]; e.Kind == dataplane.Policy && e.InForce && errs[i] == nil {
			changes = k.wants(changes, e, &errs[i])
		}
	}
	k.setRates(changes)
	k.change(ctx, changes)
	for i := range set {
		if e := &set[i]; e.Kind == dataplane.Policy && e.InForce {
			delete(k.policies.failed, e.Key)
			if errs[i] != nil {
				k.policies.failed[e.Key] = errs[i]
			}
		}
	}
	if len(k.policies.failed) == 0 {
		return
	}
	for i := range set {
		e := &set[i]
		why := k.policies.failed[dataplane.Key{Kind: dataplane.Policy, VNI: e.VNI, MAC: e.MAC}]
		if e.Kind == dataplane.Unicast && e.LocalPort != "" && errs[i] == nil && why != nil {
			errs[i] = fmt.Errorf("its policy is not in force: %w", why)
		}
	}
}

// withdrawPolicies takes policies out of force and away, after what let their frames through is gone; and from their old port those that are in
// force on another one.
func (k *Kernel) withdrawPolicies(ctx context.Context, set []dataplane.Entry, del []dataplane.Key, errs []error) {
	var changes []policyChange
	for i := range set {
		e := &set[i]
		if e.Kind != dataplane.Policy || errs[i] != nil {
			continue
		}
		if !e.InForce {
			delete(k.policies.failed, e.Key)
			changes = k.wants(changes, e, &errs[i])
		}
		n := k.networks[e.VNI]
		changes = append(changes, policyChange{owner: &errs[i], del: k.heldBut(n, e.MAC, n.device(e.LocalPort))})
	}
	for i, key := range del {
		if key.Kind != dataplane.Policy {
			continue
		}
		delete(k.policies.failed, key)
		delete(k.policies.bare, key)
		if n := k.networks[key.VNI]; n != nil {
			changes = append(changes, policyChange{owner: &errs[len(set)+i], del: k.heldBut(n, key.MAC, "")})
		}
	}
	k.change(ctx, changes)
	k.unsetRates(changes)
}

// policyChange is what one entry or key asks of the table.
type policyChange struct {
	owner *error
	set   []nft.Policy
	del   []nft.VM
}

// wants adds what an entry asks for. Without nftables a policy that asks for nothing but spoof protection is what the locked port can have of it.
func (k *Kernel) wants(changes []policyChange, e *dataplane.Entry, owner *error) []policyChange {
	p := e.Policy.Canonical()
	trunk := k.networks[e.VNI].trunk(e.LocalPort)
	if k.table != nil && !trunk {
		vm := nft.VM{Device: k.networks[e.VNI].device(e.LocalPort), MAC: e.MAC}
		n := nft.Policy{VM: vm, Policy: &p, Digest: p.Digest(), InForce: e.InForce}
		if p.Guarantee != 0 {
			n.Class = k.class(e.LocalPort, vm, changes)
		}
		return append(changes, policyChange{owner, []nft.Policy{n}, nil})
	}
	if !p.Bare() && trunk {
		*owner = fmt.Errorf("%s is in mode vlan-aware, where policies are not enforced: mode dot1q is needed: %w", e.LocalPort, unix.EOPNOTSUPP)
		return changes
	}
	if !p.Bare() {
		*owner = fmt.Errorf("this kernel has no nftables: %w", unix.EOPNOTSUPP)
		return changes
	}
	k.policies.bare[e.Key] = e.Listed()
	return changes
}

// heldBut is what there is of a VM's policies on the VN's ports, but on one.
func (k *Kernel) heldBut(n *network, mac dataplane.MAC, device string) (all []nft.VM) {
	if k.table == nil {
		return nil
	}
	for _, d := range n.devices() {
		vm := nft.VM{Device: d, MAC: mac}
		if _, held := k.table.Held(vm); held && d != device {
			all = append(all, vm)
		}
	}
	return all
}

// change makes all changes in one transaction; if that fails, each by itself, to tell which do.
func (k *Kernel) change(ctx context.Context, changes []policyChange) {
	var set []nft.Policy
	var del []nft.VM
	changes = slices.DeleteFunc(slices.Clone(changes), func(c policyChange) bool { return *c.owner != nil })
	for _, c := range changes {
		set, del = append(set, c.set...), append(del, c.del...)
	}
	if len(set)+len(del) == 0 || k.table == nil {
		return
	}
	err := ctx.Err()
	if err == nil {
		err = k.table.Apply(set, del)
	}
	if err == nil {
		return
	}
	k.watch.signal() // somebody may have removed our table
	if len(changes) > 1 && ctx.Err() == nil {
		for i := range changes {
			k.change(ctx, changes[i:i+1])
		}
		return
	}
	if nft.Unsupported(err) {
		err = fmt.Errorf("this kernel's nftables cannot do what the policy needs: %w", err)
	}
	for _, c := range changes {
		if *c.owner == nil {
			*c.owner = err
		}
	}
}

// heldPolicies is the policies that the kernel holds, by digest. One that is not whole, or on two ports, is listed without.
func (k *Kernel) heldPolicies() ([]dataplane.Entry, error) {
	if k.table == nil {
		return slices.Collect(maps.Values(k.policies.bare)), nil
	}
	held, err := k.table.Policies()
	if err != nil {
		return nil, err
	}
	places := k.places()
	if held, err = k.checkRates(held, places); err != nil {
		return nil, err
	}
	found := make(map[dataplane.Key]dataplane.Entry)
	for _, h := range held {
		at, ours := places[h.Device]
		if !ours {
			continue
		}
		e := dataplane.Entry{
			Key:       dataplane.Key{Kind: dataplane.Policy, VNI: at.vni, MAC: h.MAC},
			LocalPort: at.port, Digest: h.Digest, InForce: h.InForce,
		}
		if _, twice := found[e.Key]; twice {
			e = dataplane.Entry{Key: e.Key}
		}
		found[e.Key] = e
	}
	return slices.AppendSeq(slices.Collect(maps.Values(k.policies.bare)), maps.Values(found)), nil
}

// portOf is a member port of a network.
type portOf struct {
	vni  dataplane.VNI
	port string
}

// places is the member ports by bridge port.
func (k *Kernel) places() map[string]portOf {
	all := make(map[string]portOf)
	for _, n := range k.networks {
		for p := range n.ports {
			all[n.device(p)] = portOf{n.VNI, p}
		}
	}
	return all
}

// Counters is what was counted for policies. Without nftables it is an error.
func (k *Kernel) Counters(ctx context.Context, keys ...dataplane.Key) (map[dataplane.Key]dataplane.Counters, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.table == nil {
		return nil, fmt.Errorf("count what policies match: nftables is not available: %w", unix.EOPNOTSUPP)
	}
	held, err := k.table.Policies()
	if err != nil {
		return nil, err
	}
	places := k.places()
	byVM := make(map[nft.VM]dataplane.Key)
	for _, h := range held {
		at, ours := places[h.Device]
		key := dataplane.Key{Kind: dataplane.Policy, VNI: at.vni, MAC: h.MAC}
		if ours && (len(keys) == 0 || slices.Contains(keys, key)) {
			byVM[h.VM] = key
		}
	}
	counted, err := k.table.Counters(slices.Collect(maps.Keys(byVM)))
	if err != nil {
		return nil, err
	}
	all := make(map[dataplane.Key]dataplane.Counters, len(counted))
	for vm, c := range counted {
		all[byVM[vm]] = c
	}
	return all, k.countLimited(all, byVM)
}
