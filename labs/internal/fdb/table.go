package fdb

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/labs/internal/netns"
)

// Table is all that a kernel holds behind a VXLAN device.
type Table struct {
	MACs  map[string]Remote // by MAC, as written with colons
	Flood []netip.Addr      // VTEPs that get what is flooded, sorted
}

// Read reads both tables of a VXLAN device.
func Read(n *netns.Namespace, device string) (Table, error) {
	t := Table{MACs: make(map[string]Remote)}
	entries, err := entriesOf(n, device)
	if err != nil {
		return t, err
	}
	for _, e := range entries {
		switch {
		case bytes.Equal(e.HardwareAddr, make([]byte, 6)):
			vtep, _ := netip.AddrFromSlice(e.IP)
			t.Flood = append(t.Flood, vtep.Unmap())
		case e.Flags&netlink.NTF_SELF == 0 && e.State&netlink.NUD_PERMANENT != 0: // the device's own MAC
		default:
			r := t.MACs[e.HardwareAddr.String()]
			r.take(e, e.HardwareAddr)
			t.MACs[e.HardwareAddr.String()] = r
		}
	}
	slices.SortFunc(t.Flood, netip.Addr.Compare)
	return t, nil
}

// Behind lists the MACs that a bridge has on one of its ports, without the port's own, sorted.
func Behind(n *netns.Namespace, port string) ([]string, error) {
	entries, err := entriesOf(n, port)
	if err != nil {
		return nil, err
	}
	var macs []string
	for _, e := range entries {
		if e.Flags&netlink.NTF_SELF == 0 && e.MasterIndex != 0 && e.State&netlink.NUD_PERMANENT == 0 {
			macs = append(macs, e.HardwareAddr.String())
		}
	}
	slices.Sort(macs)
	return macs, nil
}

// Neighbour is the MAC that a bridge answers ARP and ND requests for an address with, nil if it has none.
func Neighbour(n *netns.Namespace, bridge string, address netip.Addr) (net.HardwareAddr, error) {
	handle, err := n.Netlink()
	if err != nil {
		return nil, err
	}
	defer handle.Close()
	link, err := handle.LinkByName(bridge)
	if err != nil {
		return nil, fmt.Errorf("look at %s:%s: %w", n.Name(), bridge, err)
	}
	family := unix.AF_INET
	if address.Is6() {
		family = unix.AF_INET6
	}
	entries, err := list(handle, link.Attrs().Index, family)
	if err != nil {
		return nil, fmt.Errorf("dump the neighbours of %s:%s: %w", n.Name(), bridge, err)
	}
	i := slices.IndexFunc(entries, func(e netlink.Neigh) bool {
		a, _ := netip.AddrFromSlice(e.IP)
		return a.Unmap() == address
	})
	if i < 0 {
		return nil, nil
	}
	return entries[i].HardwareAddr, nil
}
