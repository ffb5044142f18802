package config

import (
	"fmt"
	"net/netip"
	"time"
)

// session is what all kinds of neighbours have.
type session struct {
	Port         uint16
	LocalAddress netip.Addr
	HoldTime     time.Duration
	ConnectRetry time.Duration
	MultihopTTL  uint8
	Password     string

	TTLSecurityHops uint8
	MessageRate     int
	MaxRoutes       int
}

// session checks the keys that all neighbours have; remote is the neighbour's address, invalid if it has none.
func (c *checker) session(key string, raw *rawSession, remote netip.Addr) session {
	s := session{
		Port:         preset(c, join(key, "port"), raw.Port, bgpPort),
		HoldTime:     preset(c, join(key, "hold_time"), raw.HoldTime, holdTime),
		ConnectRetry: preset(c, join(key, "connect_retry"), raw.ConnectRetry, connectRetry),
		MultihopTTL:  preset(c, join(key, "multihop_ttl"), raw.MultihopTTL, multihopTTL),
		Password:     c.password(key, raw),

		MessageRate: preset(c, join(key, "message_rate"), raw.MessageRate, messageRate),
		MaxRoutes:   preset(c, join(key, "max_routes"), raw.MaxRoutes, maxRoutes),
	}
	s.TTLSecurityHops = c.ttlSecurity(join(key, "ttl_security_hops"), raw.TTLSecurityHops, s.MultihopTTL)
	local, ok := allow(c, join(key, "local_address"), raw.LocalAddress, sessionAddress)
	switch {
	case !ok:
	case remote.IsValid() && remote.Is4() != local.Is4():
		c.report(join(key, "local_address"), raw.LocalAddress, fmt.Sprintf("not of the family of the neighbour %s", remote), "want an address of this machine of that family")
	case remote == local:
		c.report(join(key, "local_address"), raw.LocalAddress, "the neighbour's own address", "want one of this machine")
	default:
		s.LocalAddress = local
	}
	return s
}

// ttlSecurity is how far away packets may come from. Both sides send with TTL 255 then, so that multihop says something else.
func (c *checker) ttlSecurity(key string, text *string, multihop uint8) uint8 {
	hops, ok := allow(c, key, text, ttlSecurityHops)
	if ok && multihop > 0 {
		c.report(key, text, fmt.Sprintf("given beside multihop_ttl, %d, while packets of such a session have TTL 255", multihop), "keep one of the two")
	}
	return hops
}
