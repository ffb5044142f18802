package tag

import (
	"errors"
	"fmt"
	"net"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/dataplane"
)

// Dot1Q is the Tagger of dataplane.Dot1Q: a VLAN device of the kernel per port and VN is in the VN's bridge, and two filters at the trunk say which VIDs on
// the link are its own.
//
//	            trunk: flower, act_vlan              VLAN device of VID 4094, in the VN's bridge
//	in   VIDs 100 and 101 become 4094 ─────────►                        tag off; priority = PCP
//	out  VID 4094 becomes 100         ◄─────────                        tag on; PCP = priority
//
// The device's own VID never shows on the link and never changes, since the kernel cannot change it: a device for each VID would have to be another port of
// the bridge, and a locked port lets no frame through whose source is known on another one. So a change of the VID is one filter replaced, and no frame meets a
// moment without.
//
// A VLAN device that somebody else has on the trunk goes on with its VID, which no VN can have. All other frames, those without a tag too, are dropped.
type Dot1Q struct {
	links  *netlink.Handle
	trunks map[string]*vlans // by name
}

var _ Tagger = (*Dot1Q)(nil)

// vlans is what is known of a trunk: its filters, and whose VLAN devices are there.
type vlans struct {
	*vidFilters
	devices map[uint16]vlanDevice // by their own VID
}

// vlanDevice is a VLAN device on a trunk.
type vlanDevice struct {
	name string
	vni  dataplane.VNI // 0: it is not ours
}

// NewDot1Q works through a netlink socket of the namespace to work in. It changes nothing.
func NewDot1Q(links *netlink.Handle) *Dot1Q {
	return &Dot1Q{links: links, trunks: map[string]*vlans{}}
}

// Close has nothing to let go of.
func (d *Dot1Q) Close() { clear(d.trunks) }

// dot1qAlias is the alias of a VLAN device of ours: "tns dot1q 10100 on eth1".
const dot1qAlias = "tns dot1q %d on %s"

// read learns what the kernel has on all trunks.
func (d *Dot1Q) read() error {
	links, err := listLinks(d.links)
	if err != nil {
		return err
	}
	trunks := make(map[string]*vlans)
	names := make(map[int]string)
	for _, l := range links {
		names[l.Attrs().Index] = l.Attrs().Name
	}
	for _, l := range links {
		v, ok := l.(*netlink.Vlan)
		if !ok || v.VlanProtocol != netlink.VLAN_PROTOCOL_8021Q {
			continue
		}
		port := names[v.ParentIndex]
		t := trunks[port]
		if t == nil {
			t = &vlans{&vidFilters{links: d.links, port: port, index: v.ParentIndex}, map[uint16]vlanDevice{}}
			trunks[port] = t
		}
		device := vlanDevice{name: v.Name}
		if vni, on, ours := parseAlias(l, dot1qAlias); ours && on == port {
			device.vni = vni
		}
		t.devices[uint16(v.VlanId)] = device
	}
	for _, t := range trunks {
		if err := t.read(); err != nil {
			return err
		}
	}
	d.trunks = trunks
	return nil
}

// inner is the VID of the VN's own device on the trunk, or 0.
func (t *vlans) inner(vni dataplane.VNI) uint16 {
	for vid, d := range t.devices {
		if d.vni == vni {
			return vid
		}
	}
	return 0
}

// find is a trunk whose device is still the one that was read; nil: there is none, or no VN on it.
func (d *Dot1Q) find(port string) (*vlans, error) {
	link, err := d.links.LinkByName(port)
	if _, gone := errors.AsType[netlink.LinkNotFoundError](err); gone {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if t := d.trunks[port]; t != nil && t.index == link.Attrs().Index {
		return t, nil
	}
	if err := d.read(); err != nil {
		return nil, err
	}
	return d.trunks[port], nil
}

// Attach makes the device and its filters, or what of them is missing.
func (d *Dot1Q) Attach(port string, vni dataplane.VNI) (string, error) {
	name := Device(port, vni)
	if err := d.attach(port, vni, name); err != nil {
		delete(d.trunks, port)
		return name, fmt.Errorf("have VN %d on %s by %s: %w", vni, port, name, err)
	}
	return name, nil
}

func (d *Dot1Q) attach(port string, vni dataplane.VNI, name string) error {
	link, err := d.links.LinkByName(port)
	if err != nil {
		return err
	}
	if link.Attrs().MasterIndex != 0 {
		return fmt.Errorf("%s is in a bridge, a trunk must be in none", port)
	}
	if link.Attrs().Flags&net.FlagUp == 0 {
		if err := d.links.LinkSetUp(link); err != nil {
			return fmt.Errorf("set %s up: %w", port, err)
		}
	}
	t, err := d.find(port)
	if err != nil {
		return err
	}
	if t == nil {
		t = &vlans{&vidFilters{links: d.links, port: port, index: link.Attrs().Index}, map[uint16]vlanDevice{}}
		if err := t.read(); err != nil {
			return err
		}
		d.trunks[port] = t
	}
	if err := t.close(); err != nil {
		return err
	}
	for vid, v := range t.devices {
		if v.vni == 0 {
			if err := t.leave(vid); err != nil {
				return err
			}
		}
	}
	inner := t.inner(vni)
	if there, err := d.links.LinkByName(name); err == nil {
		if on, _, ours := parseAlias(there, dot1qAlias); !ours || on != vni || inner == 0 {
			return fmt.Errorf("device %s is there already, and its alias is %q, %q is needed", name, there.Attrs().Alias, fmt.Sprintf(dot1qAlias, vni, port))
		}
	} else if _, gone := errors.AsType[netlink.LinkNotFoundError](err); !gone {
		return err
	}
	if inner != 0 {
		if _, there := t.out[inner]; !there {
			return t.send(inner, 0)
		}
		return nil
	}
	for inner = 4094; inner > 0; inner-- {
		if _, taken := t.devices[inner]; !taken {
			break
		}
	}
	if inner == 0 {
		return errors.New("it has 4094 VLAN devices already, a port can have no more")
	}
	if err := t.send(inner, 0); err != nil {
		return err
	}
	if err := d.makeDevice(link, name, vni, inner); err != nil {
		return err
	}
	t.devices[inner] = vlanDevice{name, vni}
	return nil
}

// makeDevice makes a VLAN device without an IPv6 address, with all that this makes the kernel send.
func (d *Dot1Q) makeDevice(trunk netlink.Link, name string, vni dataplane.VNI, inner uint16) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.ParentIndex = name, trunk.Attrs().Index
	same := make(map[uint32]uint32)
	for p := range uint32(8) {
		same[p] = p
	}
	device := &netlink.Vlan{LinkAttrs: attrs, VlanId: int(inner), VlanProtocol: netlink.VLAN_PROTOCOL_8021Q, IngressQosMap: same, EgressQosMap: same}
	if err := d.links.LinkAdd(device); err != nil {
		return fmt.Errorf("make a VLAN device: %w", err)
	}
	made, err := d.links.LinkByName(name)
	if err != nil {
		return err
	}
	const none = 1 // IN6_ADDR_GEN_MODE_NONE
	if err := d.links.LinkSetIP6AddrGenMode(made, none); err != nil && !errors.Is(err, unix.EAFNOSUPPORT) {
		return fmt.Errorf("set its addrgenmode to none: %w", err)
	}
	if err := d.links.LinkSetAlias(made, fmt.Sprintf(dot1qAlias, vni, trunk.Attrs().Name)); err != nil {
		return fmt.Errorf("set its alias: %w", err)
	}
	return addClsact(d.links, made) // while nothing goes through it
}

// Set changes the filters: what is taken in is added first, then what is sent changes, then what is not taken in any more goes.
func (d *Dot1Q) Set(port string, vni dataplane.VNI, vids dataplane.VIDs) error {
	t, err := d.find(port)
	if err == nil && (t == nil || t.inner(vni) == 0) {
		err = errors.New("it is not attached")
	}
	if err == nil {
		err = t.set(t.inner(vni), vids)
	}
	if err != nil {
		delete(d.trunks, port)
		return fmt.Errorf("set VID %v of VN %d on %s: %w", vids, vni, port, err)
	}
	return nil
}

func (t *vlans) set(inner uint16, vids dataplane.VIDs) error {
	for _, vid := range []uint16{vids.Send, vids.Also} {
		if vid == 0 {
			continue
		}
		if v, there := t.devices[vid]; there && v.vni == 0 {
			return fmt.Errorf("VID %d is that of %s, which is not ours", vid, v.name)
		}
		if other := t.in[vid]; other != 0 && other != inner {
			return fmt.Errorf("VID %d is VN %d's there", vid, t.devices[other].vni)
		}
	}
	return t.translate(inner, vids)
}

// Unset takes all VIDs away.
func (d *Dot1Q) Unset(port string, vni dataplane.VNI) error {
	t, err := d.find(port)
	if err == nil && t != nil && t.inner(vni) != 0 {
		err = t.translate(t.inner(vni), dataplane.VIDs{})
	}
	if err != nil {
		delete(d.trunks, port)
		return fmt.Errorf("take away the VIDs of VN %d on %s: %w", vni, port, err)
	}
	return nil
}

// Detach removes the device, and after the last one of a trunk the filters that were for all.
func (d *Dot1Q) Detach(port string, vni dataplane.VNI) error {
	if err := d.Unset(port, vni); err != nil {
		return err
	}
	t, err := d.find(port)
	if err != nil || t == nil {
		return err
	}
	inner := t.inner(vni)
	if inner == 0 {
		return nil
	}
	defer delete(d.trunks, port)
	link, err := d.links.LinkByName(t.devices[inner].name)
	if err == nil {
		err = d.links.LinkDel(link)
	}
	if err == nil {
		delete(t.devices, inner)
		err = t.forget(inner)
	}
	last := true
	for _, v := range t.devices {
		last = last && v.vni == 0
	}
	if err == nil && last {
		err = t.open()
	}
	if err != nil {
		return fmt.Errorf("take VN %d from %s: %w", vni, port, err)
	}
	return nil
}

// List reads all trunks.
func (d *Dot1Q) List() ([]Attachment, error) {
	if err := d.read(); err != nil {
		return nil, err
	}
	var all []Attachment
	for port, t := range d.trunks {
		for inner, v := range t.devices {
			if v.vni != 0 {
				all = append(all, Attachment{Port: port, VNI: v.vni, Device: v.name, VIDs: t.vids(inner)})
			}
		}
	}
	return all, nil
}

// Drops reads the counts of the trunks that VNs are on.
func (d *Dot1Q) Drops() (map[string]uint64, error) { return dropsOn(d.trunks) }
