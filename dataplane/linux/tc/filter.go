package tc

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// hook is where a program is attached to a device.
type hook struct {
	parent   uint32
	priority uint16 // those of package tag come before and behind
	name     string // of the filter; it changes with the program
}

var (
	in  = hook{netlink.HANDLE_MIN_INGRESS, 0x4000, "tns_limit_in.1"}
	out = hook{netlink.HANDLE_MIN_EGRESS, 0x4000, "tns_limit_out.1"}
)

const filterHandle = 1

// clsact makes the place for programs, if it is not there.
func clsact(links *netlink.Handle, link netlink.Link) error {
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
func attach(links *netlink.Handle, link netlink.Link, h hook, p *ebpf.Program) error {
	filter := &netlink.BpfFilter{
		FilterAttrs: netlink.FilterAttrs{
			LinkIndex: link.Attrs().Index, Parent: h.parent, Handle: filterHandle, Protocol: unix.ETH_P_ALL, Priority: h.priority,
		},
		Fd: p.FD(), Name: h.name, DirectAction: true,
	}
	if err := links.FilterReplace(filter); err != nil {
		return fmt.Errorf("attach %s to %s: %w", h.name, link.Attrs().Name, err)
	}
	return nil
}

// detach removes our filter from a hook; that there is none is success.
func detach(links *netlink.Handle, link netlink.Link, h hook) error {
	f, err := attached(links, link, h)
	if f == nil {
		return err
	}
	if err := links.FilterDel(f); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("detach %s from %s: %w", h.name, link.Attrs().Name, err)
	}
	return nil
}

// attached is the filter of ours at a hook; nil: there is none.
func attached(links *netlink.Handle, link netlink.Link, h hook) (*netlink.BpfFilter, error) {
	filters, err := links.FilterList(link, h.parent)
	if err != nil {
		return nil, fmt.Errorf("list the filters of %s: %w", link.Attrs().Name, err)
	}
	for _, f := range filters {
		if b, ok := f.(*netlink.BpfFilter); ok && b.Priority == h.priority && b.Name == h.name {
			return b, nil
		}
	}
	return nil, nil
}

// mapOf opens the map of a filter's program.
func mapOf(f *netlink.BpfFilter, name string) (*ebpf.Map, error) {
	p, err := ebpf.NewProgramFromID(ebpf.ProgramID(f.Id))
	if err != nil {
		return nil, fmt.Errorf("open program %d: %w", f.Id, err)
	}
	defer p.Close()
	info, err := p.Info()
	if err != nil {
		return nil, fmt.Errorf("read program %d: %w", f.Id, err)
	}
	ids, _ := info.MapIDs()
	for _, id := range ids {
		m, err := ebpf.NewMapFromID(id)
		if err != nil {
			return nil, fmt.Errorf("open map %d: %w", id, err)
		}
		if info, err := m.Info(); err == nil && info.Name == name {
			return m, nil
		}
		m.Close()
	}
	return nil, fmt.Errorf("program %d has no map %s", f.Id, name)
}
