package config

import (
	"net/netip"
	"time"

	"github.com/tns-project/tns/evpn"
)

// TES is the checked configuration of tesd.
type TES struct {
	ID             evpn.RouterID
	AS             uint32
	NextHop        netip.Addr // default the TES-ID
	NVEs           []NVEPeer
	VNs            []VN
	State          string
	Control        string
	GoBGP          string
	GoBGPWrite     bool
	Metrics        string
	Record         string        // directory of the sessions' messages, "" = none
	BeaconInterval time.Duration // 30 s
	BeaconLifetime time.Duration // 90 s
	ResponseTime   time.Duration // 5 s
	RetryMax       time.Duration // longest pause between repeats, 60 s
	Log            Log
}

// NVEPeer is an NVE, or the reflector it is behind: the session goes to Address, the requests to NVEID.
type NVEPeer struct {
	Address      netip.Addr
	AS           uint32
	NVEID        evpn.RouterID
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
