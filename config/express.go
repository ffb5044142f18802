package config

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"time"
)

// Express is the sessions with other edges that come about by themselves (EDGE, SPEC §2).
type Express struct {
	Peers        []netip.Prefix // of edges, IPv4
	Password     string         // there is one
	MaxSessions  int            // 64
	LocalAddress netip.Addr     // IPv4
	Port         uint16         // 1179, ours and theirs
	AS           uint32         // theirs
	HoldTime     time.Duration  // 9 s
	ConnectRetry time.Duration  // 1 s

	TTLSecurityHops uint8 // GTSM (RFC 5082), as FabricPeer has it
	MessageRate     int   // messages a second; 0 = no limit
	MaxRoutes       int   // of each; 1,000,000
}

// express checks the express path; nil where it is off.
func (c *checker) express(raw *rawNVE, n *NVE) *Express {
	r := &raw.Express
	if reflect.ValueOf(*r).IsZero() || c.lost("express.peers") {
		return nil
	}
	s := c.session("express", &rawSession{
		LocalAddress: r.LocalAddress, HoldTime: r.HoldTime, ConnectRetry: r.ConnectRetry, PasswordFile: r.PasswordFile,
		TTLSecurityHops: r.TTLSecurityHops, MessageRate: r.MessageRate, MaxRoutes: r.MaxRoutes,
	}, netip.Addr{})
	x := &Express{
		Peers: each(c, "express.peers", r.Peers, expressPrefix), Password: s.Password, MaxSessions: preset(c, "express.max_sessions", r.MaxSessions, maxSessions),
		LocalAddress: s.LocalAddress, Port: preset(c, "express.port", r.Port, expressPort), AS: n.AS, HoldTime: s.HoldTime, ConnectRetry: s.ConnectRetry,
		TTLSecurityHops: s.TTLSecurityHops, MessageRate: s.MessageRate, MaxRoutes: s.MaxRoutes,
	}
	if as, ok := allow(c, "express.as", r.AS, asNumber); ok {
		x.AS = as
	}
	if len(r.Peers) == 0 && c.sound("express.peers") {
		c.report("express.peers", nil, "missing", "want the prefixes that other edges' session addresses are in, such as [192.0.2.0/25]")
	}
	if r.PasswordFile == nil && c.sound("express.password_file") {
		c.report("express.password_file", nil, "missing", "want the file of the password that the edges share: without one, whoever can use an address of a prefix has a session")
	}
	c.expressAddress(r, n, x)
	c.expressPort(raw, n, x)
	for i, f := range n.Fabric {
		key := join(index("fabric", i), "password")
		if f.Password == "" && c.sound(key) && c.sound(key+"_file") && slices.ContainsFunc(x.Peers, func(p netip.Prefix) bool { return p.Contains(f.Address) }) {
			c.report(key, nil, fmt.Sprintf("missing, while express has one for %s", f.Address), "want a password there too, or prefixes of express without it")
		}
	}
	return x
}

// expressAddress is where we take sessions, which EDGE tells: as four octets.
func (c *checker) expressAddress(r *rawExpress, n *NVE, x *Express) {
	key := "express.local_address"
	if !c.sound(key) {
		return
	}
	if r.LocalAddress == nil {
		x.LocalAddress = n.VTEP
	}
	switch a := x.LocalAddress; {
	case !a.IsValid():
	case !a.Is4():
		c.report(key, r.LocalAddress, fmt.Sprintf("%s is not an IPv4 address", a), "want one of this machine that other edges can reach: EDGE has place for no other")
	case a.IsLoopback():
		c.report(key, r.LocalAddress, "a loopback address, which no other edge can reach", "want "+expressAddressRight)
	}
}

const expressAddressRight = "an IPv4 address of this machine that other edges can reach"

// expressPort checks that TESs are not listened for at the same address and port.
func (c *checker) expressPort(raw *rawNVE, n *NVE, x *Express) {
	if int(x.Port) != n.ListenPort || !c.sound("listen") || !c.sound("listen_port") || !c.sound("express.port") {
		return
	}
	if len(n.Listen) == 0 || slices.Contains(n.Listen, x.LocalAddress) {
		c.report("express.port", raw.Express.Port, fmt.Sprintf("TESs are listened for at port %d of %s, too", x.Port, x.LocalAddress),
			"want another port, the same on every edge, or a list in listen: without that address")
	}
}
