package linux

import (
	"net/netip"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/dataplane/linux/nft"
)

// view puts a network's entries together from what the kernel's tables hold.
type view struct {
	network *network
	counted bool // there are sets of active sources
	ports   map[int]string
	macs    map[dataplane.MAC]*traces
	others  []dataplane.Entry
}

// traces are what the tables hold of one MAC.
type traces struct {
	link   int // the bridge's: port or VXLAN device; 0: none
	vteps  []netip.Addr
	taken  []netip.Addr // without the mark: ours if the bridge's entry is
	active []string     // ports whose set of sources has it
}

func newView(n *network, table *nft.Table) *view {
	v := &view{network: n, counted: table != nil, ports: make(map[int]string), macs: make(map[dataplane.MAC]*traces)}
	for name, index := range n.ports {
		v.ports[index] = name
		if table == nil || n.trunk(name) {
			continue
		}
		for _, mac := range table.Active(n.device(name)) {
			t := v.mac(mac)
			t.active = append(t.active, name)
		}
	}
	return v
}

func (v *view) mac(mac dataplane.MAC) *traces {
	t, ok := v.macs[mac]
	if !ok {
		t = new(traces)
		v.macs[mac] = t
	}
	return t
}

// forwarding takes an entry of the bridge or the VXLAN device. It reports whether it is ours.
func (v *view) forwarding(n neigh) bool {
	if v.network.shared() && (n.self() && n.vni != uint32(v.network.VNI) || !n.self() && n.vlan != v.network.vlan) {
		return false
	}
	_, port := v.ports[n.link]
	vxlan := n.link == v.network.vxlan && n.link != 0
	switch {
	case n.self() && vxlan && n.mac == (dataplane.MAC{}) && n.dst.IsValid():
		v.others = append(v.others, dataplane.Entry{Key: dataplane.Key{Kind: dataplane.Flood, VNI: v.network.VNI, IP: n.dst}})
	case n.self() && vxlan && n.marked():
		t := v.mac(n.mac)
		t.vteps = append(t.vteps, n.dst)
	case n.self() && vxlan:
		t := v.mac(n.mac)
		t.taken = append(t.taken, n.dst)
	case !n.marked():
		return false
	case !n.self() && (port || vxlan):
		v.mac(n.mac).link = n.link
	default:
		return false
	}
	return true
}

// neighbor takes a marked neighbour of the bridge.
func (v *view) neighbor(n neigh) {
	v.others = append(v.others, dataplane.Entry{
		Key:      dataplane.Key{Kind: dataplane.Neighbor, VNI: v.network.VNI, IP: n.dst},
		LinkAddr: n.mac,
	})
}

// open takes the flags of the bridge ports.
func (v *view) open(flags map[int]portFlags, vlans map[int]map[uint16]vlanState) {
	for index, name := range v.ports {
		if v.network.trunk(name) {
			if s, member := vlans[index][v.network.vlan]; member && s.state == stateForwarding {
				v.others = append(v.others, dataplane.Entry{Key: dataplane.Key{Kind: dataplane.Port, VNI: v.network.VNI, Port: name}, Open: true})
			}
			continue
		}
		if !closedPort.in(flags[index]) {
			v.others = append(v.others, dataplane.Entry{
				Key:  dataplane.Key{Kind: dataplane.Port, VNI: v.network.VNI, Port: name},
				Open: openPort.in(flags[index]),
			})
		}
	}
}

// entries is all that was taken.
func (v *view) entries() []dataplane.Entry {
	all := v.others
	for mac, t := range v.macs {
		if t.link != 0 {
			t.vteps = append(t.vteps, t.taken...)
		}
		if t.link != 0 || len(t.vteps)+len(t.active) > 0 {
			all = append(all, v.unicast(mac, t))
		}
	}
	return all
}

// unicast is the entry that the traces are of, without a place if they do not agree.
func (v *view) unicast(mac dataplane.MAC, t *traces) dataplane.Entry {
	e := dataplane.Entry{Key: dataplane.Key{Kind: dataplane.Unicast, VNI: v.network.VNI, MAC: mac}}
	port, local := v.ports[t.link]
	switch {
	case local && len(t.vteps) == 0 && (!v.counted || v.network.trunk(port) || len(t.active) == 1 && t.active[0] == port):
		e.LocalPort = port
	case !local && t.link != 0 && len(t.vteps) == 1 && len(t.active) == 0:
		e.VTEP = t.vteps[0]
	}
	return e
}
