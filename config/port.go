package config

import (
	"fmt"
	"slices"

	"github.com/tns-project/tns/evpn"
)

// ports checks the ports, and that their VNs and TESs are known. That a TES is unknown can be judged if told. A port whose name is wrong has none.
func (c *checker) ports(raw []rawPort, n *NVE, told bool) []Port {
	type pair struct {
		vn  string
		tes evpn.RouterID
	}
	var ports []Port
	names, pairs := firsts[string]{}, map[pair]string{}
	for i := range raw {
		key, r := index("ports", i), &raw[i]
		p := Port{
			Bandwidth: preset(c, join(key, "bandwidth"), r.Bandwidth, bandwidth),
			Mode:      preset(c, join(key, "mode"), r.Mode, portMode),
		}
		var ok bool
		if p.Name, ok = need(c, join(key, "port"), r.Port, deviceName); ok {
			names.once(c, p.Name, join(key, "port"), r.Port, "list a port once, with vns: for several VNs")
			c.notOfVN(join(key, "port"), r.Port, n.VNs)
		}
		if !c.sound(join(key, "port")) {
			p.Name = ""
		}
		c.tagging(key, r, &p, n.VNs)
		p.TES = c.knownTESs(join(key, "tes"), r.TES, n.TES, told)
		for _, tes := range p.TES {
			if tes == n.ID {
				text := tes.String()
				c.report(join(key, "tes"), &text, "this NVE's own nve_id", "want TESs; what this edge speaks for itself is in servers:")
			}
			for _, vn := range p.VNs {
				if other, taken := pairs[pair{vn.Name, tes}]; taken && vn.Name != "" {
					text := tes.String()
					c.report(join(key, "tes"), &text, fmt.Sprintf("behind %s in VN %q too", other, vn.Name), "want one port for each VN and TES")
				}
				pairs[pair{vn.Name, tes}] = key
			}
		}
		ports = append(ports, p)
	}
	c.segments(raw, ports)
	return ports
}

// knownTESs is a list of TESs, each of which somebody may speak for. That one is unknown can be judged if told.
func (c *checker) knownTESs(key string, raw []string, peers []TESPeer, told bool) []evpn.RouterID {
	ids := each(c, key, raw, routerID)
	for _, id := range ids {
		if told && !slices.ContainsFunc(peers, func(t TESPeer) bool { return t.speaksFor(id) }) {
			text := id.String()
			c.report(key, &text, "no entry of tes: may speak for that TES-ID", "want one of those in tes:, or an entry for it there")
		}
	}
	return ids
}

// vnOf is the name of a VN that something belongs to.
func (c *checker) vnOf(key string, text *string, vns []VN) string {
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
