package linux

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/dataplane/linux/tag"
)

// The networks of VLAN-aware ports share one bridge and one VXLAN device. Inside, each has a VLAN of its own:
//
//	VXLAN device   VLAN ─► VNI (tunnel_info), and the VNI in the device's filter
//	trunk          VLAN, tagged; forwarding as long as the network's Port entry is open
//	other ports    VLAN, untagged
//	tns-v10100     the VLAN's device on the bridge, which has its neighbours
//
// Which VLAN a network has is read from the VXLAN device, so that the next run finds it again.

// sharedDevice names the VLAN's device on the bridge. It never forwards: the bridge itself is not in the VLAN.
func sharedDevice(vni dataplane.VNI) string { return fmt.Sprintf("tns-v%d", vni) }

// sharedVXLANPort is what the VXLAN device must be as a port of a shared bridge.
var sharedVXLANPort = portFlags{
	unix.IFLA_BRPORT_LEARNING:       0,
	unix.IFLA_BRPORT_NEIGH_SUPPRESS: 1,
	unix.IFLA_BRPORT_VLAN_TUNNEL:    1,
}

// shared reports whether the network is a VLAN of a bridge that it shares.
func (n *network) shared() bool { return n.sharing }

// trunk reports whether a member port carries several networks in the bridge itself.
func (n *network) trunk(port string) bool {
	p, member := n.Port(port)
	return member && p.Mode == dataplane.VLANAware
}

// ensureShared makes the shared devices, gives each network its VLAN, and tells the tagger of trunks about them.
func (k *Kernel) ensureShared(ctx context.Context, networks map[dataplane.VNI]*network) error {
	var all []*network
	for _, w := range k.wanted {
		if n := networks[w.VNI]; n.shared() {
			all = append(all, n)
		}
	}
	if len(all) == 0 {
		return nil
	}
	inv, err := k.inventory(ctx)
	if err != nil {
		return err
	}
	bridge, err := k.ensureSharedBridge(inv, all[0].Network)
	if err != nil {
		return err
	}
	vxlan, err := k.ensureSharedVXLAN(ctx, inv, all[0], bridge)
	if err != nil {
		return err
	}
	vlans, err := bridgeVLANs(ctx, k.conn)
	if err != nil {
		return fmt.Errorf("list the VLANs of %s: %w", all[0].VXLAN, err)
	}
	left := k.leaveShared(ctx, inv, all, bridge, vxlan, vlans)
	return errors.Join(left, k.ensureVLANs(ctx, inv, all, bridge, vxlan, vlans[vxlan]))
}

func (k *Kernel) ensureSharedBridge(inv inventory, n dataplane.Network) (int, error) {
	link, there := inv.links[n.Bridge]
	if !there {
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.MTU = n.Bridge, n.MTU
		off, on, none := false, true, uint16(0)
		made, err := k.makeLink(&netlink.Bridge{LinkAttrs: attrs, MulticastSnooping: &off, VlanFiltering: &on, VlanDefaultPVID: &none})
		if err != nil {
			return 0, k.cannot(dataplane.VLANAware, err)
		}
		link = made
	}
	bridge, ok := link.(*netlink.Bridge)
	switch {
	case !ok:
		return 0, fmt.Errorf("use %s for VLAN-aware ports: it is a %s, a bridge is needed", n.Bridge, link.Type())
	case bridge.VlanFiltering == nil || !*bridge.VlanFiltering:
		return 0, fmt.Errorf("use bridge %s for VLAN-aware ports: vlan_filtering is 0, 1 is needed", n.Bridge)
	}
	return link.Attrs().Index, k.finish(link, n.MTU)
}

func (k *Kernel) ensureSharedVXLAN(ctx context.Context, inv inventory, n *network, bridge int) (int, error) {
	port := n.UDPPort
	if port == 0 {
		port = defaultUDPPort
	}
	link, there := inv.links[n.VXLAN]
	if !there {
		if _, err := k.conn.one(ctx, externalVXLAN(n.Network, port)); err != nil {
			return 0, k.cannot(dataplane.VLANAware, fmt.Errorf("make vxlan %s, external and with a filter of VNIs: %w", n.VXLAN, err))
		}
		made, err := k.links.LinkByName(n.VXLAN)
		if err != nil {
			return 0, fmt.Errorf("find %s, just made: %w", n.VXLAN, err)
		}
		if err := k.silence(made); err != nil {
			return 0, err
		}
		link = made
	}
	v, ok := link.(*netlink.Vxlan)
	switch {
	case !ok:
		return 0, fmt.Errorf("use %s for VLAN-aware ports: it is a %s, a vxlan device is needed", n.VXLAN, link.Type())
	case !v.FlowBased:
		return 0, fmt.Errorf("use %s for VLAN-aware ports: external is off, on is needed", n.VXLAN)
	case v.Port != int(port):
		return 0, fmt.Errorf("use %s for VLAN-aware ports: dstport is %d, %d is needed", n.VXLAN, v.Port, port)
	case !slices.Equal(v.SrcAddr.To16(), n.VTEP.AsSlice()) && !slices.Equal(v.SrcAddr.To4(), n.VTEP.AsSlice()):
		return 0, fmt.Errorf("use %s for VLAN-aware ports: local is %v, %v is needed", n.VXLAN, v.SrcAddr, n.VTEP)
	}
	n.bridge = bridge
	if err := inv.free(link, n); err != nil {
		return 0, err
	}
	if err := k.enslave(link, n); err != nil {
		return 0, err
	}
	index := link.Attrs().Index
	if !sharedVXLANPort.in(inv.flags[index]) {
		if _, err := k.conn.one(ctx, sharedVXLANPort.set(index)); err != nil {
			return 0, fmt.Errorf("set %s's bridge port flags (learning off, neigh_suppress and vlan_tunnel on): %w", n.VXLAN, err)
		}
	}
	return index, k.finish(link, n.MTU)
}

// ensureVLANs gives each network its VLAN at the VXLAN device, and a device for its neighbours.
func (k *Kernel) ensureVLANs(ctx context.Context, inv inventory, all []*network, bridge, vxlan int, there map[uint16]vlanState) error {
	byVNI, taken := make(map[dataplane.VNI]uint16), make(map[uint16]bool)
	for vid, s := range there {
		taken[vid] = true
		if s.tunnel != 0 {
			byVNI[dataplane.VNI(s.tunnel)] = vid
		}
	}
	var messages []message
	var owners []*network
	free := uint16(1)
	made := false
	for _, n := range all {
		add := func(m ...message) {
			for range m {
				owners = append(owners, n)
			}
			messages = append(messages, m...)
		}
		add(tunnelVNI(vxlan, n.VNI)) // which is harmless where it is there
		n.vlan = byVNI[n.VNI]
		for n.vlan == 0 && free < 4095 {
			if !taken[free] {
				n.vlan, taken[free] = free, true
				add(portVLAN(vxlan, free, 0), portTunnel(vxlan, free, n.VNI))
			}
			free++
		}
		if n.vlan == 0 {
			return fmt.Errorf("VN %s: %s has 4094 VNs already, it can have no more", n.Name, n.Bridge)
		}
		if name := sharedDevice(n.VNI); inv.links[name] == nil {
			made = true
			add(vlanDevice(name, bridge, n.vlan), silent(name), putUp(name))
		}
	}
	var errs []error
	for i, r := range k.conn.do(ctx, messages) {
		if r.err != nil {
			errs = append(errs, fmt.Errorf("VN %s: give it VLAN %d of %s: %w", owners[i].Name, owners[i].vlan, owners[i].Bridge, r.err))
		}
	}
	if made {
		var err error
		if inv, err = k.inventory(ctx); err != nil {
			return errors.Join(append(errs, err)...)
		}
	}
	for _, n := range all {
		n.bridge, n.vxlan = bridge, vxlan
		if l := inv.links[sharedDevice(n.VNI)]; l != nil {
			n.svi = l.Attrs().Index
		}
	}
	return errors.Join(errs...)
}

// ensureMember puts a port of a shared bridge into the network's VLAN. On a trunk it begins without forwarding.
func (k *Kernel) ensureMember(ctx context.Context, n *network, p dataplane.MemberPort, index int, there map[uint16]vlanState) error {
	s, member := there[n.vlan]
	var messages []message
	switch {
	case p.Mode == dataplane.VLANAware && !member:
		messages = append(messages, vlanForwarding(index, n.vlan, false))
	case p.Mode != dataplane.VLANAware && (!member || s.flags&(nl.BRIDGE_VLAN_INFO_PVID|nl.BRIDGE_VLAN_INFO_UNTAGGED) != nl.BRIDGE_VLAN_INFO_PVID|nl.BRIDGE_VLAN_INFO_UNTAGGED):
		for vid := range there {
			messages = append(messages, withoutVLAN(index, vid))
		}
		messages = append(messages, portVLAN(index, n.vlan, nl.BRIDGE_VLAN_INFO_PVID|nl.BRIDGE_VLAN_INFO_UNTAGGED))
	}
	for _, r := range k.conn.do(ctx, messages) {
		if r.err != nil {
			return fmt.Errorf("put %s into VLAN %d of %s for VN %s: %w", p.Name, n.vlan, n.Bridge, n.Name, r.err)
		}
	}
	return nil
}

// knowVLANs tells the tagger of trunks which VLAN each network has.
func (k *Kernel) knowVLANs(networks map[dataplane.VNI]*network) {
	vlans := make(map[dataplane.VNI]uint16)
	for vni, n := range networks {
		if n.vlan != 0 {
			vlans[vni] = n.vlan
		}
	}
	if t, ok := k.taggers[dataplane.VLANAware].(*tag.VLANAware); ok {
		t.Know(vlans)
	}
}

// leaveVLANs takes trunks out of VLANs that they are no member of any more.
func (k *Kernel) leaveVLANs(ctx context.Context, networks map[dataplane.VNI]*network, vlans map[int]map[uint16]vlanState) error {
	wanted := make(map[int]map[uint16]bool)
	for _, n := range networks {
		for p, index := range n.ports {
			if !n.trunk(p) {
				continue
			}
			if wanted[index] == nil {
				wanted[index] = make(map[uint16]bool)
			}
			wanted[index][n.vlan] = true
		}
	}
	var messages []message
	for index, keep := range wanted {
		for vid := range vlans[index] {
			if !keep[vid] {
				messages = append(messages, withoutVLAN(index, vid))
			}
		}
	}
	var errs []error
	for _, r := range k.conn.do(ctx, messages) {
		if r.err != nil {
			errs = append(errs, fmt.Errorf("take a trunk out of a VLAN: %w", r.err))
		}
	}
	return errors.Join(errs...)
}

// cannot is an error that says what the kernel lacks for a mode, if that is what it is.
func (k *Kernel) cannot(m dataplane.Mode, err error) error {
	if !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EINVAL) {
		return err
	}
	return fmt.Errorf("mode %v cannot be had on this kernel: %w", m, err)
}

// vlanState is a VLAN of a bridge port.
type vlanState struct {
	flags  uint16 // BRIDGE_VLAN_INFO_…
	state  uint8  // as the states of STP
	tunnel uint32 // the VNI; 0: none
}

// What the kernel calls the messages and attributes of VLANs and VNI filters; x/sys has not got them.
const (
	rtmNewVLAN   = 112
	rtmDelVLAN   = 113
	rtmGetVLAN   = 114
	rtmNewTunnel = 120
	rtmDelTunnel = 121

	vlanDBEntry       = 1 // BRIDGE_VLANDB_ENTRY
	vlanDBEntryInfo   = 1
	vlanDBEntryRange  = 2
	vlanDBEntryState  = 3
	vlanDBEntryTunnel = 4
	vlanDBTunnelID    = 1

	bridgeVLANInfo       = 2 // IFLA_BRIDGE_VLAN_INFO
	bridgeVLANTunnelInfo = 3
	bridgeVLANTunnelID   = 1
	bridgeVLANTunnelVID  = 2

	vniFilterEntry      = 1 // VXLAN_VNIFILTER_ENTRY
	vniFilterEntryStart = 1

	vxlanVNIFilter = 30 // IFLA_VXLAN_VNIFILTER

	stateForwarding = 3
	stateBlocking   = 4
)

func nest(buf []byte, kind uint16, inner []byte) []byte {
	return attr(buf, kind|unix.NLA_F_NESTED, inner)
}

func attr16(buf []byte, kind, v uint16) []byte {
	var value [2]byte
	binary.NativeEndian.PutUint16(value[:], v)
	return attr(buf, kind, value[:])
}

// vlanInfo is a struct bridge_vlan_info: flags (16 bits), VID (16).
func vlanInfo(flags, vid uint16) []byte {
	return binary.NativeEndian.AppendUint16(binary.NativeEndian.AppendUint16(nil, flags), vid)
}

// portVLAN puts a bridge port into a VLAN, withoutVLAN takes it out, portTunnel says which VNI the VLAN is.
func portVLAN(link int, vid, flags uint16) message {
	return message{unix.RTM_SETLINK, 0, nest(linkBody(unix.AF_BRIDGE, link), unix.IFLA_AF_SPEC, attr(nil, bridgeVLANInfo, vlanInfo(flags, vid)))}
}

func withoutVLAN(link int, vid uint16) message {
	return message{unix.RTM_DELLINK, 0, nest(linkBody(unix.AF_BRIDGE, link), unix.IFLA_AF_SPEC, attr(nil, bridgeVLANInfo, vlanInfo(0, vid)))}
}

func portTunnel(link int, vid uint16, vni dataplane.VNI) message {
	info := attr16(attr32(nil, bridgeVLANTunnelID, uint32(vni)), bridgeVLANTunnelVID, vid)
	return message{unix.RTM_SETLINK, 0, nest(linkBody(unix.AF_BRIDGE, link), unix.IFLA_AF_SPEC, nest(nil, bridgeVLANTunnelInfo, info))}
}

// tunnelBody is a struct tunnel_msg or br_vlan_msg: family (8 bits), flags (8), 0 (16), index (32).
func tunnelBody(link int) []byte {
	b := make([]byte, 8)
	b[0] = unix.AF_BRIDGE
	binary.NativeEndian.PutUint32(b[4:], uint32(link))
	return b
}

// tunnelVNI lets a VNI into a VXLAN device's filter, withoutVNI takes it out.
func tunnelVNI(link int, vni dataplane.VNI) message {
	return message{rtmNewTunnel, 0, nest(tunnelBody(link), vniFilterEntry, attr32(nil, vniFilterEntryStart, uint32(vni)))}
}

func withoutVNI(link int, vni dataplane.VNI) message {
	m := tunnelVNI(link, vni)
	return message{rtmDelTunnel, 0, m.body}
}

// vlanForwarding has a bridge port in a VLAN, tagged, with or without frames.
func vlanForwarding(link int, vid uint16, open bool) message {
	state := uint8(stateBlocking)
	if open {
		state = stateForwarding
	}
	entry := attr8(attr(nil, vlanDBEntryInfo, vlanInfo(0, vid)), vlanDBEntryState, state)
	return message{rtmNewVLAN, 0, nest(tunnelBody(link), vlanDBEntry, entry)}
}

// externalVXLAN makes a VXLAN device that is told the VNI of each frame, and takes those in its filter.
func externalVXLAN(n dataplane.Network, port uint16) message {
	data := attr8(attr8(attr8(nil, nl.IFLA_VXLAN_FLOWBASED, 1), vxlanVNIFilter, 1), nl.IFLA_VXLAN_LEARNING, 0)
	data = attr(data, nl.IFLA_VXLAN_PORT, binary.BigEndian.AppendUint16(nil, port))
	local := uint16(nl.IFLA_VXLAN_LOCAL)
	if n.VTEP.Is6() {
		local = nl.IFLA_VXLAN_LOCAL6
	}
	data = attr(data, local, n.VTEP.AsSlice())
	body := attr(linkBody(unix.AF_UNSPEC, 0), unix.IFLA_IFNAME, append([]byte(n.VXLAN), 0))
	body = nest(body, unix.IFLA_LINKINFO, nest(attr(nil, nl.IFLA_INFO_KIND, []byte("vxlan\x00")), nl.IFLA_INFO_DATA, data))
	return message{unix.RTM_NEWLINK, unix.NLM_F_CREATE | unix.NLM_F_EXCL, body}
}

// vlanDevice makes the device of a bridge's VLAN; silent keeps it from having IPv6 addresses.
func vlanDevice(name string, bridge int, vid uint16) message {
	body := attr(linkBody(unix.AF_UNSPEC, 0), unix.IFLA_IFNAME, append([]byte(name), 0))
	body = attr32(body, unix.IFLA_LINK, uint32(bridge))
	body = nest(body, unix.IFLA_LINKINFO, nest(attr(nil, nl.IFLA_INFO_KIND, []byte("vlan\x00")), nl.IFLA_INFO_DATA, attr16(nil, nl.IFLA_VLAN_ID, vid)))
	return message{unix.RTM_NEWLINK, unix.NLM_F_CREATE | unix.NLM_F_EXCL, body}
}

func silent(name string) message {
	const none = 1 // IN6_ADDR_GEN_MODE_NONE
	body := attr(linkBody(unix.AF_UNSPEC, 0), unix.IFLA_IFNAME, append([]byte(name), 0))
	body = nest(body, unix.IFLA_AF_SPEC, nest(nil, unix.AF_INET6, attr8(nil, unix.IFLA_INET6_ADDR_GEN_MODE, none)))
	return message{unix.RTM_SETLINK, 0, body}
}

func putUp(name string) message {
	b := linkBody(unix.AF_UNSPEC, 0)
	binary.NativeEndian.PutUint32(b[8:], unix.IFF_UP)
	binary.NativeEndian.PutUint32(b[12:], unix.IFF_UP)
	return message{unix.RTM_SETLINK, 0, attr(b, unix.IFLA_IFNAME, append([]byte(name), 0))}
}

// bridgeVLANs lists the VLANs of all bridges and bridge ports by interface index. A kernel that does not know any has none.
func bridgeVLANs(ctx context.Context, c *conn) (map[int]map[uint16]vlanState, error) {
	list, err := c.dump(ctx, message{rtmGetVLAN, 0, tunnelBody(0)})
	if err != nil {
		return nil, err
	}
	all := make(map[int]map[uint16]vlanState)
	for _, b := range list {
		if len(b) < 8 {
			continue
		}
		index := int(binary.NativeEndian.Uint32(b[4:]))
		if all[index] == nil {
			all[index] = make(map[uint16]vlanState)
		}
		for kind, value := range attributes(b[8:]) {
			if kind == vlanDBEntry {
				addVLANs(all[index], value)
			}
		}
	}
	return all, nil
}

// addVLANs reads an entry, which may stand for VLANs one after the other, with VNIs one after the other.
func addVLANs(to map[uint16]vlanState, entry []byte) {
	var first, last uint16
	var s vlanState
	for kind, value := range attributes(entry) {
		switch {
		case kind == vlanDBEntryInfo && len(value) == 4:
			s.flags, first = binary.NativeEndian.Uint16(value), binary.NativeEndian.Uint16(value[2:])
		case kind == vlanDBEntryRange && len(value) == 2:
			last = binary.NativeEndian.Uint16(value)
		case kind == vlanDBEntryState && len(value) == 1:
			s.state = value[0]
		case kind == vlanDBEntryTunnel:
			for kind, value := range attributes(value) {
				if kind == vlanDBTunnelID && len(value) == 4 {
					s.tunnel = binary.NativeEndian.Uint32(value)
				}
			}
		}
	}
	for vid := first; vid <= max(first, last); vid++ {
		to[vid] = s
		if s.tunnel != 0 {
			s.tunnel++
		}
	}
}
