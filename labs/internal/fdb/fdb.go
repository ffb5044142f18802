// Package fdb looks at a kernel's forwarding tables from outside of any daemon: what is there, and when it came.
package fdb

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/labs/internal/netns"
)

// Remote is what a kernel's two tables hold for one MAC behind a VXLAN device. They live and die separately; a frame
// reaches another edge as known unicast only with both.
type Remote struct {
	VTEP   netip.Addr // in the table of the VXLAN device; the zero Addr if the MAC is not in it
	Bridge bool       // the bridge's table points to the VXLAN device
}

// None is a MAC that is in neither table.
var None = Remote{}

// To is a MAC that is in both tables, behind vtep.
func To(vtep string) Remote { return Remote{VTEP: netip.MustParseAddr(vtep), Bridge: true} }

func (r Remote) String() string {
	return fmt.Sprintf("vxlan table: %v, bridge table: %v", r.VTEP, r.Bridge)
}

// Lookup reads both tables of a VXLAN device for a MAC.
func Lookup(n *netns.Namespace, device string, mac net.HardwareAddr) (Remote, error) {
	entries, err := entriesOf(n, device)
	if err != nil {
		return None, err
	}
	var r Remote
	for _, e := range entries {
		r.take(e, mac)
	}
	return r, nil
}

// entriesOf dumps the forwarding entries of a device: of its own table, and of the bridge's where it is a port.
func entriesOf(n *netns.Namespace, device string) ([]netlink.Neigh, error) {
	handle, err := n.Netlink()
	if err != nil {
		return nil, err
	}
	defer handle.Close()
	link, err := handle.LinkByName(device)
	if err != nil {
		return nil, fmt.Errorf("look at %s:%s: %w", n.Name(), device, err)
	}
	entries, err := list(handle, link.Attrs().Index, unix.AF_BRIDGE)
	if err != nil {
		return nil, fmt.Errorf("dump the FDB of %s:%s: %w", n.Name(), device, err)
	}
	return entries, nil
}

// list dumps a device's entries; a dump that the kernel marks as interrupted by a change is taken again.
func list(handle *netlink.Handle, index, family int) ([]netlink.Neigh, error) {
	for {
		entries, err := handle.NeighList(index, family)
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			return entries, err
		}
	}
}

// take adds what one entry says about mac.
func (r *Remote) take(e netlink.Neigh, mac net.HardwareAddr) {
	switch {
	case !bytes.Equal(e.HardwareAddr, mac):
	case e.Flags&netlink.NTF_SELF != 0:
		r.VTEP, _ = netip.AddrFromSlice(e.IP)
		r.VTEP = r.VTEP.Unmap()
	case e.MasterIndex != 0:
		r.Bridge = true
	}
}

// Expect returns an error unless the tables hold what is wanted; it is meant to be waited for.
func Expect(n *netns.Namespace, device string, mac net.HardwareAddr, want Remote) error {
	got, err := Lookup(n, device, mac)
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("%s on %s:%s: %v, want %v", mac, n.Name(), device, got, want)
	}
	return nil
}
