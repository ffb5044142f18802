package fdb

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/labs/internal/netns"
)

// MAC is an address in a table.
type MAC [6]byte

// Observer follows both tables of the VXLAN devices in a namespace by what the kernel tells of each change, from when it
// was made: it never reads a table. Times are when the kernel told, not when it was heard. Its methods may be called by several goroutines.
type Observer struct {
	namespace *netns.Namespace
	file      *os.File
	socket    syscall.RawConn
	devices   map[int32]string // VXLAN devices by index
	stamps    *stamps

	mu      sync.Mutex
	macs    map[key]*held
	behind  map[netip.Addr]int // MACs in both tables, by VTEP; the zero Addr: in neither, but were
	changed map[netip.Addr]time.Time
	lowest  map[netip.Addr]int // that behind was since it was asked
	wake    chan struct{}      // closed at the next change that somebody waits for
	waiting int
	news    bool // there was one
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
		namespace: n, devices: make(map[int32]string),
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
	err = n.Do(func() error {
		fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		o.file = os.NewFile(uintptr(fd), "notifications")
		if o.stamps, err = stamp(fd, o.devices); err != nil {
			return err
		}
		return errors.Join(
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer),
			unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1 << (unix.RTNLGRP_NEIGH - 1)}))
	})
	if err == nil {
		o.socket, err = o.file.SyscallConn()
	}
	if err != nil {
		o.Close()
		return nil, fmt.Errorf("observe the FDB of %s: %w", n.Name(), err)
	}
	go o.run()
	return o, nil
}

// run takes notifications until the observer is closed. It waits in the poller: a thread that waits in the kernel keeps the one alive that looks after
// threads, which wakes up every 20 µs then, beside what is measured.
func (o *Observer) run() {
	buffer := make([]byte, 64<<10)
	for {
		var failed error
		err := o.socket.Read(func(fd uintptr) bool {
			for {
				n, _, err := unix.Recvfrom(int(fd), buffer, 0)
				switch {
				case errors.Is(err, unix.EINTR):
				case errors.Is(err, unix.EAGAIN):
					o.tell()
					return false
				case err != nil: // ENOBUFS too: what was not told cannot be known
					failed = err
					return true
				default:
					at, err := o.stamps.next()
					if err != nil {
						failed = err
						return true
					}
					o.take(buffer[:n], at)
				}
			}
		})
		switch {
		case failed != nil:
			o.fail(fmt.Errorf("observe the FDB of %s: %w", o.namespace.Name(), failed))
			return
		case err != nil:
			return // it is closed
		}
	}
}

// tell wakes those who wait, once for all that has come.
func (o *Observer) tell() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.news && o.waiting > 0 {
		close(o.wake)
		o.wake = make(chan struct{})
		o.waiting = 0
	}
	o.news = false
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
		o.news = true
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
	h := func() *held { return o.macs[k] }
	err = o.until(ctx, func() bool {
		if h() == nil {
			return false
		}
		place, whole := h().place()
		at = h().at
		return whole && place == vtep
	}, func() string {
		if h() == nil {
			return "it never was there"
		}
		return h().Remote.String()
	})
	if err != nil {
		return at, fmt.Errorf("%x on %s:%s to be %s: %w", mac, o.namespace.Name(), device, whither(vtep), err)
	}
	return at, nil
}

// AwaitCount returns when both tables have exactly n MACs behind a VTEP, over all devices, with the time since when; with the zero Addr when n that were
// there are gone.
func (o *Observer) AwaitCount(ctx context.Context, vtep netip.Addr, n int) (at time.Time, err error) {
	err = o.until(ctx, func() bool {
		at = o.changed[vtep]
		return o.behind[vtep] == n
	}, func() string { return fmt.Sprintf("%d of %d", o.behind[vtep], n) })
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

// until waits for what changes make true. Where it does not become so, the error has what was found.
func (o *Observer) until(ctx context.Context, condition func() bool, found func() string) error {
	for {
		o.mu.Lock()
		ok, failed, wake := condition(), o.failed, o.wake
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
			o.mu.Lock()
			defer o.mu.Unlock()
			return fmt.Errorf("%w: %s", context.Cause(ctx), found())
		}
	}
}

// Close ends the observer.
func (o *Observer) Close() {
	if o.file != nil {
		o.file.Close()
	}
	if o.stamps != nil {
		o.stamps.close()
	}
}
