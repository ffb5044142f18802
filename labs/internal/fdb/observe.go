package fdb

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/labs/internal/netns"
)

// MAC is an address in a table.
type MAC [6]byte

// Observer follows both tables of the VXLAN devices in a namespace by what the kernel tells of each change, from when it
// was made: it never reads a table. Its methods may be called by several goroutines.
type Observer struct {
	namespace *netns.Namespace
	fd        int
	devices   map[int32]string // VXLAN devices by index
	done      chan struct{}

	mu      sync.Mutex
	macs    map[key]*held
	behind  map[netip.Addr]int // MACs in both tables, by VTEP; the zero Addr: in neither, but were
	changed map[netip.Addr]time.Time
	lowest  map[netip.Addr]int // that behind was since it was asked
	wake    chan struct{}      // closed at the next change that somebody waits for
	waiting int
	failed  error
}

// key is a MAC behind a device: each VN has its own.
type key struct {
	device int32
	mac    MAC
}

// held is what the two tables hold of it.
type held struct {
	Remote
	at time.Time // of the last change
}

// place is the VTEP that the MAC is behind: only when both tables say so, and the zero Addr when neither does.
func (h *held) place() (vtep netip.Addr, whole bool) {
	return h.VTEP, h.Bridge == h.VTEP.IsValid()
}

// receiveBuffer holds some 200,000 notifications: the observer must not be what loses one.
const receiveBuffer = 256 << 20

// Observe starts an observer of VXLAN devices.
func Observe(n *netns.Namespace, devices ...string) (*Observer, error) {
	o := &Observer{
		namespace: n, devices: make(map[int32]string), done: make(chan struct{}),
		macs: make(map[key]*held), behind: make(map[netip.Addr]int), changed: make(map[netip.Addr]time.Time), lowest: make(map[netip.Addr]int),
		wake: make(chan struct{}),
	}
	handle, err := n.Netlink()
	if err != nil {
		return nil, err
	}
	defer handle.Close()
	for _, device := range devices {
		link, err := handle.LinkByName(device)
		if err != nil {
			return nil, fmt.Errorf("look for %s:%s: %w", n.Name(), device, err)
		}
		o.devices[int32(link.Attrs().Index)] = device
	}
	err = n.Do(func() (err error) {
		o.fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		err = errors.Join(
			unix.SetsockoptInt(o.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer),
			unix.SetsockoptTimeval(o.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100_000}), // how soon Close is noticed
			unix.Bind(o.fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1 << (unix.RTNLGRP_NEIGH - 1)}))
		if err != nil {
			unix.Close(o.fd)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("observe the FDB of %s: %w", n.Name(), err)
	}
	go o.run()
	return o, nil
}

func (o *Observer) run() {
	defer unix.Close(o.fd)
	buffer := make([]byte, 64<<10)
	for {
		select {
		case <-o.done:
			return
		default:
		}
		n, _, err := unix.Recvfrom(o.fd, buffer, 0)
		now := time.Now()
		switch {
		case errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR):
		case err != nil: // ENOBUFS too: what was not told cannot be known
			o.fail(fmt.Errorf("observe the FDB of %s: %w", o.namespace.Name(), err))
			return
		default:
			o.take(buffer[:n], now)
		}
	}
}

func (o *Observer) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.failed = err
	close(o.wake)
	o.wake = make(chan struct{})
}

// take reads notifications. One is a header, a struct ndmsg, and attributes.
func (o *Observer) take(b []byte, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(b) >= unix.SizeofNlMsghdr {
		length := int(binary.NativeEndian.Uint32(b))
		if length < unix.SizeofNlMsghdr || length > len(b) {
			return
		}
		kind, body := binary.NativeEndian.Uint16(b[4:]), b[unix.SizeofNlMsghdr:length]
		b = b[min((length+3)&^3, len(b)):]
		if len(body) < unix.SizeofNdMsg || body[0] != unix.AF_BRIDGE {
			continue
		}
		o.notice(kind == unix.RTM_NEWNEIGH, body, now)
	}
}

// notice takes one change of one table.
func (o *Observer) notice(there bool, body []byte, now time.Time) {
	k := key{device: int32(binary.NativeEndian.Uint32(body[4:]))}
	if _, ours := o.devices[k.device]; !ours {
		return
	}
	self := body[10]&netlink.NTF_SELF != 0
	var vtep netip.Addr
	for a := body[unix.SizeofNdMsg:]; len(a) >= unix.SizeofRtAttr; {
		length := int(binary.NativeEndian.Uint16(a))
		if length < unix.SizeofRtAttr || length > len(a) {
			return
		}
		value := a[unix.SizeofRtAttr:length]
		switch binary.NativeEndian.Uint16(a[2:]) {
		case netlink.NDA_LLADDR:
			copy(k.mac[:], value)
		case netlink.NDA_DST:
			vtep, _ = netip.AddrFromSlice(value)
		}
		a = a[min((length+3)&^3, len(a)):]
	}
	if k.mac == (MAC{}) {
		return // the flood list
	}
	h := o.macs[k]
	if h == nil {
		if !there {
			return
		}
		h = &held{}
		o.macs[k] = h
	} else if place, whole := h.place(); whole {
		o.behind[place]--
		if lowest, asked := o.lowest[place]; asked {
			o.lowest[place] = min(lowest, o.behind[place])
		}
	}
	switch {
	case self && there:
		h.VTEP = vtep
	case self:
		h.VTEP = netip.Addr{}
	default:
		h.Bridge = there
	}
	h.at = now
	if place, whole := h.place(); whole {
		o.behind[place]++
		o.changed[place] = now
		if o.waiting > 0 {
			close(o.wake)
			o.wake = make(chan struct{})
			o.waiting = 0
		}
	}
}

// Await returns when both tables have a MAC of a device behind a VTEP, with the time since when. With the zero Addr neither has it any
// more; it had to be there before.
func (o *Observer) Await(ctx context.Context, device string, mac MAC, vtep netip.Addr) (at time.Time, err error) {
	var k key
	for index, name := range o.devices {
		if name == device {
			k = key{index, mac}
		}
	}
	err = o.until(ctx, func() (bool, string) {
		h := o.macs[k]
		if h == nil {
			return false, "it never was there"
		}
		place, whole := h.place()
		at = h.at
		return whole && place == vtep, h.Remote.String()
	})
	if err != nil {
		return at, fmt.Errorf("%x on %s:%s to be %s: %w", mac, o.namespace.Name(), device, whither(vtep), err)
	}
	return at, nil
}

// AwaitCount returns when both tables have exactly n MACs behind a VTEP, over all devices, with the time since when; with the zero Addr when n that were
// there are gone.
func (o *Observer) AwaitCount(ctx context.Context, vtep netip.Addr, n int) (at time.Time, err error) {
	err = o.until(ctx, func() (bool, string) {
		at = o.changed[vtep]
		return o.behind[vtep] == n, fmt.Sprintf("%d of %d", o.behind[vtep], n)
	})
	if err != nil {
		return at, fmt.Errorf("MACs on %s to be %s: %w", o.namespace.Name(), whither(vtep), err)
	}
	return at, nil
}

// whither says what is waited for.
func whither(vtep netip.Addr) string {
	if !vtep.IsValid() {
		return "gone"
	}
	return "behind " + vtep.String()
}

// Count is how many MACs both tables have behind a VTEP now; with the zero Addr, how many that were there are gone.
func (o *Observer) Count(vtep netip.Addr) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.behind[vtep]
}

// Lowest is the least number of MACs that both tables have had behind a VTEP since the call before.
func (o *Observer) Lowest(vtep netip.Addr) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	lowest := o.lowest[vtep]
	o.lowest[vtep] = o.behind[vtep]
	return lowest
}

// until waits for what changes make true.
func (o *Observer) until(ctx context.Context, condition func() (ok bool, found string)) error {
	for {
		o.mu.Lock()
		ok, found := condition()
		failed, wake := o.failed, o.wake
		if !ok && failed == nil {
			o.waiting++
		}
		o.mu.Unlock()
		switch {
		case failed != nil:
			return failed
		case ok:
			return nil
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return fmt.Errorf("%w: %s", context.Cause(ctx), found)
		}
	}
}

// Close ends the observer.
func (o *Observer) Close() { close(o.done) }
