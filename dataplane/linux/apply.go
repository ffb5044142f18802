package linux

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/dataplane/linux/nft"
)

// Apply sets, then deletes, with as few system calls as there are: the messages of all entries go in batches.
//
// A source is let in before its forwarding entry is written and kept out before that is removed; a MAC that leaves a port is kept out there
// after it has its new entry.
func (k *Kernel) Apply(ctx context.Context, set []dataplane.Entry, del []dataplane.Key) []error {
	k.mu.Lock()
	defer k.mu.Unlock()
	errs := make([]error, len(set)+len(del))
	if len(set) > 0 {
		k.set(ctx, set, errs[:len(set)])
	}
	if len(del) > 0 {
		k.delete(ctx, del, errs[len(set):])
	}
	k.withdrawPolicies(ctx, set, del, errs)
	for i, e := range set {
		if errs[i] != nil {
			errs[i] = fmt.Errorf("set %v: %w", e, errs[i])
		}
	}
	for i, key := range del {
		if err := errs[len(set)+i]; err != nil {
			errs[len(set)+i] = fmt.Errorf("delete %v: %w", key, err)
		}
	}
	return errs
}

// plan is the messages of several entries, in order.
type plan struct {
	messages []message
	owners   []int  // per message, the entry
	optional []bool // per message: what it deletes may be gone
	set, del []neigh
}

func (p *plan) add(owner int, m message) {
	p.messages, p.owners, p.optional = append(p.messages, m), append(p.owners, owner), append(p.optional, false)
}

func (p *plan) replace(owner int, n neigh) {
	p.add(owner, n.replace())
	p.set = append(p.set, n)
}

// remove deletes an entry that may be gone.
func (p *plan) remove(owner int, n neigh) {
	p.add(owner, n.delete())
	p.optional[len(p.optional)-1] = true
	p.del = append(p.del, n)
}

// run sends the messages. Each entry gets the first error of its messages.
func (k *Kernel) run(ctx context.Context, p *plan, errs []error) {
	k.watch.expect(p.set, p.del)
	for i, r := range k.conn.do(ctx, p.messages) {
		if p.optional[i] && (errors.Is(r.err, unix.ENOENT) || errors.Is(r.err, unix.ENODEV)) {
			continue
		}
		if errs[p.owners[i]] == nil {
			errs[p.owners[i]] = r.err
		}
	}
}

func (k *Kernel) set(ctx context.Context, set []dataplane.Entry, errs []error) {
	for i, e := range set {
		errs[i] = k.settable(e)
	}
	k.enforcePolicies(ctx, set, errs)
	var in, out []nft.Source
	for i, e := range set {
		if errs[i] != nil || k.table == nil || e.Kind != dataplane.Unicast {
			continue
		}
		n := k.networks[e.VNI]
		if e.LocalPort != "" && !n.trunk(e.LocalPort) {
			in = append(in, nft.Source{Device: n.device(e.LocalPort), MAC: e.MAC})
		}
		for _, s := range k.table.Where(e.MAC, n.devices()) {
			if s.Device != n.device(e.LocalPort) {
				out = append(out, s)
			}
		}
	}
	k.setVIDs(ctx, set, errs)
	k.filter(set, errs, in, nil)

	var p plan
	for i, e := range set {
		if errs[i] == nil {
			p.entry(i, k.networks[e.VNI], e)
		}
	}
	k.run(ctx, &p, errs)
	k.filter(set, errs, nil, out)
}

// filter changes the active sources. Where that fails, so do the unicast entries; as somebody may have removed our table,
// a full pass is asked for.
func (k *Kernel) filter(set []dataplane.Entry, errs []error, in, out []nft.Source) {
	if k.table == nil {
		return
	}
	if err := k.table.Change(in, out); err != nil {
		k.watch.signal()
		for i, e := range set {
			if e.Kind == dataplane.Unicast && errs[i] == nil {
				errs[i] = err
			}
		}
	}
}

// settable tells why an entry cannot be set, or nil.
func (k *Kernel) settable(e dataplane.Entry) error {
	if err := e.Validate(); err != nil {
		return err
	}
	n, ok := k.networks[e.VNI]
	if !ok {
		return fmt.Errorf("there is no network with VNI %d", e.VNI)
	}
	port := e.LocalPort + e.Key.Port
	remote := e.Kind == dataplane.Flood || e.VTEP.IsValid()
	switch {
	case n.bridge == 0:
		return fmt.Errorf("bridge %s is not there, or cannot be used", n.Bridge)
	case remote && n.vxlan == 0:
		return fmt.Errorf("VXLAN device %s is not there, or cannot be used", n.VXLAN)
	case e.Kind == dataplane.Tag && k.tagger(n, port) == nil:
		return fmt.Errorf("%s is no tagged port of %s", port, n.Bridge)
	case port != "" && n.ports[port] == 0:
		return fmt.Errorf("%s is no port of %s", port, n.Bridge)
	case e.Kind == dataplane.Unicast && n.own[e.MAC] != "":
		return fmt.Errorf("it is the address of %s itself, whose entry is not ours", n.own[e.MAC])
	}
	return nil
}

// entry adds the messages that set an entry.
func (p *plan) entry(owner int, n *network, e dataplane.Entry) {
	switch {
	case e.Kind == dataplane.Unicast && e.LocalPort != "":
		p.replace(owner, n.inBridge(e.MAC, n.ports[e.LocalPort]))
		if n.vxlan != 0 {
			p.remove(owner, n.inVXLAN(e.MAC, netip.Addr{}))
		}
	case e.Kind == dataplane.Unicast:
		p.replace(owner, n.inVXLAN(e.MAC, e.VTEP))
		p.replace(owner, n.inBridge(e.MAC, n.vxlan))
	case e.Kind == dataplane.Flood:
		f := n.inVXLAN(dataplane.MAC{}, e.IP)
		p.add(owner, f.add())
		p.set = append(p.set, f)
	case e.Kind == dataplane.Neighbor:
		p.replace(owner, n.onBridge(e.IP, e.LinkAddr))
	case e.Kind == dataplane.Tag: // setVIDs
	case e.Kind == dataplane.Policy: // enforcePolicies, withdrawPolicies
	case e.Open:
		p.add(owner, n.opening(e.Key.Port, true))
	default:
		p.add(owner, n.opening(e.Key.Port, false))
	}
}

func (k *Kernel) delete(ctx context.Context, del []dataplane.Key, errs []error) {
	var out []nft.Source
	for _, key := range del {
		if n := k.networks[key.VNI]; n != nil && k.table != nil && key.Kind == dataplane.Unicast {
			out = append(out, k.table.Where(key.MAC, n.devices())...)
		}
	}
	if k.table != nil {
		if err := k.table.Change(nil, out); err != nil {
			k.watch.signal()
			for i, key := range del {
				if key.Kind == dataplane.Unicast {
					errs[i] = err
				}
			}
		}
	}

	var p plan
	for i, found := range k.find(ctx, del, errs) {
		n := k.networks[del[i].VNI]
		for _, f := range found {
			p.remove(i, f)
		}
		if n == nil {
			continue
		}
		switch key := del[i]; {
		case key.Kind == dataplane.Flood && n.vxlan != 0:
			p.remove(i, n.inVXLAN(dataplane.MAC{}, key.IP))
		case key.Kind == dataplane.Port && n.ports[key.Port] != 0:
			p.add(i, n.opening(key.Port, false))
			p.optional[len(p.optional)-1] = true
		}
	}
	k.run(ctx, &p, errs)
	k.unsetVIDs(ctx, del, errs)
}

// find asks the kernel for what it holds under the unicast and neighbour keys, per key: only marked entries, the
// bridge's first, and the VXLAN device's of a MAC whose bridge entry is marked.
func (k *Kernel) find(ctx context.Context, keys []dataplane.Key, errs []error) [][]neigh {
	var p plan
	for i, key := range keys {
		n := k.networks[key.VNI]
		switch {
		case n == nil || n.bridge == 0:
		case key.Kind == dataplane.Unicast:
			p.add(i, neigh{family: unix.AF_BRIDGE, mac: key.MAC, master: n.bridge, vlan: n.vlan}.get())
			if n.vxlan != 0 {
				p.add(i, neigh{family: unix.AF_BRIDGE, mac: key.MAC, link: n.vxlan, flags: netlink.NTF_SELF, vni: n.inVXLAN(key.MAC, netip.Addr{}).vni}.get())
			}
		case key.Kind == dataplane.Neighbor:
			e := n.onBridge(key.IP, dataplane.MAC{})
			p.add(i, neigh{family: e.family, link: e.link, dst: e.dst}.get())
		}
	}
	found := make([][]neigh, len(keys))
	for j, r := range k.conn.do(ctx, p.messages) {
		i := p.owners[j]
		n, ok := parseNeigh(r.data)
		switch {
		case errors.Is(r.err, unix.ENOENT) || errors.Is(r.err, unix.ENODEV):
		case r.err != nil:
			errs[i] = r.err
		case ok && (n.marked() || len(found[i]) > 0):
			found[i] = append(found[i], n.named())
		}
	}
	return found
}
