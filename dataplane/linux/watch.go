package linux

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/dataplane/linux/internal/brief"
)

// notifyBuffer holds the kernel's notifications until they are read. They are short but each takes about 1 KiB there.
const notifyBuffer = 4 << 20

// watcher reads the kernel's notifications and signals what is neither our own doing nor none of our business. It knows
// our doing by comparing: a notification that says what we wrote last is our echo. Most echoes do not even get here (echoes).
type watcher struct {
	changes chan struct{} // capacity 1, never closed
	file    *os.File      // the socket; it does not block
	wait    syscall.RawConn
	fd      int
	stopped chan struct{} // closed when the goroutine has ended
	echoes  *echoes       // nil: this kernel cannot keep them back
	loud    error         // why not

	mu      sync.Mutex
	buffer  []byte
	held    held
	strange uint64 // times that somebody else changed something of ours, or may have
	links   map[int32]device
	names   map[string]bool // of devices that we want
	closed  bool
}

// device is what a device of ours must stay.
type device struct {
	name   string
	master int
	kind   deviceKind
	vlans  map[uint32]uint16 // of a VXLAN device that VNs share: by VNI; of its bridge and ports: not nil
}

type deviceKind uint8

const (
	bridgeDevice deviceKind = 1 + iota
	vxlanDevice
	portDevice
)

func newWatcher(ns netns.NsHandle, own *conn) (*watcher, error) {
	s, err := nl.SubscribeAt(ns, netns.None(), unix.NETLINK_ROUTE, unix.RTNLGRP_LINK, unix.RTNLGRP_NEIGH)
	if err != nil {
		return nil, fmt.Errorf("subscribe to netlink notifications: %w", err)
	}
	defer s.Close()
	if err := s.SetReceiveBufferSize(notifyBuffer, true); err != nil {
		return nil, fmt.Errorf("set the buffer for notifications to %d: %w", notifyBuffer, err)
	}
	fd, err := unix.FcntlInt(uintptr(s.GetFd()), unix.F_DUPFD_CLOEXEC, 0) // of our own, to read from it without waiting
	if err != nil {
		return nil, fmt.Errorf("keep the socket for notifications: %w", err)
	}
	w := &watcher{
		changes: make(chan struct{}, 1),
		file:    os.NewFile(uintptr(fd), "notifications"),
		fd:      fd,
		stopped: make(chan struct{}),
		buffer:  make([]byte, 64<<10),
		held:    newHeld(),
	}
	if w.wait, err = w.file.SyscallConn(); err != nil {
		w.file.Close()
		return nil, fmt.Errorf("wait for notifications: %w", err)
	}
	w.echoes, w.loud = keepEchoes(fd, own.port)
	go w.run()
	return w, nil
}

// close ends the goroutine and waits for it.
func (w *watcher) close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.file.Close()
	<-w.stopped
	w.echoes.close()
}

func (w *watcher) run() {
	defer close(w.stopped)
	err := w.wait.Read(func(uintptr) bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return !w.drain()
	})
	w.mu.Lock()
	closed := w.closed
	w.mu.Unlock()
	if err != nil && !closed {
		w.signal() // from now on only the interval tells
	}
}

// drain reads what has been notified until now. It reports whether more may come. The lock is held: who writes with it after drain knows what
// others have done before.
func (w *watcher) drain() bool {
	for !w.closed {
		n, err := brief.Receive(w.fd, w.buffer)
		switch {
		case err == unix.EAGAIN:
			return true
		case err == unix.ENOBUFS:
			w.alarm()
		case err != nil:
			w.alarm() // from now on only the interval tells
			w.closed = true
		default:
			for h, body := range parts(w.buffer[:n]) {
				if w.foreign(h.Type, body) {
					w.alarm()
				}
			}
		}
	}
	return false
}

// alarm takes notice that what is held is not known any more.
func (w *watcher) alarm() {
	w.held.sure = false
	w.strange++
	w.signal()
}

func (w *watcher) signal() {
	select {
	case w.changes <- struct{}{}:
	default:
	}
}

// foreign reports whether a notification tells that our devices or entries are not as we left them.
func (w *watcher) foreign(kind uint16, body []byte) bool {
	switch kind {
	case unix.RTM_NEWNEIGH, unix.RTM_DELNEIGH:
		n, ok := parseNeigh(body)
		return ok && w.foreignEntry(n, kind == unix.RTM_DELNEIGH)
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		return w.foreignLink(kind == unix.RTM_DELLINK, body)
	}
	return false
}

// foreignEntry compares a notification with what is held.
func (w *watcher) foreignEntry(n neigh, deleted bool) bool {
	d, ours := w.links[int32(n.link)]
	if !ours || n.repeated() {
		return false
	}
	switch {
	case n.family == unix.AF_BRIDGE && n.self():
		if d.kind != vxlanDevice {
			return false
		}
		if n.mac == (dataplane.MAC{}) {
			_, known := w.held.rest[slot{dev: int32(n.link), ip: n.dst, vni: n.vni}]
			return known == deleted
		}
		vtep := w.held.macs.Get(macSlot{int32(d.master), d.vlans[n.vni], n.mac}).vtep
		return differs(vtep, vtep.valid(), addressOf(n.dst), deleted, n.marked())
	case n.family == unix.AF_BRIDGE:
		if d.kind == bridgeDevice {
			return false
		}
		vlan := n.vlan
		if d.vlans == nil {
			vlan = 0 // a kernel with VLAN filtering has each entry in the bridge's default VLAN, too, where nothing is filtered
		}
		port := w.held.macs.Get(macSlot{int32(d.master), vlan, n.mac}).port
		return differs(port, port != 0, int32(n.link), deleted, n.marked())
	case d.kind == bridgeDevice:
		mac, known := w.held.rest[slot{dev: int32(n.link), ip: n.dst}]
		return differs(mac, known, n.mac, deleted, n.marked())
	}
	return false
}

// differs reports whether a notification of a place says something else than what is held, if anything is.
func differs[T comparable](held T, known bool, said T, deleted, marked bool) bool {
	switch {
	case deleted:
		return known && held == said
	case known:
		return held != said
	}
	return marked
}

// foreignLink judges the body of a link notification: struct ifinfomsg and attributes.
func (w *watcher) foreignLink(deleted bool, body []byte) bool {
	if len(body) < unix.SizeofIfInfomsg {
		return false
	}
	index := int(binary.NativeEndian.Uint32(body[4:]))
	d, ours := w.links[int32(index)]
	if deleted {
		return ours
	}
	up := binary.NativeEndian.Uint32(body[8:])&uint32(net.FlagUp) != 0
	var name string
	var master int
	flags := make(portFlags)
	for kind, value := range attributes(body[unix.SizeofIfInfomsg:]) {
		switch kind {
		case unix.IFLA_IFNAME:
			name = unix.ByteSliceToString(value)
		case unix.IFLA_MASTER:
			master = int(binary.NativeEndian.Uint32(value))
		case unix.IFLA_PROTINFO:
			for k, v := range attributes(value) {
				if len(v) == 1 {
					flags[k] = v[0]
				}
			}
		}
	}
	if !ours {
		return w.names[name]
	}
	return name != d.name || master != d.master || !up || body[0] == unix.AF_BRIDGE && !d.kind.accepts(flags)
}

// accepts reports whether a bridge port of that kind may have these flags.
func (k deviceKind) accepts(flags portFlags) bool {
	switch k {
	case vxlanDevice:
		return vxlanPort.in(flags)
	case portDevice:
		return vmPort.in(flags)
	}
	return true
}

// devices says which devices are ours.
func (w *watcher) devices(networks map[dataplane.VNI]*network) {
	links, names := make(map[int32]device), make(map[string]bool)
	vlans := make(map[uint32]uint16) // of what VNs share
	for _, n := range networks {
		names[n.Bridge], names[n.VXLAN] = true, true
		var shared map[uint32]uint16
		if n.shared() {
			shared = vlans
			vlans[uint32(n.VNI)] = n.vlan
			names[sharedDevice(n.VNI)] = true
			links[int32(n.svi)] = device{sharedDevice(n.VNI), 0, bridgeDevice, nil}
		}
		links[int32(n.bridge)] = device{n.Bridge, 0, bridgeDevice, shared}
		links[int32(n.vxlan)] = device{n.VXLAN, n.bridge, vxlanDevice, shared}
		for _, p := range n.Ports {
			names[p.Name], names[n.device(p.Name)] = true, true
		}
		for p, index := range n.ports {
			links[int32(index)] = device{n.device(p), n.bridge, portDevice, shared}
		}
	}
	delete(links, 0)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.links, w.names = links, names
}

// begin is before a full pass looks what there is. The answer is for holds.
func (w *watcher) begin() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.drain()
	return w.strange
}

// holds notes what the kernel holds of ours, all of it, as a full pass found it that began with begin.
func (w *watcher) holds(now held, began uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.drain()
	now.sure = w.strange == began && !w.closed // who hears of nothing has to ask
	w.held = now
}

// doubt notes that an entry is not known to be there, or to be gone: the kernel has refused that.
func (w *watcher) doubt(n *network, e neigh, deleting bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held.doubt(n, e, deleting)
}
