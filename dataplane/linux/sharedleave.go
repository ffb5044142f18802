package linux

import (
	"context"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/dataplane/linux/tag"
)

// leaveShared takes away, from the devices that networks of VLAN-aware ports share, what is of networks that are none any more, and forgets their VLANs in what is given. That a
// VLAN is ours is told by its device, which goes last: what could not be done is done the next time.
func (k *Kernel) leaveShared(ctx context.Context, inv inventory, all []*network, bridge, vxlan int, vlans map[int]map[uint16]vlanState) error {
	wanted := make(map[dataplane.VNI]bool)
	for _, n := range all {
		wanted[n.VNI] = true
	}
	var errs []error
	for vid, s := range vlans[vxlan] {
		vni := dataplane.VNI(s.tunnel)
		device, ours := inv.links[sharedDevice(vni)].(*netlink.Vlan)
		if s.tunnel == 0 || wanted[vni] || !ours || device.ParentIndex != bridge || device.VlanId != int(vid) {
			continue
		}
		if err := k.leaveVLAN(ctx, inv, vni, vid, bridge, vxlan, vlans); err != nil {
			errs = append(errs, fmt.Errorf("VNI %d: take VLAN %d from %s: %w", vni, vid, inv.name(bridge), err))
			continue
		}
		if err := k.links.LinkDel(device); err != nil && !errors.Is(err, unix.ENODEV) {
			errs = append(errs, fmt.Errorf("remove %s: %w", device.Name, err))
			continue
		}
		for index := range vlans {
			delete(vlans[index], vid)
		}
	}
	return errors.Join(errs...)
}

// leaveVLAN takes a VLAN from the ports of a bridge: from the trunks first, whose filters name it.
func (k *Kernel) leaveVLAN(ctx context.Context, inv inventory, vni dataplane.VNI, vid uint16, bridge, vxlan int, vlans map[int]map[uint16]vlanState) error {
	trunks := k.taggers[dataplane.VLANAware].(*tag.VLANAware)
	var messages []message
	for _, l := range inv.links {
		if _, member := vlans[l.Attrs().Index][vid]; !member || l.Attrs().MasterIndex != bridge {
			continue
		}
		if l.Attrs().Index != vxlan {
			if err := trunks.Forget(l.Attrs().Name, vid); err != nil {
				return err
			}
		}
		messages = append(messages, withoutVLAN(l.Attrs().Index, vid))
	}
	for _, r := range k.conn.do(ctx, append(messages, withoutVNI(vxlan, vni))) {
		if r.err != nil && !errors.Is(r.err, unix.ENOENT) {
			return r.err
		}
	}
	return nil
}
