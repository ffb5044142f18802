package linux

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/dataplane"
)

// List returns what of ours is on the networks' devices, which it ensures before. A device that cannot be had is logged: its
// entries are missing from the list, and setting them tells why.
func (k *Kernel) List(ctx context.Context) ([]dataplane.Entry, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	began := k.watch.begin()
	inv, err := k.ensure(ctx)
	if inv.flags == nil {
		return nil, err
	}
	k.note(err)
	if inv.flags, err = bridgePorts(ctx, k.conn); err != nil {
		return nil, fmt.Errorf("list bridge ports: %w", err)
	}

	neighbors, err := k.neighbors(ctx)
	if err != nil {
		return nil, err
	}
	all, err := k.vids()
	if err != nil {
		return nil, err
	}
	var vlans map[int]map[uint16]vlanState
	ours := newHeld()
	dumps := make(map[int]*dump) // by bridge
	for _, n := range k.networks {
		if n.bridge == 0 {
			continue
		}
		if n.vlan != 0 && vlans == nil {
			if vlans, err = bridgeVLANs(ctx, k.conn); err != nil {
				return nil, fmt.Errorf("list the VLANs of bridges: %w", err)
			}
		}
		d := dumps[n.bridge]
		if d == nil {
			fdb, err := k.dumpNeigh(ctx, unix.AF_BRIDGE, n.bridge)
			if err != nil {
				return nil, fmt.Errorf("list the forwarding entries of %s: %w", n.Bridge, err)
			}
			d = divide(fdb)
			dumps[n.bridge] = d
		}
		v := newView(n, k.table)
		for _, e := range d.of(n) {
			if v.forwarding(e) {
				ours.take(n, e)
			}
		}
		for _, e := range neighbors[n.neighbors()] {
			v.neighbor(e)
			ours.take(n, e)
		}
		v.open(inv.flags, vlans)
		all = append(all, v.entries()...)
	}
	k.watch.holds(ours, began)
	held, err := k.heldPolicies()
	if err != nil {
		return nil, err
	}
	return append(all, held...), nil
}

// dump is the forwarding entries of a bridge and its devices, divided among the networks that share it.
type dump struct {
	vlan map[uint16][]neigh
	vni  map[uint32][]neigh
}

func divide(all []neigh) *dump {
	d := &dump{make(map[uint16][]neigh), make(map[uint32][]neigh)}
	for _, n := range all {
		if n.self() {
			d.vni[n.vni] = append(d.vni[n.vni], n)
		} else {
			d.vlan[n.vlan] = append(d.vlan[n.vlan], n)
		}
	}
	return d
}

// of is the entries of a network.
func (d *dump) of(n *network) []neigh {
	return slices.Concat(d.vlan[n.vlan], d.vni[n.inVXLAN(dataplane.MAC{}, netip.Addr{}).vni])
}

// note logs what keeps the devices from being as they should, when it changes.
func (k *Kernel) note(err error) {
	now := ""
	if err != nil {
		now = err.Error()
	}
	switch {
	case now == k.logged:
	case err != nil:
		k.log.WithError(err).Error("devices of virtual networks are not as they should be")
	default:
		k.log.Info("devices of virtual networks are as they should be again")
	}
	k.logged = now
}

// dumpNeigh lists the entries of a family, of one bridge and its ports if bridge is not 0.
func (k *Kernel) dumpNeigh(ctx context.Context, family uint8, bridge int) ([]neigh, error) {
	body := make([]byte, sizeofNdmsg)
	body[0] = family
	if bridge != 0 {
		body = attr32(body, netlink.NDA_MASTER, uint32(bridge))
	}
	list, err := k.conn.dump(ctx, message{unix.RTM_GETNEIGH, 0, body})
	if err != nil {
		return nil, err
	}
	all := make([]neigh, 0, len(list))
	for _, b := range list {
		if n, ok := parseNeigh(b); ok {
			all = append(all, n)
		}
	}
	return all, nil
}

// neighbors is the marked neighbours by device.
func (k *Kernel) neighbors(ctx context.Context) (map[int][]neigh, error) {
	marked := make(map[int][]neigh)
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		list, err := k.dumpNeigh(ctx, family, 0)
		if err != nil {
			return nil, fmt.Errorf("list neighbours: %w", err)
		}
		for _, n := range list {
			if n.marked() {
				marked[n.link] = append(marked[n.link], n)
			}
		}
	}
	return marked, nil
}
