package config

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/tns-project/tns/evpn"
)

// tes checks tesd's file.
func (c *checker) tes(raw *rawTES) *TES {
	t := &TES{
		Control:        preset(c, "control", raw.Control, tesdControl),
		GoBGP:          preset(c, "gobgp", raw.GoBGP, gobgpAPI),
		GoBGPWrite:     preset(c, "gobgp_write", raw.GoBGPWrite, gobgpWrite),
		Metrics:        preset(c, "metrics", raw.Metrics, metrics),
		Record:         preset(c, "record", raw.Record, record),
		BeaconInterval: preset(c, "beacon_interval", raw.BeaconInterval, beaconInterval),
		BeaconLifetime: preset(c, "beacon_lifetime", raw.BeaconLifetime, beaconLifetime),
		ResponseTime:   preset(c, "response_time", raw.ResponseTime, responseTime),
		RetryMax:       preset(c, "retry_max", raw.RetryMax, retryMax),
		Log:            c.log(&raw.Log),
	}
	var ok bool
	if t.ID, ok = need(c, "tes_id", raw.ID, routerID); ok {
		t.NextHop = t.ID.Addr()
	}
	t.AS, _ = need(c, "as", raw.AS, asNumber)
	if address, ok := allow(c, "next_hop", raw.NextHop, sessionAddress); ok {
		t.NextHop = address
	}
	t.State, _ = need(c, "state", raw.State, tesdState)

	t.NVEs = c.nvePeers(raw.NVEs, t.ID)
	t.Tagging = c.hostTagging(&raw.Tagging)
	t.VNs = c.hostVNs(raw.VNs, t.NVEs, c.tellNVEs(raw.NVEs))
	c.hostBridges(raw.VNs, t)
	if t.BeaconLifetime <= t.BeaconInterval && c.sound("beacon_interval") && c.sound("beacon_lifetime") {
		text := short(t.BeaconLifetime)
		c.report("beacon_lifetime", &text, fmt.Sprintf("not above beacon_interval, %s", short(t.BeaconInterval)), "want a multiple of the interval, so that a lost beacon does no harm")
	}
	c.places([]place{{"state", t.State}, {"control", t.Control}, {"gobgp", t.GoBGP}, {"metrics", t.Metrics}, {"record", t.Record}})
	return t
}

// nvePeers checks the NVEs, and the reflectors that they are behind.
func (c *checker) nvePeers(raw []rawNVEPeer, tes evpn.RouterID) []NVEPeer {
	if len(raw) == 0 && c.sound("nves") && (raw != nil || !c.lost("nves")) {
		c.report("nves", nil, "missing", "want at least one NVE, such as {address: 192.0.2.1, as: 65000, nve_id: 192.0.2.1}")
	}
	var peers []NVEPeer
	ids := firsts[evpn.RouterID]{}
	for i := range raw {
		key, r := index("nves", i), &raw[i]
		address, _ := need(c, join(key, "address"), r.Address, sessionAddress)
		as, _ := need(c, join(key, "as"), r.AS, asNumber)
		id, ok := need(c, join(key, "nve_id"), r.ID, routerID)
		if ok {
			ids.once(c, id, join(key, "nve_id"), r.ID, "an NVE has one entry")
		}
		if ok && id == tes {
			c.report(join(key, "nve_id"), r.ID, "this TES's own tes_id", "want another identifier on each machine")
		}
		s := c.session(key, &r.rawSession, address)
		p := NVEPeer{
			Address: address, AS: as, NVEID: id, Port: s.Port, LocalAddress: s.LocalAddress,
			HoldTime: s.HoldTime, ConnectRetry: s.ConnectRetry, MultihopTTL: s.MultihopTTL, Password: s.Password,
			TTLSecurityHops: s.TTLSecurityHops, MessageRate: s.MessageRate, MaxRoutes: s.MaxRoutes,
		}
		c.oneSession(key, p, peers)
		peers = append(peers, p)
	}
	return peers
}

// oneSession checks that NVEs behind one reflector, which share its session, say the same about it.
func (c *checker) oneSession(key string, p NVEPeer, before []NVEPeer) {
	i := slices.IndexFunc(before, func(other NVEPeer) bool { return other.Address == p.Address })
	if i < 0 || p.Address == (netip.Addr{}) || !c.sound(key) || !c.sound(index("nves", i)) {
		return
	}
	other := before[i]
	other.NVEID = p.NVEID
	if other != p {
		c.report(key, nil, fmt.Sprintf("shares the session to %s with %s, but has other settings for it", p.Address, index("nves", i)), "want the same settings, nve_id aside")
	}
}

// tellNVEs reports whether each entry says which NVE it is, so that one that is not there can be missed.
func (c *checker) tellNVEs(raw []rawNVEPeer) bool {
	return len(raw) > 0 && !c.lost(index("nves", 0)) && !slices.ContainsFunc(raw, func(r rawNVEPeer) bool { return r.ID == nil })
}

// hostVNs checks the VNs of a hypervisor. That an NVE is unknown can be judged if told.
func (c *checker) hostVNs(raw []rawHostVN, nves []NVEPeer, told bool) []VN {
	var vns []VN
	names, numbers := firsts[string]{}, firsts[evpn.VNI]{}
	for i := range raw {
		key, r := index("vns", i), &raw[i]
		vn := VN{PerVMKeepAlive: preset(c, join(key, "keepalive"), r.KeepAlive, perVM)}
		var ok bool
		if vn.Name, ok = need(c, join(key, "name"), r.Name, vnName); ok {
			names.once(c, vn.Name, join(key, "name"), r.Name, "names are unique")
		}
		if vn.VNI, ok = allow(c, join(key, "vni"), r.VNI, vni); ok {
			numbers.once(c, vn.VNI, join(key, "vni"), r.VNI, "VNIs are unique")
		}
		if len(nves) > 0 {
			vn.NVE = nves[0].NVEID
		}
		if id, ok := allow(c, join(key, "nve"), r.NVE, routerID); ok {
			vn.NVE = id
			if told && !slices.ContainsFunc(nves, func(p NVEPeer) bool { return p.NVEID == id }) {
				c.report(join(key, "nve"), r.NVE, "not among nves:", "want the nve_id of one of them")
			}
		}
		vns = append(vns, vn)
	}
	return vns
}
