package tes

import (
	"net/netip"
	"time"

	"github.com/tns-project/tns/evpn"
)

// Config is what an Agent is told. It does not change while it runs.
type Config struct {
	ID      evpn.RouterID // the TES-ID
	AS      uint32        // of the mirror for people (SPEC §2)
	NextHop netip.Addr    // default the TES-ID
	NVEs    []NVE         // at least one
	VNs     []VN

	BeaconInterval time.Duration // default 30 s
	BeaconLifetime time.Duration // default 90 s
	ResponseTime   time.Duration // default 5 s
	RetryMax       time.Duration // longest pause between repeats, default 60 s

	Tags TagApplier // told about local tags; may be nil
}

// NVE is an edge and the BGP peer through which it is heard: itself, or a route reflector before it. An NVE behind two reflectors is listed
// twice.
type NVE struct {
	ID      evpn.RouterID
	Address netip.Addr
}

// VN is a virtual network that VMs may be in.
type VN struct {
	Name           string
	VNI            evpn.VNI      // 0: requests name the VN by VN-NAME
	NVE            evpn.RouterID // the edge that serves it; default the first
	PerVMKeepAlive bool          // its VMs are kept alive one by one, not by the beacon
}

// withDefaults fills what is zero with SPEC's defaults.
func (c Config) withDefaults() Config {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&c.BeaconInterval, 30*time.Second)
	def(&c.BeaconLifetime, 90*time.Second)
	def(&c.ResponseTime, 5*time.Second)
	def(&c.RetryMax, 60*time.Second)
	if !c.NextHop.IsValid() {
		c.NextHop = c.ID.Addr()
	}
	vns := make([]VN, len(c.VNs))
	for i, vn := range c.VNs {
		if vn.NVE == 0 && len(c.NVEs) > 0 {
			vn.NVE = c.NVEs[0].ID
		}
		vns[i] = vn
	}
	c.VNs = vns
	return c
}

// vn is the VN of that name; ok is false if there is none.
func (c *Config) vn(name string) (VN, bool) {
	for _, vn := range c.VNs {
		if vn.Name == name {
			return vn, true
		}
	}
	return VN{}, false
}

// hears reports whether that peer may tell what the NVE says.
func (c *Config) hears(peer netip.Addr, nve evpn.RouterID) bool {
	for _, n := range c.NVEs {
		if n.ID == nve && n.Address == peer {
			return true
		}
	}
	return false
}
