package linux

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/dataplane"
)

// notifyBuffer holds the kernel's notifications until they are read. They are short but each takes about 1 KiB there.
const notifyBuffer = 4 << 20

// watcher reads the kernel's notifications and signals what is neither our own doing nor none of our business. It knows
// our doing by comparing: a notification that says what we wrote last is our echo.
type watcher struct {
	changes chan struct{} // capacity 1, never closed
	socket  *nl.NetlinkSocket
	stopped chan struct{} // closed when the goroutine has ended

	mu     sync.Mutex
	held   map[slot]place
	links  map[int]device
	names  map[string]bool // of devices that we want
	closed bool
}

// slot is where the kernel holds one thing at a time.
type slot struct {
	table table
	dev   int // the bridge; tableVXLAN: the VXLAN device
	mac   dataplane.MAC
	ip    netip.Addr // tableFlood: the VTEP; tableNeighbor: the address
	vlan  uint16     // tableBridge, of a shared bridge
	vni   uint32     // tableVXLAN, tableFlood, of a shared device
}

type table uint8

const (
	tableBridge table = 1 + iota
	tableVXLAN
	tableFlood
	tableNeighbor
)

// place is what a slot holds.
type place struct {
	port int           // tableBridge
	vtep netip.Addr    // tableVXLAN
	mac  dataplane.MAC // tableNeighbor
}

// device is what a device of ours must stay.
type device struct {
	name   string
	master int
	kind   deviceKind
	shared bool // a bridge that tells VNs apart by VLANs
}

type deviceKind uint8

const (
	bridgeDevice deviceKind = 1 + iota
	vxlanDevice
	portDevice
)

func newWatcher(ns netns.NsHandle) (*watcher, error) {
	s, err := nl.SubscribeAt(ns, netns.None(), unix.NETLINK_ROUTE, unix.RTNLGRP_LINK, unix.RTNLGRP_NEIGH)
	if err != nil {
		return nil, fmt.Errorf("subscribe to netlink notifications: %w", err)
	}
	if err := s.SetReceiveBufferSize(notifyBuffer, true); err != nil {
		s.Close()
		return nil, fmt.Errorf("set the buffer for notifications to %d: %w", notifyBuffer, err)
	}
	w := &watcher{
		changes: make(chan struct{}, 1),
		socket:  s,
		stopped: make(chan struct{}),
		held:    make(map[slot]place),
	}
	go w.run()
	return w, nil
}

// close ends the goroutine and waits for it.
func (w *watcher) close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.socket.Close()
	<-w.stopped
}

func (w *watcher) run() {
	defer close(w.stopped)
	for {
		messages, _, err := w.socket.Receive()
		w.mu.Lock()
		switch {
		case w.closed:
			w.mu.Unlock()
			return
		case errors.Is(err, unix.ENOBUFS) || err == nil:
		default:
			w.mu.Unlock()
			w.signal() // from now on only the interval tells
			return
		}
		foreign := err != nil
		for _, m := range messages {
			foreign = foreign || w.foreign(m.Header.Type, m.Data)
		}
		w.mu.Unlock()
		if foreign {
			w.signal()
		}
	}
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

func (w *watcher) foreignEntry(n neigh, deleted bool) bool {
	s, p, ok := w.locate(n)
	if !ok || n.repeated() {
		return false
	}
	held, ours := w.held[s]
	switch {
	case deleted:
		return ours && held == p
	case ours:
		return held != p
	}
	return n.marked() || s.table == tableFlood
}

// locate is the slot that an entry is in and the place that it names, if it is on a device of ours.
func (w *watcher) locate(n neigh) (slot, place, bool) {
	d, ours := w.links[n.link]
	switch {
	case !ours:
	case n.family == unix.AF_BRIDGE && n.self():
		if d.kind != vxlanDevice {
			break
		}
		if n.mac == (dataplane.MAC{}) {
			return slot{table: tableFlood, dev: n.link, ip: n.dst, vni: n.vni}, place{}, true
		}
		return slot{table: tableVXLAN, dev: n.link, mac: n.mac, vni: n.vni}, place{vtep: n.dst}, true
	case n.family == unix.AF_BRIDGE:
		if d.kind == bridgeDevice {
			break
		}
		vlan := n.vlan
		if !w.links[d.master].shared {
			vlan = 0 // a kernel with VLAN filtering has each entry in the bridge's default VLAN, too, where nothing is filtered
		}
		return slot{table: tableBridge, dev: d.master, mac: n.mac, vlan: vlan}, place{port: n.link}, true
	case d.kind == bridgeDevice:
		return slot{table: tableNeighbor, dev: n.link, ip: n.dst}, place{mac: n.mac}, true
	}
	return slot{}, place{}, false
}

// foreignLink judges the body of a link notification: struct ifinfomsg and attributes.
func (w *watcher) foreignLink(deleted bool, body []byte) bool {
	if len(body) < unix.SizeofIfInfomsg {
		return false
	}
	index := int(binary.NativeEndian.Uint32(body[4:]))
	d, ours := w.links[index]
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
	links, names := make(map[int]device), make(map[string]bool)
	for _, n := range networks {
		names[n.Bridge], names[n.VXLAN] = true, true
		links[n.bridge] = device{n.Bridge, 0, bridgeDevice, n.shared()}
		links[n.vxlan] = device{n.VXLAN, n.bridge, vxlanDevice, false}
		if n.shared() {
			names[sharedDevice(n.VNI)] = true
			links[n.svi] = device{sharedDevice(n.VNI), 0, bridgeDevice, false}
		}
		for _, p := range n.Ports {
			names[p.Name], names[n.device(p.Name)] = true, true
		}
		for p, index := range n.ports {
			links[index] = device{n.device(p), n.bridge, portDevice, false}
		}
	}
	delete(links, 0)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.links, w.names = links, names
}

// holds notes what the kernel holds of ours, all of it.
func (w *watcher) holds(entries []neigh) {
	held := make(map[slot]place, len(entries))
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range entries {
		if s, p, ok := w.locate(n); ok {
			held[s] = p
		}
	}
	w.held = held
}

// expect notes what we are about to write.
func (w *watcher) expect(set, del []neigh) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range set {
		if s, p, ok := w.locate(n); ok {
			w.held[s] = p
		}
	}
	for _, n := range del {
		if s, _, ok := w.locate(n); ok {
			delete(w.held, s)
		}
	}
}
