package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

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
		name, ok := need(c, join(key, "name"), r.Name, tenantName)
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

// bits are the units of rates, the larger one first.
var bits = []struct {
	name string
	bits uint64
}{{"Gbit", 1e9}, {"Mbit", 1e6}, {"kbit", 1e3}}

// rate is bits a second within bounds, written as a whole number of a unit.
func rate(least, most uint64) kind[uint64] {
	written := func(n uint64) string {
		for _, u := range bits {
			if n%u.bits == 0 {
				return fmt.Sprintf("%d%s", n/u.bits, u.name)
			}
		}
		return fmt.Sprint(n)
	}
	return kind[uint64]{
		fmt.Sprintf("bits a second with their unit (kbit, Mbit, Gbit), from %s to %s", written(least), written(most)),
		func(s string) (uint64, error) {
			for _, u := range bits {
				digits, ok := strings.CutSuffix(s, u.name)
				if !ok {
					continue
				}
				n, err := strconv.ParseUint(digits, 10, 64)
				switch {
				case errors.Is(err, strconv.ErrRange) || err == nil && n > most/u.bits:
					return 0, fmt.Errorf("above the bound %s", written(most))
				case err != nil || len(digits) > 1 && digits[0] == '0':
					return 0, errors.New("not a rate")
				case n*u.bits < least:
					return 0, fmt.Errorf("below the bound %s", written(least))
				}
				return n * u.bits, nil
			}
			if _, err := strconv.ParseFloat(s, 64); err == nil {
				return 0, errors.New("has no unit")
			}
			return 0, errors.New("not a rate")
		},
	}
}
