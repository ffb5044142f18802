package linux

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/dataplane/linux/nft"
)

// defaultUDPPort is VXLAN's (RFC 7348 §5).
const defaultUDPPort = 4789

// Ensure makes the devices of the networks, which are all there are, or adopts what is there. A device that is there and
// cannot serve is left as it is; the error names it, its attribute, and what is needed. A port that is in a bridge which we made
// for another VN is taken out of it; one that is left out stays in its bridge, locked, and is not counted any more.
func (k *Kernel) Ensure(ctx context.Context, networks []dataplane.Network) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := dataplane.ValidateNetworks(networks); err != nil {
		return err
	}
	k.wanted = networks
	moved := k.releaseMoved(ctx, networks)
	_, err := k.ensure(ctx)
	return errors.Join(moved, err)
}

// ensure makes good what is missing of the wanted networks' devices, and nothing where nothing is.
func (k *Kernel) ensure(ctx context.Context) (inventory, error) {
	networks := make(map[dataplane.VNI]*network, len(k.wanted))
	for _, w := range k.wanted {
		networks[w.VNI] = &network{Network: w, sharing: w.VLANAware(), ports: make(map[string]int), tagged: make(map[string]string)}
	}
	sharedErr := k.ensureShared(ctx, networks)
	k.knowVLANs(networks)
	tagErr := errors.Join(sharedErr, k.ensureTagged(networks))
	inv, err := k.inventory(ctx)
	if err != nil {
		return inv, errors.Join(tagErr, err)
	}
	errs := []error{tagErr, k.ensureTable(ctx, inv, networks)}
	var vlans map[int]map[uint16]vlanState
	if slices.ContainsFunc(k.wanted, func(n dataplane.Network) bool { return networks[n.VNI].vlan != 0 }) {
		if vlans, err = bridgeVLANs(ctx, k.conn); err != nil {
			errs = append(errs, fmt.Errorf("list the VLANs of bridges: %w", err))
		}
	}
	for _, w := range k.wanted {
		errs = append(errs, k.ensureNetwork(ctx, inv, networks[w.VNI], vlans))
	}
	errs = append(errs, k.leaveVLANs(ctx, networks, vlans))
	k.networks = networks
	k.watch.devices(networks)
	defer func() {
		for _, n := range networks {
			n.own, n.sources = inv.own(n), n.devices()
		}
	}()
	if made := slices.ContainsFunc(k.wanted, func(n dataplane.Network) bool { return inv.links[n.Bridge] == nil }); made {
		if inv, err = k.inventory(ctx); err != nil {
			return inv, err
		}
		errs = append(errs, k.ensureTable(ctx, inv, networks))
	}
	return inv, errors.Join(errs...)
}

func (k *Kernel) ensureNetwork(ctx context.Context, inv inventory, n *network, vlans map[int]map[uint16]vlanState) (err error) {
	if n.shared() && n.vlan == 0 {
		return nil // ensureShared told why
	}
	var errs []error
	if !n.shared() {
		if n.bridge, err = k.ensureBridge(inv, n.Network); err != nil {
			return err
		}
		if n.vxlan, err = k.ensureVXLAN(ctx, inv, n); err != nil {
			errs = append(errs, err)
		}
	}
	for _, p := range n.Ports {
		index, err := k.ensurePort(ctx, inv, n, p)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if index != 0 && n.shared() {
			err = k.ensureMember(ctx, n, p, index, vlans[index])
			errs = append(errs, err)
		}
		if index != 0 && err == nil {
			n.ports[p.Name] = index
		}
	}
	return errors.Join(errs...)
}

// ensureTable makes the nftables table for the ports that there are, and for the bridges that have no address. It comes
// first, so that a port is filtered before it is a port.
func (k *Kernel) ensureTable(ctx context.Context, inv inventory, networks map[dataplane.VNI]*network) error {
	if k.table == nil {
		return nil
	}
	var ports, bridges []string
	for _, w := range k.wanted {
		n := networks[w.VNI]
		for _, p := range n.Ports {
			if _, there := inv.links[n.device(p.Name)]; there && !n.trunk(p.Name) {
				ports = append(ports, n.device(p.Name))
			}
		}
		if b, there := inv.links[n.Bridge]; there && inv.addrs[b.Attrs().Index] == 0 {
			bridges = append(bridges, n.Bridge)
		}
	}
	filtered := make(map[string]int)
	for _, d := range slices.Concat(ports, bridges) {
		filtered[d] = inv.links[d].Attrs().Index
	}
	for d, index := range k.filtered {
		if filtered[d] != index {
			k.table.Forget()
		}
	}
	k.filtered = filtered
	err := k.table.Ensure(ports, bridges, func(port string) ([]dataplane.MAC, error) { return k.forwarded(ctx, inv, port) })
	if nft.Unsupported(err) {
		k.withoutTable(err)
		return nil
	}
	return err
}

// forwarded is the MACs that a port's bridge forwards to it on our account.
func (k *Kernel) forwarded(ctx context.Context, inv inventory, port string) ([]dataplane.MAC, error) {
	link := inv.links[port].Attrs()
	if link.MasterIndex == 0 {
		return nil, nil
	}
	all, err := k.dumpNeigh(ctx, unix.AF_BRIDGE, link.MasterIndex)
	if err != nil {
		return nil, fmt.Errorf("list the forwarding entries of %s: %w", inv.name(link.MasterIndex), err)
	}
	var macs []dataplane.MAC
	for _, n := range all {
		if n.link == link.Index && n.marked() && !n.self() {
			macs = append(macs, n.mac)
		}
	}
	return macs, nil
}

func (k *Kernel) ensureBridge(inv inventory, n dataplane.Network) (int, error) {
	link, there := inv.links[n.Bridge]
	if !there {
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.MTU = n.Bridge, n.MTU
		off := false
		made, err := k.makeLink(&netlink.Bridge{LinkAttrs: attrs, MulticastSnooping: &off})
		if err != nil {
			return 0, err
		}
		link = made
	}
	bridge, ok := link.(*netlink.Bridge)
	if !ok {
		return 0, fmt.Errorf("use %s for VN %s: it is a %s, a bridge is needed", n.Bridge, n.Name, link.Type())
	}
	if bridge.VlanFiltering != nil && *bridge.VlanFiltering {
		return 0, fmt.Errorf("use bridge %s for VN %s: vlan_filtering is 1, 0 is needed", n.Bridge, n.Name)
	}
	return link.Attrs().Index, k.finish(link, n.MTU)
}

func (k *Kernel) ensureVXLAN(ctx context.Context, inv inventory, n *network) (int, error) {
	port := n.UDPPort
	if port == 0 {
		port = defaultUDPPort
	}
	link, there := inv.links[n.VXLAN]
	if !there {
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.MTU = n.VXLAN, n.MTU
		made, err := k.makeLink(&netlink.Vxlan{
			LinkAttrs: attrs, VxlanId: int(n.VNI), SrcAddr: n.VTEP.AsSlice(), Port: int(port), Learning: false,
		})
		if errors.Is(err, unix.EEXIST) {
			return 0, fmt.Errorf("%w: another VXLAN device has VNI %d and port %d already%s", err, n.VNI, port, inv.sameVNI(n.VNI))
		}
		if err != nil {
			return 0, err
		}
		link = made
	}
	if err := compatible(link, n.Network, port); err != nil {
		return 0, fmt.Errorf("use %s for VN %s: %w", n.VXLAN, n.Name, err)
	}
	index := link.Attrs().Index
	if err := inv.free(link, n); err != nil {
		return 0, err
	}
	if err := k.enslave(link, n); err != nil {
		return 0, err
	}
	if !vxlanPort.in(inv.flags[index]) {
		if _, err := k.conn.one(ctx, vxlanPort.set(index)); err != nil {
			return 0, fmt.Errorf("set %s's bridge port flags (learning off, neigh_suppress on): %w", n.VXLAN, err)
		}
	}
	return index, k.finish(link, n.MTU)
}

// compatible tells which attribute of a device that is there keeps it from being the network's VXLAN device.
func compatible(link netlink.Link, n dataplane.Network, port uint16) error {
	v, ok := link.(*netlink.Vxlan)
	if !ok {
		return fmt.Errorf("it is a %s, a vxlan device is needed", link.Type())
	}
	local, _ := netip.AddrFromSlice(v.SrcAddr)
	local = local.Unmap()
	switch {
	case v.FlowBased:
		return errors.New("external is on, off is needed")
	case v.VxlanId != int(n.VNI):
		return fmt.Errorf("id is %d, %d is needed", v.VxlanId, n.VNI)
	case local != n.VTEP:
		return fmt.Errorf("local is %v, %v is needed", v.SrcAddr, n.VTEP)
	case v.Port != int(port):
		return fmt.Errorf("dstport is %d, %d is needed", v.Port, port)
	case v.Learning:
		return errors.New("learning is on, nolearning is needed")
	case len(v.Group) != 0 && !v.Group.IsUnspecified():
		return fmt.Errorf("remote or group is %v, none is needed", v.Group)
	}
	return nil
}

// ensurePort makes a device a VM port. As long as it is not locked it is not ours: then it begins closed and without what was learned on it.
func (k *Kernel) ensurePort(ctx context.Context, inv inventory, n *network, p dataplane.MemberPort) (int, error) {
	name := n.device(p.Name)
	if name == "" {
		return 0, nil // ensureTagged told why
	}
	link, there := inv.links[name]
	if !there {
		return 0, fmt.Errorf("enslave %s to %s: there is no such device", name, n.Bridge)
	}
	index := link.Attrs().Index
	if link.Attrs().MasterIndex == n.bridge && vmPort.in(inv.flags[index]) {
		return index, k.finish(link, 0)
	}
	if err := inv.free(link, n); err != nil {
		return 0, err
	}
	if err := k.silence(link); err != nil {
		return 0, err
	}
	if err := k.limiter.Prepare(link); err != nil {
		k.log.WithField("port", name).WithError(err).Warn("no place for programs: VMs behind the port cannot have limits")
	}
	if err := k.enslave(link, n); err != nil {
		return 0, err
	}
	flush, flood := portFlags{unix.IFLA_BRPORT_FLUSH: 1}, closedPort
	if n.trunk(p.Name) {
		flood = openPort // its VLANs are closed
	}
	for _, r := range k.conn.do(ctx, []message{vmPort.set(index), flood.set(index), flush.set(index)}) {
		if r.err != nil {
			return 0, fmt.Errorf("set %s's bridge port flags (locked, no learning, no flooding): %w", name, r.err)
		}
	}
	return index, k.finish(link, 0)
}

// free tells whether a device is in the network's bridge or in none. A device of somebody else is not touched.
func (inv inventory) free(link netlink.Link, n *network) error {
	if master := link.Attrs().MasterIndex; master != 0 && master != n.bridge {
		return fmt.Errorf("enslave %s to %s: its master is %s, none is needed", link.Attrs().Name, n.Bridge, inv.name(master))
	}
	return nil
}

// enslave puts a device into the network's bridge, if it is not there.
func (k *Kernel) enslave(link netlink.Link, n *network) error {
	if link.Attrs().MasterIndex == n.bridge {
		return nil
	}
	if err := k.links.LinkSetMasterByIndex(link, n.bridge); err != nil {
		return fmt.Errorf("enslave %s to %s: %w", link.Attrs().Name, n.Bridge, err)
	}
	return nil
}
