package linux

import (
	"errors"
	"fmt"
	"net"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// makeLink makes a device that sends nothing by itself, and reads it back.
func (k *Kernel) makeLink(l netlink.Link) (netlink.Link, error) {
	name := l.Attrs().Name
	if err := k.links.LinkAdd(l); err != nil {
		return nil, fmt.Errorf("make %s %s: %w", l.Type(), name, err)
	}
	made, err := k.links.LinkByName(name)
	if err != nil {
		return nil, fmt.Errorf("find %s, just made: %w", name, err)
	}
	if err := k.mark(made); err != nil {
		return nil, err
	}
	return made, k.silence(made)
}

// silence keeps a device from having IPv6 addresses, with all that they make the kernel send.
func (k *Kernel) silence(link netlink.Link) error {
	const none = 1 // IN6_ADDR_GEN_MODE_NONE
	err := k.links.LinkSetIP6AddrGenMode(link, none)
	if errors.Is(err, unix.EAFNOSUPPORT) {
		return nil // no IPv6 at all
	}
	if err != nil {
		return fmt.Errorf("set %s's addrgenmode to none: %w", link.Attrs().Name, err)
	}
	addrs, err := retryDump(func() ([]netlink.Addr, error) { return k.links.AddrList(link, netlink.FAMILY_V6) })
	if err != nil {
		return fmt.Errorf("list %s's addresses: %w", link.Attrs().Name, err)
	}
	for _, a := range addrs {
		if !a.IP.IsLinkLocalUnicast() {
			continue
		}
		if err := k.links.AddrDel(link, &a); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
			return fmt.Errorf("remove %v from %s: %w", a.IP, link.Attrs().Name, err)
		}
	}
	return nil
}

// finish gives a device its MTU (0: as it is) and puts it up.
func (k *Kernel) finish(link netlink.Link, mtu int) error {
	attrs := link.Attrs()
	if mtu != 0 && attrs.MTU != mtu {
		if err := k.links.LinkSetMTU(link, mtu); err != nil {
			return fmt.Errorf("set %s's MTU to %d: %w", attrs.Name, mtu, err)
		}
	}
	if attrs.Flags&net.FlagUp == 0 {
		if err := k.links.LinkSetUp(link); err != nil {
			return fmt.Errorf("set %s up: %w", attrs.Name, err)
		}
	}
	return nil
}
