package main

import (
	"net"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/tns-project/tns/cmd/internal/bgp"
	"github.com/tns-project/tns/config"
	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle"
	"github.com/tns-project/tns/lifecycle/nve"
	"github.com/tns-project/tns/lifecycle/policy"
	"github.com/tns-project/tns/speaker/guard"
)

// tesSpeaker is the speaker of requests and responses: TESs come to it, it goes to the reflectors that TESs are behind.
func tesSpeaker(c *config.NVE, log *logrus.Entry) bgp.Config {
	s := bgp.Config{
		RouterID: c.ID, AS: c.AS, Listen: bgp.ListenOn(c.ListenPort, c.Listen), API: c.GoBGPTES, APIWrite: c.GoBGPWrite,
		RouteTargets: []evpn.RouteTarget{evpn.RequestTarget(c.ID)},
		NextHop:      c.VTEP,
		Inner:        tesInner, Learns: true, RenewTime: renewTime(c),
		Record: recordIn(c, "tes"),
		Log:    log.WithField("plane", "tes"),
	}
	for _, t := range c.TES {
		p := guard.Peer{
			Prefix: t.Prefix, Dynamic: !t.Reflector, AS: t.AS, LocalAddress: t.LocalAddress, HoldTime: t.HoldTime, ConnectRetry: t.ConnectRetry,
			MultihopTTL: t.MultihopTTL, Password: t.Password, Description: "TES",
			SecurityHops: t.TTLSecurityHops, MessageRate: t.MessageRate, MaxRoutes: t.MaxRoutes,
		}
		if t.Reflector {
			p.Port, p.Description = t.Port, "reflector of TESs"
		}
		s.Peers = append(s.Peers, p)
	}
	return s
}

// fabricSpeaker is the speaker towards other VTEPs.
func fabricSpeaker(c *config.NVE, log *logrus.Entry) bgp.Config {
	s := bgp.Config{
		RouterID: c.ID, AS: c.AS, API: c.GoBGPFabric, APIWrite: c.GoBGPWrite, NextHop: c.VTEP,
		Inner: fabricInner, Learns: true, RenewTime: renewTime(c),
		Record: recordIn(c, "fabric"),
		Log:    log.WithField("plane", "fabric"),
	}
	for _, f := range c.Fabric {
		s.Peers = append(s.Peers, guard.Peer{
			Prefix: netip.PrefixFrom(f.Address, f.Address.BitLen()), AS: f.AS, Port: f.Port, LocalAddress: f.LocalAddress, HoldTime: f.HoldTime,
			ConnectRetry: f.ConnectRetry, MultihopTTL: f.MultihopTTL, Password: f.Password, Description: "fabric",
			SecurityHops: f.TTLSecurityHops, MessageRate: f.MessageRate, MaxRoutes: f.MaxRoutes,
		})
	}
	if x := c.Express; x != nil {
		s.Listen, s.MaxDynamic = bgp.ListenOn(int(x.Port), []netip.Addr{x.LocalAddress}), x.MaxSessions
		s.Peers = append(s.Peers, expressPeers(x)...)
	}
	return s
}

// recordIn is where the sessions of a plane are recorded, if they are: a neighbour of both has two.
func recordIn(c *config.NVE, plane string) string {
	if c.Record == "" {
		return ""
	}
	return filepath.Join(c.Record, plane)
}

// renewTime is when the guard no longer waits for a new engine to say that its start is over: that takes the startup hold at most.
func renewTime(c *config.NVE) time.Duration { return c.StartupHold + 30*time.Second }

// edgeConfig is what the edge is told.
func edgeConfig(c *config.NVE) nve.Config {
	e := nve.Config{
		ID: c.ID, AS: c.AS, VTEP: c.VTEP,
		Lifetimes: lifecycle.Lifetimes(c.Lifetimes), Assembly: c.AssemblyTime, Withdraw: c.WithdrawTime, HoldOnLoss: c.HoldOnLoss, StartupHold: c.StartupHold,
		Duplicate: nve.Duplicate(c.Duplicate),
		Quotas:    nve.Quotas{VMsPerTES: c.Quotas.MaxVMsPerTES, ACLRules: c.Quotas.ACLRules, Tenants: c.Quotas.Tenants},
	}
	if c.Policies != nil {
		e.Profiles = map[policy.ID]*policy.Profile{}
		for _, p := range c.Policies.Profiles {
			e.Profiles[p.ID] = p
		}
	}
	e.Express = expressOf(c)
	for _, f := range c.Fabric {
		e.FabricPeers = append(e.FabricPeers, f.Address)
	}
	for _, t := range c.TES {
		e.Neighbors = append(e.Neighbors, nve.Neighbor{Prefix: t.Prefix, IDs: t.IDs, Reflector: t.Reflector})
	}
	e.Servers = servers(c, c.Servers)
	for _, v := range c.VNs {
		n := nve.VN{
			Name: v.Name, VNI: v.VNI, Import: v.Import, Export: exports(c, v), PerVMKeepAlive: v.PerVMKeepAlive,
			TES: v.TES, Credentialed: v.Credentialed, Keys: v.Keys,
			Baseline: v.Baseline, DefaultPolicy: v.DefaultPolicy,
			Tenant: v.Tenant, MaxVMs: v.MaxVMs, MaxVMsPerTES: v.MaxVMsPerTES, MaxMACs: v.MaxMACs,
		}
		for _, p := range c.Ports {
			if _, on := p.VN(v.Name); on {
				n.Ports = append(n.Ports, nve.Port{Name: p.Name, TES: p.TES, Bandwidth: p.Bandwidth, Segment: p.Segment, VIDs: vids(p)})
			}
		}
		if _, err := net.InterfaceByName(v.VXLAN); err == nil {
			e.Restarted = true // nved leaves the devices in place when it stops
		}
		e.VNs = append(e.VNs, n)
	}
	e.Segments = segments(c, nil)
	return e
}

// servers are servers with the numbers of the configuration's VNs.
func servers(c *config.NVE, configured []config.Server) (all []nve.Server) {
	numbers := make(map[string]evpn.VNI, len(c.VNs))
	for _, v := range c.VNs {
		numbers[v.Name] = v.VNI
	}
	for _, s := range configured {
		one := nve.Server{Name: s.Name, VM: s.VM}
		for _, n := range s.NICs {
			one.NICs = append(one.NICs, nve.NIC{VNI: numbers[n.VN], Port: n.Port, MAC: n.MAC, IPs: n.IPs, Policy: n.Policy})
		}
		all = append(all, one)
	}
	return all
}

// vids is how many VIDs a port has; none if its frames are not tagged.
func vids(p config.Port) (n uint64) {
	for _, r := range p.VIDs {
		n += uint64(r.Last-r.First) + 1
	}
	return n
}

// exports is the route targets that a VN's routes have.
func exports(c *config.NVE, v config.VN) []evpn.RouteTarget {
	switch {
	case len(v.Export) > 0:
		return v.Export
	case c.RouteTarget == config.RFC8365:
		return []evpn.RouteTarget{evpn.RFC8365RouteTarget(c.AS, v.VNI)}
	}
	return []evpn.RouteTarget{evpn.AutoRouteTarget(c.AS, v.VNI)}
}

// networks is the VNs as the kernel gets them.
func networks(c *config.NVE) []dataplane.Network {
	var list []dataplane.Network
	for _, v := range c.VNs {
		n := dataplane.Network{
			VNI: dataplane.VNI(v.VNI), Name: v.Name, Bridge: v.Bridge, VXLAN: v.VXLAN, VTEP: c.VTEP, UDPPort: c.UDPPort, MTU: v.MTU,
		}
		for _, p := range c.Ports {
			if _, on := p.VN(v.Name); on {
				n.Ports = append(n.Ports, dataplane.MemberPort{Name: p.Name, Mode: dataplane.Mode(p.Mode), Bandwidth: p.Bandwidth})
			}
		}
		list = append(list, n)
	}
	return list
}
