package config

import (
	"net/netip"
)

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
			TTLSecurityHops: s.TTLSecurityHops, MessageRate: s.MessageRate, MaxRoutes: s.MaxRoutes,
		})
	}
	return peers
}
