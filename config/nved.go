package config

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/tns-project/tns/evpn"
)

// nve checks nved's file.
func (c *checker) nve(raw *rawNVE) *NVE {
	n := &NVE{
		UDPPort:     preset(c, "udp_port", raw.UDPPort, udpPort),
		ListenPort:  preset(c, "listen_port", raw.ListenPort, listenPort),
		Listen:      each(c, "listen", raw.Listen, sessionAddress),
		RouteTarget: preset(c, "route_target", raw.RouteTarget, routeTargets),
		Control:     preset(c, "control", raw.Control, nvedControl),
		GoBGPFabric: preset(c, "gobgp.fabric", raw.GoBGP.Fabric, gobgpAPI),
		GoBGPTES:    preset(c, "gobgp.tes", raw.GoBGP.TES, gobgpAPI),
		GoBGPWrite:  preset(c, "gobgp_write", raw.GoBGPWrite, gobgpWrite),
		Metrics:     preset(c, "metrics", raw.Metrics, metrics),
		Lifetimes: Lifetimes{
			PreAssociated: preset(c, "lifetimes.pre_associated", raw.Lifetimes.PreAssociated, preAssociated),
			Associated:    preset(c, "lifetimes.associated", raw.Lifetimes.Associated, associated),
			Suspended:     preset(c, "lifetimes.suspended", raw.Lifetimes.Suspended, suspended),
			Emigrating:    preset(c, "lifetimes.emigrating", raw.Lifetimes.Emigrating, emigrating),
			Orphaned:      preset(c, "lifetimes.orphaned", raw.Lifetimes.Orphaned, orphaned),
			Terminated:    preset(c, "lifetimes.terminated", raw.Lifetimes.Terminated, terminated),
		},
		AssemblyTime: preset(c, "assembly_time", raw.AssemblyTime, assemblyTime),
		WithdrawTime: preset(c, "withdraw_time", raw.WithdrawTime, withdrawTime),
		HoldOnLoss:   preset(c, "hold_on_loss", raw.HoldOnLoss, holdOnLoss),
		StartupHold:  preset(c, "startup_hold", raw.StartupHold, startupHold),
		Duplicate: Duplicate{
			Moves:    preset(c, "duplicate.moves", raw.Duplicate.Moves, duplicateMoves),
			Window:   preset(c, "duplicate.window", raw.Duplicate.Window, duplicateWindow),
			Recovery: preset(c, "duplicate.recovery", raw.Duplicate.Recovery, duplicateRecovery),
		},
		Log: c.log(&raw.Log),
	}
	n.ID, _ = need(c, "nve_id", raw.ID, routerID)
	n.AS, _ = need(c, "as", raw.AS, asNumber)
	n.VTEP, _ = need(c, "vtep", raw.VTEP, tunnelAddress)
	n.State, _ = need(c, "state", raw.State, absolutePath)

	n.Fabric = c.fabric(raw.Fabric)
	n.TES = c.tesPeers(raw.TES, n.ID)
	c.twoPlanes(n.Fabric, n.TES, raw.TES)
	n.VNs = c.edgeVNs(raw.VNs)
	n.Ports = c.ports(raw.Ports, n)
	c.places([]place{
		{"state", n.State}, {"control", n.Control}, {"gobgp.fabric", n.GoBGPFabric}, {"gobgp.tes", n.GoBGPTES}, {"metrics", n.Metrics},
	})
	return n
}

// fabric checks the neighbours in the fabric.
func (c *checker) fabric(raw []rawFabric) []FabricPeer {
	var peers []FabricPeer
	first := firsts[netip.Addr]{}
	for i := range raw {
		key, r := index("fabric", i), &raw[i]
		address, ok := need(c, join(key, "address"), r.Address, sessionAddress)
		if ok {
			first.once(c, address, join(key, "address"), r.Address, "a neighbour has one entry")
		}
		as, _ := need(c, join(key, "as"), r.AS, asNumber)
		s := c.session(key, &r.rawSession, address)
		peers = append(peers, FabricPeer{
			Address: address, AS: as, Port: s.Port, LocalAddress: s.LocalAddress,
			HoldTime: s.HoldTime, ConnectRetry: s.ConnectRetry, MultihopTTL: s.MultihopTTL, Password: s.Password,
		})
	}
	return peers
}

// tesPeers checks the TESs, and the reflectors that they are behind.
func (c *checker) tesPeers(raw []rawTESPeer, nve evpn.RouterID) []TESPeer {
	var peers []TESPeer
	first := firsts[netip.Prefix]{}
	for i := range raw {
		key, r := index("tes", i), &raw[i]
		p := TESPeer{Reflector: preset(c, join(key, "reflector"), r.Reflector, reflector)}
		where, text := join(key, "address"), r.Address
		if r.Prefix != nil {
			where, text = join(key, "prefix"), r.Prefix
		}
		p.Prefix = c.tesPrefix(key, r, p.Reflector)
		if p.Prefix.IsValid() {
			first.once(c, p.Prefix, where, text, "a neighbour has one entry")
		}
		if p.Reflector {
			p.AS, _ = need(c, join(key, "as"), r.AS, asNumber)
		} else {
			p.AS, _ = allow(c, join(key, "as"), r.AS, asNumber)
		}
		p.IDs = c.tesIDs(key, r, p)
		if slices.Contains(p.IDs, nve) && nve != 0 {
			c.report(key, nil, fmt.Sprintf("the TES-ID %s is this NVE's own nve_id", nve), "want another identifier on each machine")
		}

		var remote netip.Addr
		if p.Prefix.IsSingleIP() {
			remote = p.Prefix.Addr()
		}
		s := c.session(key, &r.rawSession, remote)
		p.LocalAddress, p.HoldTime, p.MultihopTTL, p.Password = s.LocalAddress, s.HoldTime, s.MultihopTTL, s.Password
		if p.Reflector {
			p.Port, p.ConnectRetry = s.Port, s.ConnectRetry
		} else if c.sound(join(key, "reflector")) {
			c.passive(join(key, "port"), r.Port)
			c.passive(join(key, "connect_retry"), r.ConnectRetry)
		}
		peers = append(peers, p)
	}
	return peers
}

// passive refuses a key that means nothing where the neighbour connects to us.
func (c *checker) passive(key string, text *string) {
	if text != nil && c.sound(key) {
		c.report(key, text, "for reflectors only, since a TES connects to us", "leave it out, or set reflector: true")
	}
}

// tesPrefix is an entry's address as a prefix, or its prefix; the zero Prefix if wrong.
func (c *checker) tesPrefix(key string, raw *rawTESPeer, reflector bool) netip.Prefix {
	switch {
	case raw.Prefix != nil && raw.Address != nil:
		c.report(join(key, "prefix"), raw.Prefix, "given beside address", "keep one of the two")
	case raw.Prefix != nil && reflector:
		c.report(join(key, "prefix"), raw.Prefix, "a reflector cannot be a prefix, since we connect to it", "want address")
	case raw.Prefix != nil:
		prefix, _ := allow(c, join(key, "prefix"), raw.Prefix, sessionPrefix)
		return prefix
	case raw.Address == nil && !c.sound(join(key, "prefix")):
	default:
		if address, ok := need(c, join(key, "address"), raw.Address, sessionAddress); ok {
			return netip.PrefixFrom(address, address.BitLen())
		}
	}
	return netip.Prefix{}
}

// tesIDs is which TES-IDs an entry may speak for: those given, or the neighbour's own address.
func (c *checker) tesIDs(key string, raw *rawTESPeer, p TESPeer) []evpn.RouterID {
	one, list := join(key, "tes_id"), join(key, "tes_ids")
	switch {
	case !c.sound(one) || !c.sound(list):
	case raw.ID != nil && raw.IDs != nil:
		c.report(one, raw.ID, "given beside tes_ids", "keep one of the two")
	case raw.ID != nil && p.Reflector:
		c.report(one, raw.ID, "TESs behind a reflector are listed", fmt.Sprintf("want tes_ids: [%s]", *raw.ID))
	case raw.ID != nil:
		if id, ok := allow(c, one, raw.ID, routerID); ok {
			return []evpn.RouterID{id}
		}
	case raw.IDs != nil:
		if len(raw.IDs) == 0 {
			c.report(list, nil, "an empty list", "list at least one TES-ID, or leave the key out")
		}
		return each(c, list, raw.IDs, routerID)
	case p.Reflector:
		c.report(list, nil, "missing", "want the TES-IDs of the TESs behind the reflector, such as [198.51.100.11, 198.51.100.12]")
	case !p.Prefix.IsValid():
	case p.Prefix.Addr().Is6():
		c.report(list, nil, "missing", "want the TES-IDs, since the neighbour's own address, an IPv6 one, cannot be one")
	case raw.Address != nil:
		id, err := evpn.RouterIDFromAddr(p.Prefix.Addr())
		if err != nil {
			c.report(one, nil, "missing", fmt.Sprintf("the neighbour's own address %s cannot be one: want %s", p.Prefix.Addr(), routerID.right))
			return nil
		}
		return []evpn.RouterID{id}
	}
	return nil
}

// twoPlanes checks that a neighbour of both planes has a session from an address of its own for each (SPEC §1).
func (c *checker) twoPlanes(fabric []FabricPeer, tes []TESPeer, raw []rawTESPeer) {
	for j, t := range tes {
		for i, f := range fabric {
			if !t.Prefix.IsSingleIP() || t.Prefix.Addr() != f.Address {
				continue
			}
			if !f.LocalAddress.IsValid() || !t.LocalAddress.IsValid() || f.LocalAddress == t.LocalAddress {
				c.report(join(index("tes", j), "local_address"), raw[j].LocalAddress,
					fmt.Sprintf("%s has a session to %s too", index("fabric", i), f.Address),
					"want a local_address in both entries, two different ones")
			}
		}
	}
}

// edgeVNs checks the VNs of an edge.
func (c *checker) edgeVNs(raw []rawEdgeVN) []VN {
	var vns []VN
	names, numbers, devices := firsts[string]{}, firsts[evpn.VNI]{}, firsts[string]{}
	for i := range raw {
		key, r := index("vns", i), &raw[i]
		name, ok := need(c, join(key, "name"), r.Name, vnName)
		if ok {
			names.once(c, name, join(key, "name"), r.Name, "names are unique")
		}
		n, ok := need(c, join(key, "vni"), r.VNI, vni)
		if ok {
			ok = numbers.once(c, n, join(key, "vni"), r.VNI, "VNIs are unique")
		}
		vn := VN{
			Name:           name,
			VNI:            n,
			Import:         each(c, join(key, "import"), r.Import, routeTarget),
			Export:         each(c, join(key, "export"), r.Export, routeTarget),
			PerVMKeepAlive: preset(c, join(key, "keepalive"), r.KeepAlive, perVM),
			MTU:            preset(c, join(key, "mtu"), r.MTU, mtu),
		}
		vn.Bridge = c.device(join(key, "bridge"), r.Bridge, fmt.Sprintf("tnsbr%d", n), ok, devices)
		vn.VXLAN = c.device(join(key, "vxlan"), r.VXLAN, fmt.Sprintf("tnsvx%d", n), ok, devices)
		vns = append(vns, vn)
	}
	return vns
}

// device is the name of a device of a VN: the one given, or name if that is a default (its VNI is sound). No two are equal.
func (c *checker) device(key string, text *string, name string, isDefault bool, devices firsts[string]) string {
	if text != nil {
		given, ok := allow(c, key, text, deviceName)
		if ok {
			devices.once(c, given, key, text, "each VN has devices of its own")
		}
		return given
	}
	if isDefault && c.sound(key) {
		devices.once(c, name, key, &name, "each VN has devices of its own")
	}
	return name
}

// ports checks the ports, and that their VNs and TESs are known.
func (c *checker) ports(raw []rawPort, n *NVE) []Port {
	type pair struct {
		vn  string
		tes evpn.RouterID
	}
	var ports []Port
	names, pairs := firsts[string]{}, map[pair]string{}
	for i := range raw {
		key, r := index("ports", i), &raw[i]
		p := Port{Mode: preset(c, join(key, "mode"), r.Mode, portMode)}
		var ok bool
		if p.Name, ok = need(c, join(key, "port"), r.Port, deviceName); ok {
			names.once(c, p.Name, join(key, "port"), r.Port, "a port belongs to one VN")
			c.notOfVN(join(key, "port"), r.Port, n.VNs)
		}
		p.VN = c.portVN(join(key, "vn"), r.VN, n.VNs)
		if len(r.TES) == 0 && c.sound(join(key, "tes")) {
			c.report(join(key, "tes"), nil, "missing", "want the TES-IDs of the TESs behind the port, such as [198.51.100.11]")
		}
		p.TES = each(c, join(key, "tes"), r.TES, routerID)
		for _, tes := range p.TES {
			if c.sound("tes") && !slices.ContainsFunc(n.TES, func(t TESPeer) bool { return t.speaksFor(tes) }) {
				text := tes.String()
				c.report(join(key, "tes"), &text, "no entry of tes: may speak for that TES-ID", "want one of those in tes:, or an entry for it there")
			}
			if other, taken := pairs[pair{p.VN, tes}]; taken && p.VN != "" {
				text := tes.String()
				c.report(join(key, "tes"), &text, fmt.Sprintf("behind %s in VN %q too", other, p.VN), "want one port for each VN and TES")
			}
			pairs[pair{p.VN, tes}] = key
		}
		ports = append(ports, p)
	}
	return ports
}

// portVN is the name of a port's VN.
func (c *checker) portVN(key string, text *string, vns []VN) string {
	name, ok := need(c, key, text, kind[string]{"the name of one of vns:", func(s string) (string, error) { return s, nil }})
	unread := len(vns) == 0 && !c.sound("vns")
	if !ok || unread || slices.ContainsFunc(vns, func(vn VN) bool { return vn.Name == name || vn.Name == "" }) {
		return name
	}
	for _, vn := range vns {
		if name == fmt.Sprint(vn.VNI) {
			c.report(key, text, "a VNI", fmt.Sprintf("want the VN's name, %q", vn.Name))
			return ""
		}
	}
	c.report(key, text, "unknown VN", "want the name of one of vns:")
	return ""
}

// notOfVN refuses a port that is a VN's own bridge or VXLAN device.
func (c *checker) notOfVN(key string, text *string, vns []VN) {
	for i, vn := range vns {
		if *text == vn.Bridge || *text == vn.VXLAN {
			c.report(key, text, fmt.Sprintf("a device of %s", index("vns", i)), "want the port that TESs are behind")
			return
		}
	}
}

// speaksFor reports whether the neighbour may speak for a TES-ID.
func (t *TESPeer) speaksFor(id evpn.RouterID) bool {
	if len(t.IDs) > 0 {
		return slices.Contains(t.IDs, id)
	}
	return t.Prefix.Contains(id.Addr())
}
