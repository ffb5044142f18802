package linux

import (
	"context"
	"errors"
	"fmt"

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
	return k.apply(ctx, set, del)
}

func (k *Kernel) apply(ctx context.Context, set []dataplane.Entry, del []dataplane.Key) []error {
	errs := make([]error, len(set)+len(del))
	if len(set) > 0 {
		k.set(ctx, set, errs[:len(set)])
	}
	if len(del) > 0 {
		k.delete(ctx, del, errs[len(set):])
	}
	k.withdrawPolicies(ctx, set, del, errs)
	explain(set, del, errs)
	return errs
}

// explain has errors name what they are about.
func explain(set []dataplane.Entry, del []dataplane.Key, errs []error) {
	for i, err := range errs {
		switch {
		case err == nil:
		case i < len(set):
			errs[i] = fmt.Errorf("set %v: %w", set[i], err)
		default:
			errs[i] = fmt.Errorf("delete %v: %w", del[i-len(set)], err)
		}
	}
}

func (k *Kernel) set(ctx context.Context, set []dataplane.Entry, errs []error) {
	for i := range set {
		errs[i] = k.settable(&set[i])
	}
	k.enforcePolicies(ctx, set, errs)
	in, out := k.sources(set, errs)
	k.setVIDs(ctx, set, errs)
	k.filter(set, errs, in, nil)

	next := 0
	k.write(ctx, errs, func(p *plan, h *held) bool {
		places := p.look(h, k.networks, min(len(set)-next, p.room), func(i int) *dataplane.Key { return &set[next+i].Key })
		for i := 0; i < len(places) && !p.full(); i++ {
			if errs[next] == nil {
				p.set(h, next, &places[i], &set[next])
			}
			next++
		}
		return next < len(set)
	})
	k.filter(set, errs, nil, out)
}

// sources is the active sources that entries bring in, and those that they drive out of other ports.
func (k *Kernel) sources(set []dataplane.Entry, errs []error) (in, out []nft.Source) {
	if k.table == nil {
		return nil, nil
	}
	for i := range set {
		e := &set[i]
		if errs[i] != nil || e.Kind != dataplane.Unicast {
			continue
		}
		n := k.networks[e.VNI]
		if e.LocalPort != "" && !n.trunk(e.LocalPort) {
			in = append(in, nft.Source{Device: n.device(e.LocalPort), MAC: e.MAC})
		}
		for _, s := range k.table.Where(e.MAC, n.sources) {
			if s.Device != n.device(e.LocalPort) {
				out = append(out, s)
			}
		}
	}
	return in, out
}

// filter changes the active sources. Where that fails, so do the unicast entries; as somebody may have removed our table,
// a full pass is asked for.
func (k *Kernel) filter(set []dataplane.Entry, errs []error, in, out []nft.Source) {
	if k.table == nil {
		return
	}
	if err := k.table.Change(in, out); err != nil {
		k.watch.signal()
		for i := range set {
			if set[i].Kind == dataplane.Unicast && errs[i] == nil {
				errs[i] = err
			}
		}
	}
}

// settable tells why an entry cannot be set, or nil.
func (k *Kernel) settable(e *dataplane.Entry) error {
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

func (k *Kernel) delete(ctx context.Context, del []dataplane.Key, errs []error) {
	var out []nft.Source
	if k.table != nil {
		for i := range del {
			key := &del[i]
			if n := k.networks[key.VNI]; n != nil && key.Kind == dataplane.Unicast {
				out = append(out, k.table.Where(key.MAC, n.sources)...)
			}
		}
		if err := k.table.Change(nil, out); err != nil {
			k.watch.signal()
			for i, key := range del {
				if key.Kind == dataplane.Unicast {
					errs[i] = err
				}
			}
		}
	}

	var ask []int
	next := 0
	lost := k.write(ctx, errs, func(p *plan, h *held) bool {
		places := p.look(h, k.networks, min(len(del)-next, p.room), func(i int) *dataplane.Key { return &del[next+i] })
		for i := 0; i < len(places) && !p.full(); i++ {
			if !p.unset(h, next, &places[i], &del[next]) {
				ask = append(ask, next)
			}
			next++
		}
		return next < len(del)
	})
	k.askAndDelete(ctx, del, append(ask, lost...), errs)
	k.unsetVIDs(ctx, del, errs)
}

// askAndDelete deletes what the kernel has of ours under some of the keys.
func (k *Kernel) askAndDelete(ctx context.Context, del []dataplane.Key, ask []int, errs []error) {
	for len(ask) > 0 {
		some := ask[:min(len(ask), batch/2)]
		ask = ask[len(some):]
		found := k.find(ctx, del, some, errs)
		k.write(ctx, errs, func(p *plan, h *held) bool {
			for j, i := range some {
				for _, e := range found[j] {
					p.remove(h, i, k.networks[del[i].VNI], e)
				}
			}
			return false
		})
	}
}

// find asks the kernel for what it holds under some of the unicast and neighbour keys: only marked entries, the
// bridge's first, and the VXLAN device's of a MAC whose bridge entry is marked.
func (k *Kernel) find(ctx context.Context, keys []dataplane.Key, some []int, errs []error) [][]neigh {
	var messages []message
	var owners []int // indexes of some
	ask := func(owner int, n neigh) { messages, owners = append(messages, n.get()), append(owners, owner) }
	for j, i := range some {
		key, n := keys[i], k.networks[keys[i].VNI]
		switch key.Kind {
		case dataplane.Unicast:
			ask(j, neigh{family: unix.AF_BRIDGE, mac: key.MAC, master: n.bridge, vlan: n.vlan})
			if n.vxlan != 0 {
				ask(j, neigh{family: unix.AF_BRIDGE, mac: key.MAC, link: n.vxlan, flags: netlink.NTF_SELF, vni: n.sourceVNI()})
			}
		case dataplane.Neighbor:
			e := n.onBridge(key.IP, dataplane.MAC{})
			ask(j, neigh{family: e.family, link: e.link, dst: e.dst})
		}
	}
	found := make([][]neigh, len(some))
	for m, r := range k.conn.do(ctx, messages) {
		j := owners[m]
		n, ok := parseNeigh(r.data)
		switch {
		case errors.Is(r.err, unix.ENOENT) || errors.Is(r.err, unix.ENODEV):
		case r.err != nil:
			errs[some[j]] = r.err
		case ok && (n.marked() || len(found[j]) > 0):
			found[j] = append(found[j], n.named())
		}
	}
	return found
}
