package tag

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/dataplane"
)

// vidFilters are the filters of tc at a trunk that translate between the VIDs on the link and inner ones, which are the kernel's own affair.
//
//	ingress  pref 1      handle = VID on the link   becomes the inner VID, or goes on as it is
//	         pref 2      all else                   is dropped and counted
//	egress   pref 49152  handle = inner VID         becomes the VID to send, or is dropped
//
// Replacing a filter under its handle is one step for frames.
type vidFilters struct {
	links *netlink.Handle
	port  string
	index int

	in     map[uint16]uint16 // VIDs on the link that are taken, with their inner VIDs; 0: it goes on as it is
	out    map[uint16]uint16 // inner VIDs with what is sent; 0: nothing
	closed bool              // all else is dropped
}

const (
	translatePriority = 1
	closePriority     = 2
	sendPriority      = 0xc000
	closeHandle       = 1

	vlanModify netlink.VlanAct = 3 // TCA_VLAN_ACT_MODIFY
)

// read learns what filters there are.
func (f *vidFilters) read() error {
	f.in, f.out, f.closed = map[uint16]uint16{}, map[uint16]uint16{}, false
	for _, parent := range []uint32{netlink.HANDLE_MIN_INGRESS, netlink.HANDLE_MIN_EGRESS} {
		filters, err := f.list(parent)
		if err != nil {
			return err
		}
		for _, filter := range filters {
			switch filter := filter.(type) {
			case *netlink.MatchAll:
				f.closed = f.closed || parent == netlink.HANDLE_MIN_INGRESS && filter.Priority == closePriority
			case *netlink.Flower:
				if filter.Handle != uint32(filter.VlanId) || len(filter.Actions) != 1 {
					continue
				}
				var to uint16
				if v, ok := filter.Actions[0].(*netlink.VlanAction); ok && v.Action == vlanModify {
					to = v.VlanID
				}
				switch {
				case parent == netlink.HANDLE_MIN_INGRESS && filter.Priority == translatePriority:
					f.in[filter.VlanId] = to
				case parent == netlink.HANDLE_MIN_EGRESS && filter.Priority == sendPriority:
					f.out[filter.VlanId] = to
				}
			}
		}
	}
	return nil
}

func (f *vidFilters) list(parent uint32) (all []netlink.Filter, err error) {
	return listFilters(f.links, f.device(), parent)
}

func (f *vidFilters) device() netlink.Link {
	return &netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Index: f.index, Name: f.port}}
}

// listFilters is the filters of a device in a direction, listed again when they changed meanwhile.
func listFilters(links *netlink.Handle, link netlink.Link, parent uint32) (all []netlink.Filter, err error) {
	for range 5 {
		if all, err = links.FilterList(link, parent); !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
	}
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
		return nil, nil // there is no clsact yet
	}
	if err != nil {
		return nil, fmt.Errorf("list the filters of %s: %w", link.Attrs().Name, err)
	}
	return all, nil
}

// close drops all frames from the link that no other filter is for.
func (f *vidFilters) close() error {
	if f.closed {
		return nil
	}
	if err := addClsact(f.links, f.device()); err != nil {
		return err
	}
	if err := f.replace(f.all()); err != nil {
		return fmt.Errorf("drop the frames of no VN on %s: %w", f.port, err)
	}
	f.closed = true
	return nil
}

// replace makes a filter, or puts it in the place of that with its handle.
func (f *vidFilters) replace(filter netlink.Filter) error {
	err := f.links.FilterReplace(filter)
	if errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("the kernel has not all of cls_matchall, cls_flower, act_vlan and act_gact: %w", err)
	}
	return err
}

// all is the filter that drops what no other is for.
func (f *vidFilters) all() *netlink.MatchAll {
	return &netlink.MatchAll{
		FilterAttrs: netlink.FilterAttrs{
			LinkIndex: f.index, Parent: netlink.HANDLE_MIN_INGRESS, Handle: closeHandle, Protocol: unix.ETH_P_ALL, Priority: closePriority,
		},
		Actions: []netlink.Action{ends(netlink.TC_ACT_SHOT)},
	}
}

// ends is the action that decides on a frame.
func ends(v netlink.TcAct) netlink.Action {
	return &netlink.GenericAction{ActionAttrs: netlink.ActionAttrs{Action: v}}
}

// becomes is the action that changes a frame's VID and leaves its PCP.
func becomes(vid uint16) netlink.Action {
	return &netlink.VlanAction{ActionAttrs: netlink.ActionAttrs{Action: netlink.TC_ACT_OK}, Action: vlanModify, VlanID: vid}
}

// vid is the filter for a VID in one direction.
func (f *vidFilters) vid(parent uint32, vid uint16, action netlink.Action) *netlink.Flower {
	priority := uint16(translatePriority)
	if parent == netlink.HANDLE_MIN_EGRESS {
		priority = sendPriority
	}
	return &netlink.Flower{
		FilterAttrs: netlink.FilterAttrs{LinkIndex: f.index, Parent: parent, Handle: uint32(vid), Protocol: unix.ETH_P_8021Q, Priority: priority},
		EthType:     unix.ETH_P_8021Q,
		VlanId:      vid,
		Actions:     []netlink.Action{action},
	}
}

// leave lets frames with a VID go on as they are, unless a VN has it.
func (f *vidFilters) leave(vid uint16) error {
	if _, there := f.in[vid]; there {
		return nil
	}
	if err := f.replace(f.vid(netlink.HANDLE_MIN_INGRESS, vid, ends(netlink.TC_ACT_OK))); err != nil {
		return fmt.Errorf("let VID %d pass on %s: %w", vid, f.port, err)
	}
	f.in[vid] = 0
	return nil
}

// take has a VID on the link be an inner one.
func (f *vidFilters) take(vid, inner uint16) error {
	if f.in[vid] == inner {
		return nil
	}
	if err := f.replace(f.vid(netlink.HANDLE_MIN_INGRESS, vid, becomes(inner))); err != nil {
		return fmt.Errorf("take VID %d on %s: %w", vid, f.port, err)
	}
	f.in[vid] = inner
	return nil
}

// send has an inner VID be one on the link; 0: it is dropped.
func (f *vidFilters) send(inner, vid uint16) error {
	if now, there := f.out[inner]; there && now == vid {
		return nil
	}
	action := ends(netlink.TC_ACT_SHOT)
	if vid != 0 {
		action = becomes(vid)
	}
	if err := f.replace(f.vid(netlink.HANDLE_MIN_EGRESS, inner, action)); err != nil {
		return fmt.Errorf("send VID %d on %s: %w", vid, f.port, err)
	}
	f.out[inner] = vid
	return nil
}

// translate makes these the VIDs on the link of an inner one.
func (f *vidFilters) translate(inner uint16, vids dataplane.VIDs) error {
	for _, vid := range []uint16{vids.Send, vids.Also} {
		if vid != 0 {
			if err := f.take(vid, inner); err != nil {
				return err
			}
		}
	}
	if err := f.send(inner, vids.Send); err != nil {
		return err
	}
	for vid, to := range f.in {
		if to == inner && !vids.Has(vid) {
			if err := f.remove(netlink.HANDLE_MIN_INGRESS, vid); err != nil {
				return err
			}
			delete(f.in, vid)
		}
	}
	return nil
}

// forget removes the filter of an inner VID that nobody sends any more.
func (f *vidFilters) forget(inner uint16) error {
	if err := f.remove(netlink.HANDLE_MIN_EGRESS, inner); err != nil {
		return err
	}
	delete(f.out, inner)
	return nil
}

func (f *vidFilters) remove(parent uint32, vid uint16) error {
	err := f.links.FilterDel(f.vid(parent, vid, ends(netlink.TC_ACT_OK)))
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("remove the filter of VID %d on %s: %w", vid, f.port, err)
	}
	return nil
}

// open undoes close, and removes what leave made.
func (f *vidFilters) open() error {
	for vid, to := range f.in {
		if to == 0 {
			if err := f.remove(netlink.HANDLE_MIN_INGRESS, vid); err != nil {
				return err
			}
			delete(f.in, vid)
		}
	}
	if err := f.links.FilterDel(f.all()); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("open %s again: %w", f.port, err)
	}
	f.closed = false
	return nil
}

// vids is the VIDs on the link of an inner one. What nobody asked for is told by a VID to send of 0.
func (f *vidFilters) vids(inner uint16) dataplane.VIDs {
	v := dataplane.VIDs{Send: f.out[inner]}
	taken := 0
	for vid, to := range f.in {
		if to != inner {
			continue
		}
		taken++
		if vid != v.Send {
			v.Also = vid
		}
	}
	expected := 0
	for _, vid := range []uint16{v.Send, v.Also} {
		if vid != 0 {
			expected++
		}
	}
	if taken != expected {
		v.Send = 0
	}
	return v
}

// drops is the frames that were dropped, if any are.
func (f *vidFilters) drops() (n uint64, closed bool, err error) {
	filters, err := f.list(netlink.HANDLE_MIN_INGRESS)
	if err != nil {
		return 0, false, err
	}
	for _, filter := range filters {
		m, ok := filter.(*netlink.MatchAll)
		if !ok || m.Priority != closePriority || len(m.Actions) != 1 {
			continue
		}
		if s := m.Actions[0].Attrs().Statistics; s != nil && s.Basic != nil {
			n += uint64(s.Basic.Packets)
		}
		closed = true
	}
	return n, closed, nil
}

// dropsOn is what trunks dropped, by port, as far as they drop: one that no VN is on does not.
func dropsOn[T interface {
	drops() (n uint64, closed bool, err error)
}](trunks map[string]T) (map[string]uint64, error) {
	drops := make(map[string]uint64)
	for port, t := range trunks {
		n, closed, err := t.drops()
		if err != nil {
			return nil, fmt.Errorf("count the drops on %s: %w", port, err)
		}
		if closed {
			drops[port] = n
		}
	}
	return drops, nil
}
