package tag

import (
	"errors"
	"fmt"
	"hash/fnv"

	"github.com/vishvananda/netlink"

	"github.com/tns-project/tns/dataplane"
)

// Tagger is one way of the kernel to have several VNs on one port. Its methods are idempotent, and the caller keeps them from running at the same time. What
// they made stays when the process ends; the next one's Tagger finds it with List, and no frame is lost meanwhile.
type Tagger interface {
	// Attach makes what stands for the port in the VN, or adopts what is there, and returns the device that is to be in the VN's bridge. Where it is made,
	// no frame goes through it before Set. Adopting it changes nothing.
	Attach(port string, vni dataplane.VNI) (device string, err error)
	// Set makes these the VIDs of the VN on the port, in one step for frames in either direction: a VID that worked before and is among them does not fail for one
	// frame. A VID that another VN has on the port is refused with an error that names it.
	Set(port string, vni dataplane.VNI, vids dataplane.VIDs) error
	// Unset takes the VIDs away: no frame goes through any more. What Attach made stays.
	Unset(port string, vni dataplane.VNI) error
	// Detach removes what Attach made, and the VIDs.
	Detach(port string, vni dataplane.VNI) error
	// List is all that is attached in this way, whoever asked for it.
	List() ([]Attachment, error)
	// Drops is, by port, the frames that were dropped because they bore no tag or a VID of no VN.
	Drops() (map[string]uint64, error)
	// Close lets go of what the process holds. What the kernel holds stays.
	Close()
}

// Taggers are all there are, working through a netlink socket of the namespace to work in.
func Taggers(links *netlink.Handle) map[dataplane.Mode]Tagger {
	return map[dataplane.Mode]Tagger{dataplane.EBPF: NewEBPF(links), dataplane.Dot1Q: NewDot1Q(links), dataplane.VLANAware: NewVLANAware(links)}
}

// Attachment is a VN on a port, as the kernel holds it.
type Attachment struct {
	Port   string
	VNI    dataplane.VNI
	Device string         // what is in the VN's bridge
	VIDs   dataplane.VIDs // zero: none were set; Send is 0 and Also is not where something half done was found
}

// Device names the device that stands for a port in a VN, in modes that need one for each: eth1.v10100, or a shorter name where that has more than 15 octets.
func Device(port string, vni dataplane.VNI) string {
	name := fmt.Sprintf("%s.v%d", port, vni)
	if len(name) <= 15 {
		return name
	}
	h := fnv.New32a()
	h.Write([]byte(port))
	return fmt.Sprintf("t%04x.v%d", h.Sum32()&0xffff, vni)
}

// parseAlias tells what a device stands for whose alias was made by a format of VN and port.
func parseAlias(link netlink.Link, format string) (vni dataplane.VNI, port string, ours bool) {
	n, err := fmt.Sscanf(link.Attrs().Alias, format, &vni, &port)
	return vni, port, n == 2 && err == nil && link.Attrs().Name == Device(port, vni)
}

// listLinks is the devices there are, listed again when they changed meanwhile.
func listLinks(h *netlink.Handle) (links []netlink.Link, err error) {
	for range 5 {
		if links, err = h.LinkList(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("list devices: %w", err)
	}
	return links, nil
}
