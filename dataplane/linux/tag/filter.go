package tag

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A hook is where a program is attached to a device: by a filter of tc's clsact, which stays for as long as the device does, and keeps its program and the maps
// of that. What takes a tag off comes before all other filters of the device, what puts one on behind them.
type hook struct {
	parent   uint32
	priority uint16
	name     string // of the filter; it changes with the program
}

var (
	trunkIn = hook{netlink.HANDLE_MIN_INGRESS, 1, "tns_trunk.1"}
	portIn  = hook{netlink.HANDLE_MIN_INGRESS, 1, "tns_pop.1"}
	portOut = hook{netlink.HANDLE_MIN_EGRESS, 0xc000, "tns_push.1"}
	leave   = hook{netlink.HANDLE_MIN_INGRESS, 1, "tns_leave.1"}
)

const filterHandle = 1

// addClsact makes the place for filters, if it is not there.
func addClsact(links *netlink.Handle, link netlink.Link) error {
	qdisc := &netlink.GenericQdisc{
		QdiscAttrs: netlink.QdiscAttrs{LinkIndex: link.Attrs().Index, Handle: netlink.MakeHandle(0xffff, 0), Parent: netlink.HANDLE_CLSACT},
		QdiscType:  "clsact",
	}
	if err := links.QdiscAdd(qdisc); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("add clsact to %s: %w", link.Attrs().Name, err)
	}
	return nil
}

// attach puts a program at a hook, in the place of one that is there.
func (e *EBPF) attach(link netlink.Link, h hook, p *ebpf.Program) error {
	if err := addClsact(e.links, link); err != nil {
		return err
	}
	filter := &netlink.BpfFilter{
		FilterAttrs: netlink.FilterAttrs{
			LinkIndex: link.Attrs().Index, Parent: h.parent, Handle: filterHandle, Protocol: unix.ETH_P_ALL, Priority: h.priority,
		},
		Fd: p.FD(), Name: h.name, DirectAction: true,
	}
	if err := e.links.FilterReplace(filter); err != nil {
		return fmt.Errorf("attach %s to %s: %w", h.name, link.Attrs().Name, err)
	}
	return nil
}

// attached is the filter at a hook; nil: there is none of ours.
func (e *EBPF) attached(link netlink.Link, h hook) (*netlink.BpfFilter, error) {
	filters, err := e.links.FilterList(link, h.parent)
	if err != nil {
		return nil, fmt.Errorf("list the filters of %s: %w", link.Attrs().Name, err)
	}
	for _, f := range filters {
		b, ok := f.(*netlink.BpfFilter)
		if ok && b.Priority == h.priority && b.Name == h.name {
			return b, nil
		}
	}
	return nil, nil
}

// maps opens the maps of the program at a hook, by name. None where there is no such program.
func (e *EBPF) maps(link netlink.Link, h hook) (map[string]*ebpf.Map, error) {
	f, err := e.attached(link, h)
	if f == nil {
		return nil, err
	}
	p, err := ebpf.NewProgramFromID(ebpf.ProgramID(f.Id))
	if err != nil {
		return nil, fmt.Errorf("open program %d of %s: %w", f.Id, link.Attrs().Name, err)
	}
	defer p.Close()
	info, err := p.Info()
	if err != nil {
		return nil, fmt.Errorf("read program %d of %s: %w", f.Id, link.Attrs().Name, err)
	}
	ids, _ := info.MapIDs()
	all := make(map[string]*ebpf.Map, len(ids))
	for _, id := range ids {
		m, err := ebpf.NewMapFromID(id)
		if err != nil {
			closeMaps(all)
			return nil, fmt.Errorf("open map %d of %s: %w", id, link.Attrs().Name, err)
		}
		info, err := m.Info()
		if err != nil {
			m.Close()
			closeMaps(all)
			return nil, fmt.Errorf("read map %d of %s: %w", id, link.Attrs().Name, err)
		}
		all[info.Name] = m
	}
	return all, nil
}

func closeMaps(all map[string]*ebpf.Map) {
	for _, m := range all {
		m.Close()
	}
}

// detach removes our filter from a hook; that there is none is success.
func (e *EBPF) detach(link netlink.Link, h hook) error {
	f, err := e.attached(link, h)
	if f == nil {
		return err
	}
	if err := e.links.FilterDel(f); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("detach %s from %s: %w", h.name, link.Attrs().Name, err)
	}
	return nil
}
