package tag

import (
	"errors"
	"fmt"
	"maps"
	"net"

	"github.com/vishvananda/netlink"

	"github.com/tns-project/tns/dataplane"
)

// VLANAware is the Tagger of dataplane.VLANAware: the trunk itself is a port of the bridge that all VNs of such ports share, and filters at the trunk
// translate between the VIDs on the link and the VNs' VLANs in the bridge. So the VID of a VN may differ from port to port, and a change of it is a filter replaced.
type VLANAware struct {
	links  *netlink.Handle
	vlans  map[dataplane.VNI]uint16
	trunks map[string]*awareTrunk
}

type awareTrunk struct {
	*vidFilters
	vnis map[dataplane.VNI]bool // attached
}

var _ Tagger = (*VLANAware)(nil)

// NewVLANAware works through a netlink socket of the namespace to work in. It changes nothing.
func NewVLANAware(links *netlink.Handle) *VLANAware {
	return &VLANAware{links: links, vlans: map[dataplane.VNI]uint16{}, trunks: map[string]*awareTrunk{}}
}

// Close has nothing to let go of.
func (a *VLANAware) Close() { clear(a.trunks) }

// Know says which VLAN in the bridge each VN has. It comes before all else.
func (a *VLANAware) Know(vlans map[dataplane.VNI]uint16) { a.vlans = vlans }

// trunk is a port with its filters; nil: there is no such device.
func (a *VLANAware) trunk(port string) (*awareTrunk, netlink.Link, error) {
	link, err := a.links.LinkByName(port)
	if _, gone := errors.AsType[netlink.LinkNotFoundError](err); gone {
		delete(a.trunks, port)
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if t := a.trunks[port]; t != nil && t.index == link.Attrs().Index {
		return t, link, nil
	}
	t := &awareTrunk{&vidFilters{links: a.links, port: port, index: link.Attrs().Index}, map[dataplane.VNI]bool{}}
	if err := t.read(); err != nil {
		return nil, nil, err
	}
	a.trunks[port] = t
	return t, link, nil
}

// Attach closes the trunk for all that is translated by no filter, in both directions.
func (a *VLANAware) Attach(port string, vni dataplane.VNI) (string, error) {
	if err := a.attach(port, vni); err != nil {
		delete(a.trunks, port)
		return port, fmt.Errorf("have VN %d on %s: %w", vni, port, err)
	}
	return port, nil
}

func (a *VLANAware) attach(port string, vni dataplane.VNI) error {
	t, link, err := a.trunk(port)
	if err != nil {
		return err
	}
	if t == nil {
		return fmt.Errorf("there is no device %s", port)
	}
	vlan := a.vlans[vni]
	if vlan == 0 {
		return errors.New("it has no VLAN in the bridge")
	}
	if err := t.close(); err != nil {
		return err
	}
	if _, there := t.out[vlan]; !there {
		if err := t.send(vlan, 0); err != nil {
			return err
		}
	}
	t.vnis[vni] = true
	if link.Attrs().Flags&net.FlagUp == 0 {
		if err := a.links.LinkSetUp(link); err != nil {
			return fmt.Errorf("set %s up: %w", port, err)
		}
	}
	return nil
}

// Set changes the filters, in the order that Tagger asks for.
func (a *VLANAware) Set(port string, vni dataplane.VNI, vids dataplane.VIDs) error {
	t, _, err := a.trunk(port)
	if err == nil && (t == nil || !t.vnis[vni]) {
		err = errors.New("it is not attached")
	}
	if err == nil {
		err = a.set(t, a.vlans[vni], vids)
	}
	if err != nil {
		return fmt.Errorf("set VID %v of VN %d on %s: %w", vids, vni, port, err)
	}
	return nil
}

func (a *VLANAware) set(t *awareTrunk, vlan uint16, vids dataplane.VIDs) error {
	for _, vid := range []uint16{vids.Send, vids.Also} {
		if other := t.in[vid]; vid != 0 && other != 0 && other != vlan {
			for vni, v := range a.vlans {
				if v == other {
					return fmt.Errorf("VID %d is VN %d's there", vid, vni)
				}
			}
		}
	}
	return t.translate(vlan, vids)
}

// Unset takes all VIDs away.
func (a *VLANAware) Unset(port string, vni dataplane.VNI) error {
	t, _, err := a.trunk(port)
	if err == nil && t != nil && a.vlans[vni] != 0 {
		err = t.translate(a.vlans[vni], dataplane.VIDs{})
	}
	if err != nil {
		return fmt.Errorf("take away the VIDs of VN %d on %s: %w", vni, port, err)
	}
	return nil
}

// Detach removes the filters; the VLAN's membership is the bridge's affair.
func (a *VLANAware) Detach(port string, vni dataplane.VNI) error {
	if err := a.Unset(port, vni); err != nil {
		return err
	}
	if t := a.trunks[port]; t != nil {
		delete(t.vnis, vni)
	}
	return nil
}

// Forget removes a VLAN's filters from a trunk: no VN has that VLAN any more.
func (a *VLANAware) Forget(port string, vlan uint16) error {
	t, _, err := a.trunk(port)
	if err == nil && t != nil {
		err = t.leaveVLAN(vlan)
	}
	if err != nil {
		delete(a.trunks, port)
		return fmt.Errorf("forget VLAN %d on %s: %w", vlan, port, err)
	}
	return nil
}

// Leave removes all filters from a trunk that is none any more.
func (a *VLANAware) Leave(port string) error {
	t, _, err := a.trunk(port)
	defer delete(a.trunks, port)
	if err == nil && t != nil {
		for vlan := range maps.Clone(t.out) {
			err = errors.Join(err, t.leaveVLAN(vlan))
		}
		if t.closed {
			err = errors.Join(err, t.open())
		}
	}
	if err != nil {
		return fmt.Errorf("leave %s: %w", port, err)
	}
	return nil
}

func (t *awareTrunk) leaveVLAN(vlan uint16) error {
	if _, there := t.out[vlan]; !there {
		return nil
	}
	if err := t.translate(vlan, dataplane.VIDs{}); err != nil {
		return err
	}
	return t.forget(vlan)
}

// List reads the filters of the trunks again.
func (a *VLANAware) List() ([]Attachment, error) {
	var all []Attachment
	for port := range a.trunks {
		t, _, err := a.trunk(port)
		if err != nil {
			return nil, err
		}
		if t == nil {
			continue
		}
		if err := t.read(); err != nil {
			return nil, err
		}
		for vni := range t.vnis {
			all = append(all, Attachment{Port: port, VNI: vni, Device: port, VIDs: t.vids(a.vlans[vni])})
		}
	}
	return all, nil
}

// Drops reads the counts of the trunks.
func (a *VLANAware) Drops() (map[string]uint64, error) { return dropsOn(a.trunks) }
