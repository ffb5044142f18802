package linux

import (
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/dataplane/linux/flat"
)

// held is what the kernel holds of ours as far as we know: what the last full pass found, and what was written since.
type held struct {
	// sure: nobody else has changed anything of it since the full pass. Only then may it stand for what the kernel would say.
	sure bool
	macs flat.Map[macSlot, macPlace]
	rest map[slot]dataplane.MAC // the flood list; neighbours, with their link address
}

func newHeld() held {
	return held{rest: make(map[slot]dataplane.MAC)}
}

// macSlot is where the kernel holds one MAC of a VN.
type macSlot struct {
	bridge int32
	vlan   uint16 // in a bridge that VNs share
	mac    dataplane.MAC
}

// macPlace is what the two tables hold of a MAC. Neither it nor macSlot has a pointer, so that the collector passes over all of them.
type macPlace struct {
	port int32   // the bridge's: a port or the VXLAN device; 0: none; doubtful
	vtep address // the VXLAN device's; zero: none
}

// doubtful is that the kernel refused a part of what was to be there: it may have that, what was there before, or neither.
const doubtful int32 = -1

// address is a netip.Addr as 16 octets; zero: none.
type address [16]byte

func addressOf(a netip.Addr) address {
	if !a.IsValid() {
		return address{}
	}
	return a.As16()
}

func (a address) valid() bool { return a != address{} }

func (a address) is4() bool { return netip.AddrFrom16(a).Is4In6() }

// slot is where the kernel holds one thing of the other kinds.
type slot struct {
	dev int32      // of neighbours: the bridge, or the VLAN's device; of the flood list: the VXLAN device
	ip  netip.Addr // the neighbour; the VTEP
	vni uint32     // flood list of a VXLAN device that VNs share
}

// port notes what the bridge's table holds of a MAC; 0: nothing.
func (h *held) port(s macSlot, port int32) {
	p := h.macs.Get(s)
	p.port = port
	h.place(s, p)
}

// vtep notes what the VXLAN device's table holds of a MAC; zero: nothing.
func (h *held) vtep(s macSlot, vtep address) {
	p := h.macs.Get(s)
	p.vtep = vtep
	h.place(s, p)
}

// place notes what both hold.
func (h *held) place(s macSlot, p macPlace) {
	if p == (macPlace{}) {
		h.macs.Delete(s)
		return
	}
	h.macs.Set(s, p)
}

// take notes an entry of a network that a full pass found.
func (h *held) take(n *network, e neigh) {
	switch {
	case e.family != unix.AF_BRIDGE:
		h.rest[n.neighborSlot(e.dst)] = e.mac
	case e.self() && e.mac == (dataplane.MAC{}):
		h.rest[n.floodSlot(e.dst)] = e.mac
	case e.self():
		h.vtep(n.macSlot(e.mac), addressOf(e.dst))
	default:
		h.port(n.macSlot(e.mac), int32(e.link))
	}
}

// drop notes that an entry is gone.
func (h *held) drop(n *network, e neigh) {
	switch {
	case e.family != unix.AF_BRIDGE:
		delete(h.rest, n.neighborSlot(e.dst))
	case e.mac == (dataplane.MAC{}):
		delete(h.rest, n.floodSlot(e.dst))
	default:
		if e.flags&netlink.NTF_SELF != 0 {
			h.vtep(n.macSlot(e.mac), address{})
		}
		if e.flags&netlink.NTF_MASTER != 0 {
			h.port(n.macSlot(e.mac), 0)
		}
	}
}

// doubt notes that the kernel has refused to set or delete an entry. Where one was set and nothing is to be there any more, that stands: what deletes it comes later.
func (h *held) doubt(n *network, e neigh, deleting bool) {
	if e.family != unix.AF_BRIDGE || e.mac == (dataplane.MAC{}) {
		h.drop(n, e)
		return
	}
	if at := n.macSlot(e.mac); deleting || h.macs.Get(at) != (macPlace{}) {
		h.place(at, macPlace{port: doubtful})
	}
}

// macSlot is where the network's entry of a MAC is.
func (n *network) macSlot(mac dataplane.MAC) macSlot { return macSlot{int32(n.bridge), n.vlan, mac} }

// neighborSlot is where its neighbour is.
func (n *network) neighborSlot(ip netip.Addr) slot { return slot{dev: int32(n.neighbors()), ip: ip} }

// floodSlot is where a VTEP of its flood list is.
func (n *network) floodSlot(vtep netip.Addr) slot {
	return slot{dev: int32(n.vxlan), ip: vtep, vni: n.sourceVNI()}
}

// sourceVNI names the network in a VXLAN device that VNs share; 0: the device is its own.
func (n *network) sourceVNI() uint32 {
	if n.shared() {
		return uint32(n.VNI)
	}
	return 0
}
