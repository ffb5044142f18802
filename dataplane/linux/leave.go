package linux

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/dataplane/linux/tag"
)

// madeHere is the alias of the devices that we made: no others are ever removed. `ip link` shows it.
const madeHere = "made by nved"

// Leave takes away what networks that were there before have left behind and none of the next has a use for: bridges and VXLAN devices that we made, and our
// ports' place in bridges. It comes before Ensure of the next, so that ports can move and devices be renamed. Bridges in which others have put devices stay.
func (k *Kernel) Leave(ctx context.Context, before, next []dataplane.Network) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	inv, err := k.inventory(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, b := range before {
		for _, p := range b.Ports {
			if device := standsFor(p, b.VNI); !slices.ContainsFunc(next, func(n dataplane.Network) bool {
				return follows(n, b) && n.Bridge == b.Bridge && slices.ContainsFunc(n.Ports, func(q dataplane.MemberPort) bool { return standsFor(q, n.VNI) == device })
			}) {
				errs = append(errs, k.release(inv, device, b.Bridge), k.leaveRates(inv, device, p, next))
			}
		}
		if !slices.ContainsFunc(next, func(n dataplane.Network) bool { return follows(n, b) && n.VXLAN == b.VXLAN }) {
			errs = append(errs, k.remove(inv, b.VXLAN))
		}
		if !slices.ContainsFunc(next, func(n dataplane.Network) bool { return follows(n, b) && n.Bridge == b.Bridge }) && !inv.shared(b, before) {
			errs = append(errs, k.remove(inv, b.Bridge))
		}
	}
	return errors.Join(errs...)
}

// follows reports whether a network goes on with the devices of one before: its own, or those that all networks of VLAN-aware ports share.
func follows(n, before dataplane.Network) bool {
	return n.VNI == before.VNI || n.VLANAware() && before.VLANAware()
}

// leaveRates takes away what is at a bridge port that is none any more: the limits of VMs; and from its member port, if that goes as well, guarantees and filters.
func (k *Kernel) leaveRates(inv inventory, device string, p dataplane.MemberPort, next []dataplane.Network) error {
	var errs []error
	if inv.links[device] != nil {
		errs = append(errs, k.limiter.Leave(device))
	}
	stays := slices.ContainsFunc(next, func(n dataplane.Network) bool { _, member := n.Port(p.Name); return member })
	if inv.links[p.Name] == nil {
		return errors.Join(errs...)
	}
	if !stays {
		errs = append(errs, k.shaper.Set(p.Name, 0, nil))
	}
	if p.Mode == dataplane.VLANAware {
		errs = append(errs, k.taggers[dataplane.VLANAware].(*tag.VLANAware).Leave(p.Name))
	}
	return errors.Join(errs...)
}

// standsFor names the bridge port that a member port is in a VN.
func standsFor(p dataplane.MemberPort, vni dataplane.VNI) string {
	if p.Mode == dataplane.Access || p.Mode == dataplane.VLANAware {
		return p.Name
	}
	return tag.Device(p.Name, vni)
}

// release takes a port out of a bridge, if it is in it.
func (k *Kernel) release(inv inventory, port, bridge string) error {
	link, b := inv.links[port], inv.links[bridge]
	if link == nil || b == nil || link.Attrs().MasterIndex != b.Attrs().Index {
		return nil
	}
	if err := k.links.LinkSetNoMaster(link); err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("take %s out of %s: %w", port, bridge, err)
	}
	return nil
}

// remove removes a device that we made.
func (k *Kernel) remove(inv inventory, name string) error {
	link := inv.links[name]
	if link == nil || link.Attrs().Alias != madeHere {
		return nil
	}
	if err := k.links.LinkDel(link); err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	k.log.WithField("device", name).Info("no VN needs the device any more; it is removed")
	return nil
}

// shared reports whether somebody else has put a device into the network's bridge, which others of ours may be in.
func (inv inventory) shared(n dataplane.Network, ours []dataplane.Network) bool {
	bridge := inv.links[n.Bridge]
	if bridge == nil {
		return false
	}
	known := make(map[string]bool)
	for _, o := range ours {
		if o.Bridge != n.Bridge {
			continue
		}
		known[o.VXLAN] = true
		for _, p := range o.Ports {
			known[standsFor(p, o.VNI)] = true
		}
	}
	for name, l := range inv.links {
		if l.Attrs().MasterIndex == bridge.Attrs().Index && !known[name] && l.Attrs().Alias != madeHere {
			return true
		}
	}
	return false
}

// mark marks a device as made by us.
func (k *Kernel) mark(link netlink.Link) error {
	if err := k.links.LinkSetAlias(link, madeHere); err != nil {
		return fmt.Errorf("set %s's alias: %w", link.Attrs().Name, err)
	}
	return nil
}
