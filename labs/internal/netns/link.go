package netns

import (
	"fmt"

	"github.com/vishvananda/netlink"
)

// MTU of a lab's links: as containerlab's, and above 1500 + the 50 octets of VXLAN.
const MTU = 9500

// Endpoint is one end of a link: an interface in a namespace.
type Endpoint struct {
	Namespace *Namespace
	Interface string
}

// Connect makes a veth pair between two namespaces, both ends up.
func Connect(a, b Endpoint) error {
	handle, err := a.Namespace.Netlink()
	if err != nil {
		return err
	}
	defer handle.Close()
	attributes := netlink.NewLinkAttrs()
	attributes.Name, attributes.MTU = a.Interface, MTU
	pair := &netlink.Veth{LinkAttrs: attributes, PeerName: b.Interface, PeerNamespace: netlink.NsFd(b.Namespace.handle)}
	if err := handle.LinkAdd(pair); err != nil {
		return fmt.Errorf("link %s:%s to %s:%s: %w", a.Namespace.name, a.Interface, b.Namespace.name, b.Interface, err)
	}
	for _, end := range []Endpoint{a, b} {
		if err := end.up(); err != nil {
			return err
		}
	}
	return nil
}

func (e Endpoint) up() error {
	handle, err := e.Namespace.Netlink()
	if err != nil {
		return err
	}
	defer handle.Close()
	link, err := handle.LinkByName(e.Interface)
	if err == nil {
		err = handle.LinkSetUp(link)
	}
	if err != nil {
		return fmt.Errorf("set up %s:%s: %w", e.Namespace.name, e.Interface, err)
	}
	return nil
}
