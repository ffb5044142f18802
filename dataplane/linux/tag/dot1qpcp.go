package tag

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/dataplane"
)

// SetPCP has frames from a MAC to the port bear this PCP, whatever their priority; 0 gives the MAC back to its priority. It is a filter of the VN's device that sets the priority,
// which the device makes the PCP of its tag.
func (d *Dot1Q) SetPCP(port string, vni dataplane.VNI, mac dataplane.MAC, pcp uint8) error {
	if err := d.setPCP(port, vni, mac, pcp); err != nil {
		return fmt.Errorf("set PCP %d of %v in VN %d on %s: %w", pcp, mac, vni, port, err)
	}
	return nil
}

func (d *Dot1Q) setPCP(port string, vni dataplane.VNI, mac dataplane.MAC, pcp uint8) error {
	t, err := d.find(port)
	if err != nil {
		return err
	}
	if t == nil || t.inner(vni) == 0 {
		return errors.New("it is not attached")
	}
	link, err := d.links.LinkByName(t.devices[t.inner(vni)].name)
	if err != nil {
		return err
	}
	have, err := listFilters(d.links, link, netlink.HANDLE_MIN_EGRESS)
	if err != nil {
		return err
	}
	want := &netlink.Flower{
		FilterAttrs: netlink.FilterAttrs{LinkIndex: link.Attrs().Index, Parent: netlink.HANDLE_MIN_EGRESS, Protocol: unix.ETH_P_ALL, Priority: sendPriority},
		SrcMac:      mac[:],
		Actions:     []netlink.Action{prioritized(uint32(pcp & 7))},
	}
	for _, f := range have {
		h, ok := f.(*netlink.Flower)
		if !ok || h.Priority != sendPriority || !bytes.Equal(h.SrcMac, mac[:]) {
			continue
		}
		want.Handle = h.Handle
		if pcp == 0 {
			if err := d.links.FilterDel(want); err != nil && !errors.Is(err, unix.ENOENT) {
				return err
			}
			return nil
		}
		if len(h.Actions) == 1 {
			if a, ok := h.Actions[0].(*netlink.SkbEditAction); ok && a.Priority != nil && *a.Priority == uint32(pcp&7) {
				return nil
			}
		}
		return noModule(d.links.FilterReplace(want))
	}
	if pcp == 0 {
		return nil
	}
	if err := addClsact(d.links, link); err != nil {
		return err
	}
	return noModule(d.links.FilterAdd(want))
}

// prioritized is the action that gives a frame a priority.
func prioritized(priority uint32) netlink.Action {
	a := netlink.NewSkbEditAction()
	a.Action, a.Priority = netlink.TC_ACT_OK, &priority
	return a
}

// noModule says what the kernel lacks, if that is what an error means.
func noModule(err error) error {
	if errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("the kernel has not both of cls_flower and act_skbedit: %w", err)
	}
	return err
}
