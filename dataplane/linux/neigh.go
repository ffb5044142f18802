package linux

import (
	"encoding/binary"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/dataplane"
)

// neigh is an entry of the kernel in one table: a bridge's or a VXLAN device's forwarding table, or the neighbours.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+---------------+---------------+-------------------------------+
//	|    family     |       0       |               0               |
//	+---------------+---------------+-------------------------------+
//	|                       interface index                         |
//	+-------------------------------+---------------+---------------+
//	|             state             |     flags     |     type      |
//	+-------------------------------+---------------+---------------+
//	|   attributes: NDA_LLADDR, NDA_DST, NDA_MASTER …               |
type neigh struct {
	family uint8 // AF_BRIDGE: forwarding; AF_INET, AF_INET6: neighbours
	link   int
	state  uint16
	flags  uint8
	mac    dataplane.MAC
	dst    netip.Addr // the VTEP, or the neighbour's address
	hop    bool       // it names a next hop object instead of a VTEP
	master int        // the bridge of a port
	vlan   uint16     // bridge's table: in a shared bridge, the VLAN
	vni    uint32     // VXLAN device's table: in a shared device, the VNI that frames come with
}

const (
	mark = netlink.NTF_EXT_LEARNED

	sizeofNdmsg = 12

	ndaSourceVNI = 11 // NDA_SRC_VNI
)

// body is the entry as the body of a message.
func (n neigh) body() []byte { return n.append(make([]byte, 0, 64)) }

// append adds the body of a message to b.
func (n *neigh) append(b []byte) []byte {
	b = append(b, n.family, 0, 0, 0)
	b = binary.NativeEndian.AppendUint32(b, uint32(n.link))
	b = binary.NativeEndian.AppendUint16(b, n.state)
	b = append(b, n.flags, 0)
	if n.family == unix.AF_BRIDGE || n.mac != (dataplane.MAC{}) {
		b = attr(b, netlink.NDA_LLADDR, n.mac[:])
	}
	switch {
	case n.dst.Is4():
		a := n.dst.As4()
		b = attr(b, netlink.NDA_DST, a[:])
	case n.dst.IsValid():
		a := n.dst.As16()
		b = attr(b, netlink.NDA_DST, a[:])
	}
	if n.master != 0 {
		b = attr32(b, netlink.NDA_MASTER, uint32(n.master))
	}
	if n.vlan != 0 {
		b = attr16(b, netlink.NDA_VLAN, n.vlan)
	}
	if n.vni != 0 {
		b = attr32(b, ndaSourceVNI, n.vni)
	}
	return b
}

// parseNeigh reads the body of an RTM_NEWNEIGH or RTM_DELNEIGH message.
func parseNeigh(b []byte) (n neigh, ok bool) {
	if len(b) < sizeofNdmsg {
		return n, false
	}
	n.family = b[0]
	n.link = int(binary.NativeEndian.Uint32(b[4:]))
	n.state = binary.NativeEndian.Uint16(b[8:])
	n.flags = b[10]
	for kind, value := range attributes(b[sizeofNdmsg:]) {
		switch kind {
		case netlink.NDA_LLADDR:
			copy(n.mac[:], value)
		case netlink.NDA_DST:
			n.dst, _ = netip.AddrFromSlice(value)
		case netlink.NDA_NH_ID:
			n.hop = true
		case netlink.NDA_VLAN:
			if len(value) == 2 {
				n.vlan = binary.NativeEndian.Uint16(value)
			}
		case ndaSourceVNI:
			if len(value) == 4 {
				n.vni = binary.NativeEndian.Uint32(value)
			}
		case netlink.NDA_MASTER:
			if len(value) == 4 {
				n.master = int(binary.NativeEndian.Uint32(value))
			}
		}
	}
	return n, true
}

func (n neigh) marked() bool { return n.flags&mark != 0 }

// self reports whether the entry is in the table of its own device, not in that of the bridge above it.
func (n neigh) self() bool { return n.flags&netlink.NTF_SELF != 0 }

// The flags of messages that set: what is there is replaced, or gets one more destination, which is harmless if it has it.
const (
	replacing = unix.NLM_F_CREATE | unix.NLM_F_REPLACE
	adding    = unix.NLM_F_CREATE | unix.NLM_F_APPEND
)

// get asks for the entry. A VXLAN device is asked for the VNI by another attribute than it is told.
func (n neigh) get() message {
	vni := n.vni
	n.vni = 0
	body := n.body()
	if vni != 0 {
		body = attr32(body, netlink.NDA_VNI, vni)
	}
	return message{unix.RTM_GETNEIGH, 0, body}
}

// inBridge is the bridge's entry of a MAC behind a port. With the mark the bridge takes the entry as one that neither ages nor moves, whatever
// the state says.
func (n *network) inBridge(mac dataplane.MAC, port int) neigh {
	return neigh{family: unix.AF_BRIDGE, vlan: n.vlan, link: port, state: netlink.NUD_NOARP, flags: netlink.NTF_MASTER | mark, mac: mac}
}

// inVXLAN is the VXLAN device's entry of a MAC behind a VTEP. The device refuses NUD_NOARP alone.
func (n *network) inVXLAN(mac dataplane.MAC, vtep netip.Addr) neigh {
	return neigh{
		family: unix.AF_BRIDGE, vni: n.sourceVNI(), link: n.vxlan, state: netlink.NUD_NOARP | netlink.NUD_PERMANENT,
		flags: netlink.NTF_SELF | mark, mac: mac, dst: vtep,
	}
}

// inBoth is the entries of a MAC behind a VTEP in both tables: the kernel writes and deletes the bridge's first, and the other only if that went well.
func (n *network) inBoth(mac dataplane.MAC, vtep netip.Addr) neigh {
	e := n.inVXLAN(mac, vtep)
	e.flags, e.vlan = e.flags|netlink.NTF_MASTER, n.vlan
	return e
}

// onBridge is the neighbour that the bridge answers for.
func (n *network) onBridge(ip netip.Addr, mac dataplane.MAC) neigh {
	family := uint8(unix.AF_INET)
	if ip.Is6() {
		family = unix.AF_INET6
	}
	return neigh{family: family, link: n.neighbors(), state: netlink.NUD_NOARP, flags: mark, mac: mac, dst: ip}
}

// named is the entry reduced to what names it for deletion.
func (n neigh) named() neigh {
	m := neigh{family: n.family, link: n.link, mac: n.mac, vlan: n.vlan, vni: n.vni}
	switch {
	case n.family != unix.AF_BRIDGE:
		m.mac, m.dst = dataplane.MAC{}, n.dst
	case n.self():
		m.flags = netlink.NTF_SELF
	default:
		m.flags = netlink.NTF_MASTER
	}
	return m
}

// repeated reports whether a notification tells nothing: older kernels (6.1) follow that of a VXLAN device with one of rtnetlink's own, without the VTEP.
func (n neigh) repeated() bool {
	return n.family == unix.AF_BRIDGE && n.self() && !n.dst.IsValid() && !n.hop
}
