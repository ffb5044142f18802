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
}

// session checks the keys that all neighbours have; remote is the neighbour's address, invalid if it has none.
func (c *checker) session(key string, raw *rawSession, remote netip.Addr) session {
	s := session{
		Port:         preset(c, join(key, "port"), raw.Port, bgpPort),
		HoldTime:     preset(c, join(key, "hold_time"), raw.HoldTime, holdTime),
		ConnectRetry: preset(c, join(key, "connect_retry"), raw.ConnectRetry, connectRetry),
		MultihopTTL:  preset(c, join(key, "multihop_ttl"), raw.MultihopTTL, multihopTTL),
		Password:     c.password(key, raw),
	}
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
