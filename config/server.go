package config

import (
	"crypto/sha1"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/tns-project/tns/evpn"
)

// Server is a server that is not virtualised, behind a port of the edge (§3.1).
type Server struct {
	Name string
	VM   evpn.VMID // default: derived from the name
	NICs []NIC
}

// NIC is a network card of a server.
type NIC struct {
	VN     string
	Port   string
	MAC    evpn.MAC
	IPs    []netip.Addr
	Policy *evpn.Policy // nil: none
}

// maxServerRoutes is how many (VN, MAC) and (VN, MAC, IP) a server may have: a request's count is 8 bits (SPEC §2).
const maxServerRoutes = 255

// serverSpace is the name space of servers' identities (RFC 9562 §5.5). It must not change: it is what makes an identity the same everywhere.
var serverSpace = [16]byte{0x6d, 0x1e, 0x8f, 0x0c, 0x2a, 0x77, 0x4b, 0x0e, 0x9c, 0x55, 0x74, 0x6e, 0x73, 0x73, 0x72, 0x76}

// ServerVMID is the identity of a server that is given none: the UUID (version 5) of its name.
func ServerVMID(name string) evpn.VMID {
	sum := sha1.Sum(append(serverSpace[:], name...))
	v := evpn.VMID(sum[:16])
	v[6], v[8] = v[6]&0x0f|0x50, v[8]&0x3f|0x80
	return v
}

var (
	serverMAC = kind[evpn.MAC]{
		"a unicast MAC address such as 02:00:00:00:00:01",
		func(s string) (evpn.MAC, error) {
			m, err := evpn.ParseMAC(s)
			switch {
			case err != nil:
				return m, errors.New("no MAC address of a station")
			case m == evpn.MAC{}:
				return m, errors.New("the zero address, which no station has")
			}
			return m, nil
		},
	}
	serverIP = kind[netip.Addr]{
		"a unicast address such as 10.1.0.1",
		func(s string) (netip.Addr, error) {
			a, err := netip.ParseAddr(s)
			switch {
			case err != nil || a.Zone() != "":
				return a, errors.New("not an IP address")
			case a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
				return a, errors.New("not a station's address")
			}
			return a.Unmap(), nil
		},
	}
	serverVMID = kind[evpn.VMID]{
		"a UUID such as 7b0c2f6e-5a4d-4c1e-9f3a-2d8e6b1a0c55",
		func(s string) (evpn.VMID, error) {
			v, err := evpn.ParseVMID(s)
			if err != nil {
				return v, errors.New("not a UUID, or the zero one")
			}
			return v, nil
		},
	}
)

// servers checks the servers: names, identities, and the MACs and IPs of a VN are each one server's.
func (c *checker) servers(raw []rawServer, n *NVE) []Server {
	type station struct {
		vn  string
		mac evpn.MAC
	}
	type address struct {
		vn string
		ip netip.Addr
	}
	var servers []Server
	names, vms, macs, ips := firsts[string]{}, firsts[evpn.VMID]{}, firsts[station]{}, firsts[address]{}
	for i := range raw {
		key, r := index("servers", i), &raw[i]
		var s Server
		var named bool
		if s.Name, named = need(c, join(key, "name"), r.Name, vnName); named {
			names.once(c, s.Name, join(key, "name"), r.Name, "names are unique")
		}
		s.VM = ServerVMID(s.Name)
		if given, ok := allow(c, join(key, "vm"), r.VM, serverVMID); ok {
			s.VM = given
		}
		if named && c.sound(join(key, "name")) && c.sound(join(key, "vm")) {
			text := s.VM.String()
			vms.once(c, s.VM, join(key, "vm"), &text, "identities are unique")
		}
		if len(r.NICs) == 0 && c.sound(join(key, "nics")) && !c.lost(join(key, "nics")) {
			c.report(join(key, "nics"), nil, "missing", "want its network cards, such as [{vn: blue, port: eth3, mac: 02:00:00:00:00:01}]")
		}
		routes := 0
		for j := range r.NICs {
			at, r := index(join(key, "nics"), j), &r.NICs[j]
			nic := NIC{VN: c.vnOf(join(at, "vn"), r.VN, n.VNs), IPs: each(c, join(at, "ips"), r.IPs, serverIP)}
			nic.Port = c.portOf(join(at, "port"), r.Port, nic.VN, n.Ports)
			mac, ok := need(c, join(at, "mac"), r.MAC, serverMAC)
			if nic.MAC = mac; ok && nic.VN != "" {
				macs.once(c, station{nic.VN, mac}, join(at, "mac"), r.MAC, "a MAC is of one network card in a VN")
			}
			for k, ip := range nic.IPs {
				if text := ip.String(); nic.VN != "" && c.sound(join(at, "ips")) {
					ips.once(c, address{nic.VN, ip}, index(join(at, "ips"), k), &text, "an address is of one network card in a VN")
				}
			}
			if p, ok := allow(c, join(at, "policy"), r.Policy, policyID); ok {
				nic.Policy = &evpn.Policy{Type: p.Type, Version: p.Version, Format: evpn.FormatUUID}
			}
			routes += 1 + len(nic.IPs)
			s.NICs = append(s.NICs, nic)
		}
		if routes > maxServerRoutes {
			c.report(join(key, "nics"), nil, fmt.Sprintf("%d MACs and IPs", routes), fmt.Sprintf("want at most %d of a server", maxServerRoutes))
		}
		servers = append(servers, s)
	}
	return servers
}

// portOf is the port that a network card is behind: one of the VN's.
func (c *checker) portOf(key string, text *string, vn string, ports []Port) string {
	name, ok := need(c, key, text, deviceName)
	if !ok || vn == "" || !c.sound("ports") {
		return name
	}
	there := slices.IndexFunc(ports, func(p Port) bool { return p.Name == name })
	switch {
	case there < 0:
		c.report(key, text, "not a port of this edge", "want one of ports:")
	case !slices.ContainsFunc(ports, func(p Port) bool { return p.Name == name && p.serves(vn) }):
		c.report(key, text, "a port of "+ports[there].vnText(), fmt.Sprintf("want one of ports: with vn: %s", vn))
	}
	return name
}

// portsOfNobody reports ports that neither a TES nor a server is behind.
func (c *checker) portsOfNobody(raw []rawPort, n *NVE) {
	for i, p := range n.Ports {
		key := join(index("ports", i), "tes")
		served := slices.ContainsFunc(n.Servers, func(s Server) bool {
			return slices.ContainsFunc(s.NICs, func(nic NIC) bool { return nic.Port == p.Name })
		})
		if i < len(raw) && len(raw[i].TES) == 0 && !served && c.sound(key) && c.sound("servers") && (p.Name != "" || len(n.Servers) == 0) {
			c.report(key, nil, "missing", "want the TES-IDs of the TESs behind the port, such as [198.51.100.11], or a server of servers: there")
		}
	}
}
