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
	Tagging        Tagging
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

// Tagging is how the local tags that NVEs tell are applied to the frames of VMs.
type Tagging struct {
	Mode    TaggingMode
	Uplink  string        // the device towards the NVE, in the modes that tag in this machine's kernel
	Command []string      // is run for each tag; none: nothing is
	Timeout time.Duration // of the command, 5 s
}

// TaggingMode is what applies tags.
type TaggingMode uint8

const (
	NoTagging    TaggingMode = iota // nothing: only untagged frames
	HookTagging                     // the command alone
	EBPFTagging                     // programs of ours at the uplink
	Dot1QTagging                    // VLAN devices of the kernel
)

// InKernel reports whether tesd itself tags.
func (m TaggingMode) InKernel() bool { return m == EBPFTagging || m == Dot1QTagging }

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
