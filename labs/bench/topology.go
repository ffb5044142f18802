package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/tns-project/tns/labs/internal/clab"
)

// topology writes the configurations of a plan into a directory and describes its nodes:
//
//	  rr             FRR's bgpd, our GoBGP reflector, or, with direct sessions of FRR's, nothing but a router
//	 ┌┴──┬───┐
//	e1   e2  e3      FRR's zebra and bgpd, or nved; a bridge and a VXLAN device for each VN
//	 ║   ║   ║       a link for each VN, and one for signalling
//	h1   h2  h3      where VMs are; with nved, tesd
func (p Plan) topology(dir string) (*clab.Topology, error) {
	t := &clab.Topology{Name: "bench", Nodes: make(map[string]clab.Node), Dir: dir}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	files := map[string]string{"daemons": "bgpd=yes\n", "express.password": "between edges\n"}
	rr := clab.Node{Kind: "linux", Exec: []string{"sysctl -qw net.ipv4.ip_forward=1", "ip address add " + hub + "/32 dev lo"}}
	switch {
	case p.Fabric == FRRReflector || p.express():
		rr.Image = "frr"
		files["rr.conf"] = frrReflector
		rr.Binds = []string{"daemons:/etc/frr/daemons", "rr.conf:/etc/frr/frr.conf"}
	case p.Fabric == GoBGPReflector:
		rr.Cmd = fmt.Sprintf("reflector -as %d -router-id %s -clients 192.0.2.0/24 -graceful-restart", as, hub)
	}
	for i := range p.Edges {
		e, h := edge(i), host(i)
		rr.Exec = append(rr.Exec, fmt.Sprintf("ip route add %s/32 dev %s src %s", vtepOf(i), e, hub))
		link := func(a, ai, b, bi string) {
			t.Links = append(t.Links, clab.Link{A: clab.Endpoint{Node: a, Interface: ai}, B: clab.Endpoint{Node: b, Interface: bi}})
		}
		link(e, "fabric", "rr", e)
		link(e, "tes", h, "edge")
		for j := range p.Ports {
			link(e, port(j), h, port(j))
		}
		t.Nodes[e] = p.edgeNode(i, files)
		t.Nodes[h] = p.hostNode(i, files)
	}
	t.Nodes["rr"] = rr
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (p Plan) edgeNode(i int, files map[string]string) clab.Node {
	n := clab.Node{Kind: "linux", Exec: []string{
		"sysctl -qw net.ipv6.conf.all.disable_ipv6=1",
		fmt.Sprintf("ip address add %s/32 dev lo", vtepOf(i)),
		fmt.Sprintf("ip route add %s/32 dev fabric src %s", hub, vtepOf(i)),
		fmt.Sprintf("ip route add 192.0.2.0/24 via %s dev fabric onlink src %s", hub, vtepOf(i)),
		fmt.Sprintf("ip route add %s/32 dev tes src %s", tesOf(i), vtepOf(i)),
		fmt.Sprintf("ip route add %s dev tes src %s", speakers, vtepOf(i)),
	}}
	config := edge(i) + ".conf"
	if p.byHand(i) {
		return n
	}
	if p.System == Ours {
		files[config] = p.nved(i)
		n.Cmd = "nved --config /etc/tns/nved.yaml"
		n.Binds = []string{config + ":/etc/tns/nved.yaml", "express.password:/etc/tns/express.password"}
		return n
	}
	files[config] = p.frrEdge(i)
	n.Image = "frr"
	n.Binds = []string{"daemons:/etc/frr/daemons", config + ":/etc/frr/frr.conf"}
	for j := range p.VNs {
		n.Exec = append(n.Exec,
			fmt.Sprintf("ip link add br%d up type bridge", j+1),
			fmt.Sprintf("ip link add %s type vxlan id %d local %s dstport 4789 nolearning", vxlan(j), vni(j), vtepOf(i)),
			fmt.Sprintf("ip link set %s master br%d up", vxlan(j), j+1),
			fmt.Sprintf("bridge link set dev %s learning off", vxlan(j)))
		if j < p.Ports {
			n.Exec = append(n.Exec, fmt.Sprintf("ip link set %s master br%d", port(j), j+1))
		}
	}
	return n
}

// hostNode is where the VMs are, and the TESs' addresses.
func (p Plan) hostNode(i int, files map[string]string) clab.Node {
	n := clab.Node{Kind: "linux", Exec: []string{
		"sysctl -qw net.ipv6.conf.all.disable_ipv6=1",
		fmt.Sprintf("ip address add %s/32 dev lo", tesOf(i)),
		fmt.Sprintf("ip route add local %s dev lo", speakers),
		fmt.Sprintf("ip route add %s/32 dev edge src %s", vtepOf(i), tesOf(i)),
	}}
	if p.System == Ours && !p.byHand(i) {
		config := host(i) + ".conf"
		files[config] = p.tesd(i)
		n.Cmd = "tesd --config /etc/tns/tesd.yaml"
		n.Binds = []string{config + ":/etc/tns/tesd.yaml"}
	}
	return n
}

// frrReflector has the timers that nved has.
const frrReflector = `frr defaults traditional
hostname rr
router bgp 65000
 bgp router-id ` + hub + `
 no bgp default ipv4-unicast
 neighbor edges peer-group
 neighbor edges remote-as 65000
 neighbor edges timers 3 9
 bgp listen range 192.0.2.0/24 peer-group edges
 address-family l2vpn evpn
  neighbor edges activate
  neighbor edges route-reflector-client
 exit-address-family
`

func (p Plan) frrEdge(i int) string {
	var b, activate strings.Builder
	fmt.Fprintf(&b, "frr defaults traditional\nhostname %s\nrouter bgp %d\n bgp router-id %s\n no bgp default ipv4-unicast\n", edge(i), as, vtepOf(i))
	for _, n := range p.neighbours(i) {
		fmt.Fprintf(&b, " neighbor %[1]s remote-as %[2]d\n neighbor %[1]s update-source %[3]s\n neighbor %[1]s timers 3 9\n neighbor %[1]s timers connect 1\n", n, as, vtepOf(i))
		fmt.Fprintf(&activate, "  neighbor %s activate\n", n)
	}
	return b.String() + " address-family l2vpn evpn\n" + activate.String() + "  advertise-all-vni\n exit-address-family\n"
}

// express reports whether the edges have express sessions beside FRR's reflector, by which they find each other.
func (p Plan) express() bool { return p.System == Ours && p.Fabric == Direct }

// neighbours are those of an edge in the fabric that its configuration names.
func (p Plan) neighbours(i int) (all []string) {
	if p.Fabric != Direct || p.express() {
		return []string{hub}
	}
	for j := range p.Edges {
		if j != i {
			all = append(all, vtepOf(j))
		}
	}
	return all
}

func (p Plan) nved(i int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "nve_id: %[1]s\nas: %[2]d\nvtep: %[1]s\nfabric:\n", vtepOf(i), as)
	for _, n := range p.neighbours(i) {
		fmt.Fprintf(&b, "  - {address: %s, as: %d}\n", n, as)
	}
	if p.express() {
		b.WriteString("express: {peers: [192.0.2.0/28], password_file: /etc/tns/express.password}\n")
	}
	fmt.Fprintf(&b, "tes:\n  - {address: %s, as: %d}\n", tesOf(i), as)
	if p.TESs > 0 {
		fmt.Fprintf(&b, "  - {prefix: %s, as: %d}\n", speakers, as)
	}
	b.WriteString("vns:\n")
	for j := range p.VNs {
		fmt.Fprintf(&b, "  - {name: %s, vni: %d, bridge: br%d, vxlan: %s}\n", vn(j), vni(j), j+1, vxlan(j))
	}
	b.WriteString("ports:\n")
	for j := range p.Ports {
		tess := []string{tesOf(i)}
		for k := range p.TESs {
			tess = append(tess, speakerOf(k).String())
		}
		fmt.Fprintf(&b, "  - {port: %s, vn: %s, tes: [%s]}\n", port(j), vn(j), strings.Join(tess, ", "))
	}
	b.WriteString("state: /var/lib/tns/nved.db\ncontrol: unix:///run/tns/nved.sock\n")
	b.WriteString("gobgp: {fabric: unix:///run/tns/nved-gobgp.sock, tes: unix:///run/tns/nved-tes-gobgp.sock}\nmetrics: 127.0.0.1:9479\n")
	return b.String()
}

func (p Plan) tesd(i int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "tes_id: %s\nas: %d\nnves:\n  - {address: %[3]s, as: %[2]d, nve_id: %[3]s}\nvns:\n", tesOf(i), as, vtepOf(i))
	for j := range p.Ports {
		fmt.Fprintf(&b, "  - {name: %s, vni: %d}\n", vn(j), vni(j))
	}
	b.WriteString("state: /var/lib/tns/tesd.db\ncontrol: unix:///run/tns/tesd.sock\ngobgp: unix:///run/tns/tesd-gobgp.sock\n")
	return b.String()
}
