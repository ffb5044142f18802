package config

import (
	"fmt"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/policy"
)

// edgeVNs checks the VNs of an edge. That a TES is unknown can be judged if told.
func (c *checker) edgeVNs(raw []rawEdgeVN, peers []TESPeer, told bool) []VN {
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
			Credentialed:   preset(c, join(key, "authorization"), r.Authorize, credentialed),
			TES:            c.knownTESs(join(key, "tes"), r.TES, peers, told),
			Tenant:         preset(c, join(key, "tenant"), r.Tenant, setting[string]{plainName, ""}),
			DefaultPolicy:  preset(c, join(key, "default_policy"), r.Policy, setting[policy.ID]{policyID, policy.ID{}}),
			MaxVMs:         preset(c, join(key, "max_vms"), r.MaxVMs, maxVMs),
			MaxVMsPerTES:   preset(c, join(key, "max_vms_per_tes"), r.MaxPerTES, maxVMs),
			MaxMACs:        preset(c, join(key, "max_macs"), r.MaxMACs, maxMACs),
		}
		if r.TES != nil && len(r.TES) == 0 {
			c.report(join(key, "tes"), nil, "an empty list", "list at least one TES-ID, or leave the key out")
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
