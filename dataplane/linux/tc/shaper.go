package tc

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/rlimit"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Shaper keeps guaranteed bandwidth on ports: an HTB whose root is as wide as the port, with a class per VM that has a guarantee and one for everything
// else. Each may take what others leave. Its methods are idempotent; the caller keeps them from running at the same time.
type Shaper struct {
	links *netlink.Handle
	mark  uint32 // the upper half of marks that name classes
}

const (
	// major is the number of our HTB, by which it is known.
	major = 0x74c0

	rootClass    = 1
	defaultClass = 0xffff

	// FirstClass and LastClass are the numbers that VMs' classes have.
	FirstClass = 2
	LastClass  = defaultClass - 1

	// bufferTime is how long a class may send at once, ns: timers are not finer.
	bufferTime = 2_000_000
	mtu        = 1600
	quantum    = 10 * 1600
)

// NewShaper takes a netlink socket of the namespace to work in, and the mark that class 0 would have. It changes nothing.
func NewShaper(links *netlink.Handle, mark uint32) *Shaper { return &Shaper{links, mark} }

// List is the guarantees on a port, bits/s by class; nil where there is no HTB of ours.
func (s *Shaper) List(device string) (map[uint16]uint64, error) {
	link, err := s.links.LinkByName(device)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", device, err)
	}
	if there, err := s.root(link); err != nil || there == nil || there.Attrs().Handle != netlink.MakeHandle(major, 0) {
		return nil, err
	}
	classes, err := s.classes(link)
	if err != nil {
		return nil, err
	}
	all := make(map[uint16]uint64)
	for minor, c := range classes {
		if minor >= FirstClass && minor <= LastClass {
			all[minor] = c.Rate * 8
		}
	}
	return all, nil
}

// Set makes these all the guarantees on a port of that bandwidth, in bits/s. What is the same is not touched. Without any the port is as it was before the first.
func (s *Shaper) Set(device string, bandwidth uint64, guarantees map[uint16]uint64) error {
	link, err := s.links.LinkByName(device)
	if err != nil {
		return fmt.Errorf("find %s: %w", device, err)
	}
	there, err := s.root(link)
	if err != nil {
		return err
	}
	ours := there != nil && there.Attrs().Handle == netlink.MakeHandle(major, 0)
	if len(guarantees) == 0 {
		if !ours {
			return nil
		}
		if err := s.links.QdiscDel(there); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("remove the HTB of %s: %w", device, err)
		}
		return nil
	}
	var sum uint64
	for _, g := range guarantees {
		sum += g
	}
	switch {
	case bandwidth == 0:
		return fmt.Errorf("nothing can be guaranteed on %s: its bandwidth is not known", device)
	case sum > bandwidth:
		return fmt.Errorf("%d bit/s cannot be guaranteed on %s: its bandwidth is %d", sum, device, bandwidth)
	case there != nil && !ours && there.Attrs().Handle != 0:
		return fmt.Errorf("nothing can be guaranteed on %s: its %s qdisc is not ours", device, there.Type())
	}
	if !ours {
		if err := s.make(link); err != nil {
			return err
		}
	}
	return s.change(link, bandwidth, sum, guarantees)
}

// change makes the classes these.
func (s *Shaper) change(link netlink.Link, bandwidth, sum uint64, guarantees map[uint16]uint64) error {
	have, err := s.classes(link)
	if err != nil {
		return err
	}
	// What nothing is guaranteed to has a hundredth at least, so that it is never silenced.
	want := map[uint16]*netlink.HtbClass{
		rootClass:    s.class(link, netlink.MakeHandle(major, 0), rootClass, bandwidth, bandwidth),
		defaultClass: s.class(link, netlink.MakeHandle(major, rootClass), defaultClass, max(bandwidth-sum, bandwidth/100), bandwidth),
	}
	for minor, g := range guarantees {
		want[minor] = s.class(link, netlink.MakeHandle(major, rootClass), minor, g, bandwidth)
	}
	order := append([]uint16{rootClass, defaultClass}, slices.Sorted(maps.Keys(guarantees))...)
	for _, minor := range order {
		w := want[minor]
		if h, there := have[minor]; there && h.Rate == w.Rate && h.Ceil == w.Ceil {
			continue
		}
		if err := s.links.ClassReplace(w); err != nil {
			return fmt.Errorf("set class %d of %s to %d bit/s: %w", minor, link.Attrs().Name, w.Rate*8, err)
		}
	}
	for minor, h := range have {
		if want[minor] != nil {
			continue
		}
		if err := s.links.ClassDel(h); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("remove class %d of %s: %w", minor, link.Attrs().Name, err)
		}
	}
	return nil
}

func (s *Shaper) class(link netlink.Link, parent uint32, minor uint16, rate, ceil uint64) *netlink.HtbClass {
	attrs := netlink.ClassAttrs{LinkIndex: link.Attrs().Index, Parent: parent, Handle: netlink.MakeHandle(major, minor)}
	buffer := func(rate uint64) uint32 { return uint32(min(rate/8*bufferTime/1_000_000_000+mtu, 1<<30)) }
	return netlink.NewHtbClass(attrs, netlink.HtbClassAttrs{Rate: rate, Ceil: ceil, Buffer: buffer(rate), Cbuffer: buffer(ceil), Quantum: quantum})
}

// make puts our HTB in the place of the qdisc that the kernel gave the device, with a program that takes the class from the mark.
func (s *Shaper) make(link netlink.Link) error {
	qdisc := netlink.NewHtb(netlink.QdiscAttrs{LinkIndex: link.Attrs().Index, Handle: netlink.MakeHandle(major, 0), Parent: netlink.HANDLE_ROOT})
	qdisc.Defcls = defaultClass
	if err := s.links.QdiscReplace(qdisc); err != nil {
		return fmt.Errorf("make an HTB of %s: %w", link.Attrs().Name, err)
	}
	if err := rlimit.RemoveMemlock(); err != nil {
		return fmt.Errorf("lift the limit of locked memory: %w", err)
	}
	p, err := load("tns_class", asm.Instructions{
		asm.LoadMem(asm.R0, asm.R1, skbMark, asm.Word),
		asm.Mov.Reg(asm.R2, asm.R0),
		asm.RSh.Imm(asm.R2, 16),
		asm.JNE.Imm(asm.R2, int32(s.mark>>16), "default"),
		asm.And.Imm(asm.R0, 0xffff),
		asm.LoadImm(asm.R2, major<<16, asm.DWord),
		asm.Or.Reg(asm.R0, asm.R2),
		asm.Return(),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("default"),
		asm.Return(),
	})
	if err != nil {
		return err
	}
	defer p.Close()
	filter := &netlink.BpfFilter{
		FilterAttrs: netlink.FilterAttrs{
			LinkIndex: link.Attrs().Index, Parent: netlink.MakeHandle(major, 0), Handle: filterHandle, Protocol: unix.ETH_P_ALL, Priority: 1,
		},
		Fd: p.FD(), Name: "tns_class.1",
	}
	if err := s.links.FilterReplace(filter); err != nil {
		return fmt.Errorf("attach a classifier to the HTB of %s: %w", link.Attrs().Name, err)
	}
	return nil
}

// root is the qdisc at the root of a device; nil: none that can be seen.
func (s *Shaper) root(link netlink.Link) (netlink.Qdisc, error) {
	all, err := s.links.QdiscList(link)
	if err != nil {
		return nil, fmt.Errorf("list the qdiscs of %s: %w", link.Attrs().Name, err)
	}
	for _, q := range all {
		if q.Attrs().Parent == netlink.HANDLE_ROOT {
			return q, nil
		}
	}
	return nil, nil
}

func (s *Shaper) classes(link netlink.Link) (map[uint16]*netlink.HtbClass, error) {
	list, err := s.links.ClassList(link, netlink.MakeHandle(major, 0))
	if err != nil {
		return nil, fmt.Errorf("list the classes of %s: %w", link.Attrs().Name, err)
	}
	all := make(map[uint16]*netlink.HtbClass)
	for _, c := range list {
		if h, ok := c.(*netlink.HtbClass); ok && h.Handle>>16 == major {
			all[uint16(h.Handle)] = h
		}
	}
	return all, nil
}
