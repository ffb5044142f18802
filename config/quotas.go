package config

import "slices"

// quotas checks what the edge as a whole gives, and that each tenant has a VN.
func (c *checker) quotas(raw *rawQuotas, vns []VN) Quotas {
	q := Quotas{
		MaxVMsPerTES: preset(c, "quotas.max_vms_per_tes", raw.MaxPerTES, maxVMs),
		ACLRules:     preset(c, "quotas.acl_rules", raw.ACLRules, aclRules),
	}
	names := firsts[string]{}
	for i := range raw.Tenants {
		key, r := index("quotas.tenants", i), &raw.Tenants[i]
		most, _ := need(c, join(key, "max_macs"), r.MaxMACs, maxMACs.kind)
		name, ok := need(c, join(key, "name"), r.Name, plainName)
		if !ok || !names.once(c, name, join(key, "name"), r.Name, "list a tenant once") {
			continue
		}
		if c.sound("vns") && !slices.ContainsFunc(vns, func(v VN) bool { return v.Tenant == name }) {
			c.report(join(key, "name"), r.Name, "no VN has that tenant", "want the tenant of one of vns:")
		}
		if q.Tenants == nil {
			q.Tenants = map[string]uint64{}
		}
		q.Tenants[name] = most
	}
	return q
}
