package linux

import (
	"context"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"

	"github.com/tns-project/tns/dataplane"
)

// inventory is what devices there are.
type inventory struct {
	links map[string]netlink.Link
	flags map[int]portFlags // bridge ports, by index
	addrs map[int]int       // number of addresses by index, link-local ones aside
}

func (k *Kernel) inventory(ctx context.Context) (inv inventory, err error) {
	inv = inventory{links: make(map[string]netlink.Link), addrs: make(map[int]int)}
	links, err := retryDump(k.links.LinkList)
	if err != nil {
		return inv, fmt.Errorf("list devices: %w", err)
	}
	for _, l := range links {
		inv.links[l.Attrs().Name] = l
	}
	if inv.flags, err = bridgePorts(ctx, k.conn); err != nil {
		return inv, fmt.Errorf("list bridge ports: %w", err)
	}
	addrs, err := retryDump(func() ([]netlink.Addr, error) { return k.links.AddrList(nil, netlink.FAMILY_ALL) })
	if err != nil {
		return inv, fmt.Errorf("list addresses: %w", err)
	}
	for _, a := range addrs {
		if !a.IP.IsLinkLocalUnicast() {
			inv.addrs[a.LinkIndex]++
		}
	}
	return inv, nil
}

// retryDump lists again what changed while it was listed.
func retryDump[T any](dump func() ([]T, error)) (list []T, err error) {
	for range dumpAttempts {
		if list, err = dump(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			return list, err
		}
	}
	return nil, errInterrupted
}

// sameVNI names the device that has the VNI, for an error.
func (inv inventory) sameVNI(vni dataplane.VNI) string {
	for name, l := range inv.links {
		if v, ok := l.(*netlink.Vxlan); ok && v.VxlanId == int(vni) {
			return " (" + name + ")"
		}
	}
	return ""
}

// name is the name of the device with an index.
func (inv inventory) name(index int) string {
	for name, l := range inv.links {
		if l.Attrs().Index == index {
			return name
		}
	}
	return fmt.Sprintf("device %d", index)
}

// own is the addresses of the network's devices, with their names. The kernel keeps a permanent entry for each.
func (inv inventory) own(n *network) map[dataplane.MAC]string {
	own := make(map[dataplane.MAC]string)
	names := []string{n.Bridge, n.VXLAN}
	for _, p := range n.Ports {
		names = append(names, n.device(p.Name))
	}
	for _, name := range names {
		if l := inv.links[name]; l != nil && len(l.Attrs().HardwareAddr) == len(dataplane.MAC{}) {
			own[dataplane.MAC(l.Attrs().HardwareAddr)] = name
		}
	}
	return own
}
