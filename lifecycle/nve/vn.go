package nve

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/policy"
)

// vn is a VN and who holds it.
type vn struct {
	VN
	hash     evpn.VNName
	answerRD evpn.RouteDistinguisher
	fabricRD evpn.RouteDistinguisher
	edge     evpn.RouterID            // ours
	port     map[evpn.RouterID]string // where a TES is
	segments map[string]string        // of its tagged ports
	servers  map[evpn.MAC]string      // where a server's NIC is
	members  map[*record]struct{}
	active   map[string]int // MACs that are active, by port
	carried  map[string]int // (VN, MAC)s of records, by tagged port
	stations map[evpn.MAC]*station
	floods   map[netip.Addr]*flood

	neighbors map[netip.Addr]*station // whose suppression entry the kernel has
	leaving   bool                    // it is not in the next configuration, which takes over at once
	pinned    map[netip.Addr]*station // IPs in sticky routes of other edges

	communities []evpn.ExtendedCommunity // of each of its fabric routes

	rulings map[policy.ID]*ruling // that were asked for; the zero ID is no profile
}

// addVN takes up a VN of the configuration.
func (e *Edge) addVN(c VN, all *numbers) error {
	n, err := all.of(c.VNI)
	if err != nil {
		return fmt.Errorf("VN %s: %w", c.Name, err)
	}
	v := &vn{
		VN: c, hash: evpn.HashVNName(c.Name),
		answerRD: evpn.NewRD(e.config.ID, n), fabricRD: evpn.NewRD(e.config.ID, n+1),
		edge: e.config.ID, port: map[evpn.RouterID]string{}, segments: map[string]string{}, servers: map[evpn.MAC]string{}, members: map[*record]struct{}{}, active: map[string]int{}, carried: map[string]int{}, stations: map[evpn.MAC]*station{}, floods: map[netip.Addr]*flood{},
		neighbors: map[netip.Addr]*station{}, pinned: map[netip.Addr]*station{}, rulings: map[policy.ID]*ruling{},
	}
	if len(v.Export) == 0 {
		v.Export = []evpn.RouteTarget{evpn.AutoRouteTarget(e.config.AS, c.VNI)}
	}
	v.communities = communitiesOf(v.Export)
	for _, p := range c.Ports {
		e.ports[p.Name] = p
		if p.Segment != "" {
			v.segments[p.Name] = p.Segment
		}
		for _, id := range p.TES {
			v.port[id] = p.Name
		}
	}
	e.vns[c.VNI] = v
	e.byName[v.hash], e.named[c.Name] = v, v
	return nil
}

// imports is the VN that a route's targets and label name; nil: none of ours. A VN without an import list takes AS:VNI of any AS, and the auto-derived form of
// RFC 8365 §5.1.2.1 (FRR does the same: the AS of other edges need not be ours).
func (e *Edge) imports(r *evpn.Route) *vn {
	label := r.Label
	if r.Type == evpn.InclusiveMulticast && r.PMSI != nil {
		label = r.PMSI.Label
	}
	v := e.vns[label]
	if v == nil {
		return nil
	}
	for _, c := range r.Communities {
		rt, ok := c.RouteTarget()
		if !ok {
			continue
		}
		if len(v.Import) == 0 {
			if vni, ok := automatic(rt); ok && vni == v.VNI {
				return v
			}
		} else if slices.Contains(v.Import, rt) {
			return v
		}
	}
	return nil
}

// automatic is the VNI of a route target that was derived from one.
func automatic(rt evpn.RouteTarget) (evpn.VNI, bool) {
	if rt[0] == 0x02 && rt[1] == 0x02 { // four-octet AS, 16-bit number
		return evpn.VNI(binary.BigEndian.Uint16(rt[6:])), true
	}
	return rt.VNI()
}

// join makes the record hold the VN: with the first member come the VN's type 3 route, its flood list and the other edges' MACs.
func (e *Edge) join(v *vn, r *record) {
	if _, ok := v.members[r]; ok {
		return
	}
	v.members[r] = struct{}{}
	if len(v.members) > 1 {
		return
	}
	e.toFabric(v.VNI, e.multicastRoute(v))
	e.syncRemotes(v)
}

// leave takes the VN from the record, and everything of the VN away with the last one.
func (e *Edge) leave(v *vn, r *record) {
	if _, ok := v.members[r]; !ok {
		return
	}
	delete(v.members, r)
	if len(v.members) > 0 {
		return
	}
	e.fromFabric(v.VNI, e.multicastRoute(v).RouteKey)
	e.syncRemotes(v)
}

// multicastRoute is the VN's inclusive multicast route: PMSI ingress replication with the VNI as label (RFC 7432 §11.2, RFC 8365 §5.1.3 and §9).
func (e *Edge) multicastRoute(v *vn) evpn.Route {
	return evpn.Route{
		RouteKey:    evpn.RouteKey{Type: evpn.InclusiveMulticast, RD: v.fabricRD, IP: e.config.VTEP},
		NextHop:     e.config.VTEP,
		PMSI:        &evpn.PMSITunnel{Type: evpn.IngressReplication, Label: v.VNI, ID: e.config.VTEP},
		Communities: slices.Concat(v.communities, e.edgeCommunity()),
	}
}

// communitiesOf is what every fabric route of a VN carries.
func communitiesOf(export []evpn.RouteTarget) []evpn.ExtendedCommunity {
	cs := make([]evpn.ExtendedCommunity, 0, len(export)+1)
	for _, rt := range export {
		cs = append(cs, evpn.ExtendedCommunity(rt))
	}
	return append(cs, evpn.EncapsulationVXLAN)
}

// opened counts an active MAC on the port by n; the port lets broadcast through while there is one.
func (e *Edge) opened(v *vn, port string, n int) {
	if port == "" {
		return
	}
	before := v.active[port] > 0
	v.active[port] += n
	after := v.active[port] > 0
	if !after {
		delete(v.active, port)
	}
	if after != before {
		k := dataplane.Key{Kind: dataplane.Port, VNI: dataplane.VNI(v.VNI), Port: port}
		if after {
			e.Forwarder.Set(dataplane.Entry{Key: k, Open: true})
		} else {
			e.Forwarder.Unset(k)
		}
	}
}

// flood is one other edge's membership of a VN.
type flood struct {
	routes  map[remoteKey]*fabricPeer // the type 3 routes that say so
	written bool
}

// syncRemotes writes the VN's flood list and the other edges' MACs, or takes them away when nobody here holds the VN.
func (e *Edge) syncRemotes(v *vn) {
	for _, vtep := range keysOf(v.floods, netip.Addr.Compare) {
		e.syncFlood(v, vtep)
	}
	for _, mac := range keysOf(v.stations, func(a, b evpn.MAC) int { return bytes.Compare(a[:], b[:]) }) {
		e.settle(v.stations[mac])
	}
}

func (e *Edge) syncFlood(v *vn, vtep netip.Addr) {
	f := v.floods[vtep]
	key := dataplane.Key{Kind: dataplane.Flood, VNI: dataplane.VNI(v.VNI), IP: vtep}
	if f == nil {
		return
	}
	switch want := e.floods(f) && len(v.members) > 0; {
	case want && !f.written:
		e.Forwarder.Set(dataplane.Entry{Key: key, VTEP: vtep})
		f.written = true
	case !want && f.written:
		e.Forwarder.Unset(key)
		f.written = false
	}
	if len(f.routes) == 0 {
		delete(v.floods, vtep)
	}
}

// floods reports whether another edge's membership counts.
func (e *Edge) floods(f *flood) bool {
	for k, from := range f.routes {
		if !e.overruled(from, k.key.RD) {
			return true
		}
	}
	return false
}
