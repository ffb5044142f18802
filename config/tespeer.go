package config

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/tns-project/tns/evpn"
)

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
		p.TTLSecurityHops, p.MessageRate, p.MaxRoutes = s.TTLSecurityHops, s.MessageRate, s.MaxRoutes
		if p.Reflector {
			p.Port, p.ConnectRetry = s.Port, s.ConnectRetry
		} else if c.sound(join(key, "reflector")) {
			c.passive(join(key, "port"), r.Port)
			c.passive(join(key, "connect_retry"), r.ConnectRetry)
		}
		peers = append(peers, p)
	}
	c.signed(peers)
	return peers
}

// signed checks that neighbours inside a prefix with a password have one too, as the kernel asks them for the prefix's otherwise.
func (c *checker) signed(peers []TESPeer) {
	for i, p := range peers {
		for j, around := range peers {
			key := join(index("tes", i), "password")
			inside := p.Prefix.IsValid() && around.Prefix.Bits() < p.Prefix.Bits() && around.Prefix.Contains(p.Prefix.Addr())
			if inside && around.Password != "" && p.Password == "" && c.sound(key) && c.sound(key+"_file") {
				c.report(key, nil, fmt.Sprintf("missing, while %s has one for %s", index("tes", j), around.Prefix), "want a password in both, or in none")
			}
		}
	}
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

// tellTESs reports whether each entry says which TESs may speak there, so that one that is not there can be missed. What an entry says may be
// wrong: then it is not the one either.
func (c *checker) tellTESs(raw []rawTESPeer) bool {
	if c.lost(index("tes", 0)) {
		return false
	}
	for i, r := range raw {
		key := index("tes", i)
		unread := func(name string, there bool) bool { return !there && !c.sound(join(key, name)) }
		address, prefix, id, ids := r.Address != nil, r.Prefix != nil, r.ID != nil, r.IDs != nil
		silent := !address && !prefix && !id && !ids
		if silent || unread("address", address) || unread("prefix", prefix) || unread("tes_id", id) || unread("tes_ids", ids) {
			return false
		}
	}
	return true
}

// speaksFor reports whether the neighbour may speak for a TES-ID.
func (t *TESPeer) speaksFor(id evpn.RouterID) bool {
	if len(t.IDs) > 0 {
		return slices.Contains(t.IDs, id)
	}
	return t.Prefix.Contains(id.Addr())
}
