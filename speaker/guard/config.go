package guard

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker/guard/wire"
)

// Config is one guard, which stands before one engine.
type Config struct {
	AS       uint32
	RouterID evpn.RouterID
	Listen   []netip.AddrPort // addresses of our own; none: we only dial
	Peers    []Peer
	Families []wire.Family // EVPN alone if empty
	Engine   Engine

	Memberships []evpn.RouteTarget // what peers are asked for (RFC 4684), if RouteTargets is among Families

	MaxDynamic int // dynamic peers at a time; those without a connection make place; 0: no limit

	EngineTime time.Duration // sessions are closed (CEASE 8) when no engine is there for that long, 120 s
	RenewTime  time.Duration // what a new engine has not announced again by then is withdrawn, 30 s
	MirrorTime time.Duration // when nothing was said to the engine for that long it is GoBGP's turn, 20 ms
	Record     Record
	Heard      func(updates int) // of peers, and routes of the engine, when they have come; it does not wait. nil: nobody wants to know
	Log        *logrus.Entry     // nil: no log
}

// Engine is where the BGP speaker listens that is the table for people, and which addresses the peers have there.
type Engine struct {
	Address  netip.AddrPort // on 127.0.0.0/8; the zero one: there is none
	Network  netip.Prefix   // of the peers' inner addresses, in 127.0.0.0/8; 127.64.0.0/10
	Password string         // TCP MD5 signature of the inner sessions, so that no other process of the host can play a peer
	OnDemand bool           // inner sessions stand from link.Show to link.Hide; else as long as the peers' own
}

// Peer is a neighbour, or with Dynamic a prefix of neighbours that connect to us.
type Peer struct {
	Prefix       netip.Prefix // static: a single address
	Dynamic      bool         // it is dialled, too, while it is called (Guard.Call)
	Passive      bool         // static: wait to be dialled
	AS           uint32       // 0 = any (dynamic only)
	Port         uint16       // 179; where a peer that we dial listens
	LocalAddress netip.Addr
	HoldTime     time.Duration // 9 s, in whole seconds and at least 3 s; a third of it is the keep-alive time
	ConnectRetry time.Duration // 8 s: the most that lies between two attempts; they begin at once and then 1 s, 2 s, … apart
	MultihopTTL  uint8         // eBGP to a peer that is not adjacent; 0 = adjacent
	SecurityHops uint8         // GTSM (RFC 5082): packets must have come over at most that many hops, 1 = adjacent; 0 = no check
	Password     string        // TCP MD5 signature (RFC 2385)
	Description  string
	MessageRate  int // messages a second that are read, beyond a burst of as many; 0: no limit
	MaxRoutes    int // more of them end the session (CEASE 1); 1,000,000
}

// What a Config leaves out.
const (
	defaultHoldTime     = 9 * time.Second
	defaultConnectRetry = 8 * time.Second
	defaultEngineTime   = 120 * time.Second
	defaultRenewTime    = 30 * time.Second
	defaultMirrorTime   = 20 * time.Millisecond
	defaultMaxRoutes    = 1_000_000
	minHoldTime         = 3 * time.Second // RFC 4271 §4.2
	defaultPort         = 179
	maxPassword         = 80 // TCP_MD5SIG_MAXKEYLEN
)

var (
	loopback       = netip.MustParsePrefix("127.0.0.0/8")
	defaultNetwork = netip.MustParsePrefix("127.64.0.0/10")
)

// withDefaults is the checked configuration with defaults filled in; the error has everything that is wrong.
func (c Config) withDefaults() (Config, error) {
	var errs []error
	if c.RouterID == 0 {
		errs = append(errs, errors.New("router-id is missing"))
	}
	if c.AS == 0 {
		errs = append(errs, errors.New("AS is missing"))
	}
	if len(c.Families) == 0 {
		c.Families = []wire.Family{wire.EVPN}
	}
	if c.EngineTime == 0 {
		c.EngineTime = defaultEngineTime
	}
	if c.RenewTime == 0 {
		c.RenewTime = defaultRenewTime
	}
	if c.MirrorTime == 0 {
		c.MirrorTime = defaultMirrorTime
	}
	if c.Log == nil {
		c.Log = discard()
	}
	if !c.Engine.Network.IsValid() {
		c.Engine.Network = defaultNetwork
	}
	c.Engine.Network = c.Engine.Network.Masked()
	if a := c.Engine.Address; a.IsValid() && (!loopback.Contains(a.Addr()) || a.Port() == 0) {
		errs = append(errs, fmt.Errorf("engine at %v: must be an address in %v and a port", c.Engine.Address, loopback))
	}
	if n := c.Engine.Network; !loopback.Contains(n.Addr()) || n.Bits() < loopback.Bits() || n.Bits() > 30 {
		errs = append(errs, fmt.Errorf("inner addresses %v: must be in %v and at least a /30", n, loopback))
	}
	if len(c.Engine.Password) > maxPassword {
		errs = append(errs, fmt.Errorf("password of the engine: has %d octets, at most %d", len(c.Engine.Password), maxPassword))
	}
	peers := make([]Peer, 0, len(c.Peers))
	seen := make(map[netip.Prefix]bool)
	for _, p := range c.Peers {
		p, err := p.withDefaults()
		switch {
		case err != nil:
			errs = append(errs, err)
		case seen[p.Prefix]:
			errs = append(errs, fmt.Errorf("peer %v: is there twice", p.Prefix))
		case p.Dynamic && len(c.Listen) == 0:
			errs = append(errs, fmt.Errorf("peer %v: a dynamic peer needs a guard that listens", p.Prefix))
		}
		seen[p.Prefix] = true
		peers = append(peers, p)
	}
	c.Peers = peers
	if c.MaxDynamic < 0 {
		errs = append(errs, fmt.Errorf("at most %d dynamic peers: must not be negative", c.MaxDynamic))
	}
	errs = append(errs, c.openInKeyed()...)
	if len(errs) > 0 {
		return Config{}, fmt.Errorf("configure guard: %w", errors.Join(errs...))
	}
	return c, nil
}

// openInKeyed finds peers without a password inside a prefix with one: the kernel would ask them for the prefix's.
func (c Config) openInKeyed() (errs []error) {
	for _, keyed := range c.Peers {
		for _, p := range c.Peers {
			if keyed.Password != "" && p.Password == "" && keyed.Prefix.Bits() < p.Prefix.Bits() && keyed.Prefix.Contains(p.Prefix.Addr()) {
				errs = append(errs, fmt.Errorf("peer %v: needs a password, as it is in %v, which has one", p.Prefix, keyed.Prefix))
			}
		}
	}
	return errs
}

func (p Peer) withDefaults() (Peer, error) {
	if !p.Prefix.IsValid() {
		return p, errors.New("peer without an address")
	}
	p.Prefix = p.Prefix.Masked()
	if p.HoldTime == 0 {
		p.HoldTime = defaultHoldTime
	}
	if p.ConnectRetry == 0 {
		p.ConnectRetry = defaultConnectRetry
	}
	if p.MaxRoutes == 0 {
		p.MaxRoutes = defaultMaxRoutes
	}
	if p.Port == 0 {
		p.Port = defaultPort
	}
	switch {
	case p.Prefix.Addr().Is4In6() || p.Prefix.Addr().Zone() != "":
		return p, fmt.Errorf("peer %v: must be an IPv4 or IPv6 address without a zone", p.Prefix)
	case !p.Dynamic && !p.Prefix.IsSingleIP():
		return p, fmt.Errorf("peer %v: a static peer is a single address", p.Prefix)
	case !p.Dynamic && p.AS == 0:
		return p, fmt.Errorf("peer %v: AS is missing", p.Prefix)
	case p.HoldTime < minHoldTime || p.HoldTime%time.Second != 0 || p.HoldTime > 65535*time.Second:
		return p, fmt.Errorf("peer %v: hold time %v: must be whole seconds, 3 s to 65535 s", p.Prefix, p.HoldTime)
	case p.ConnectRetry < time.Second:
		return p, fmt.Errorf("peer %v: connect retry time %v: must be at least 1 s", p.Prefix, p.ConnectRetry)
	case p.LocalAddress.IsValid() && p.LocalAddress.Is4() != p.Prefix.Addr().Is4():
		return p, fmt.Errorf("peer %v: local address %v is of the other family", p.Prefix, p.LocalAddress)
	case len(p.Password) > maxPassword:
		return p, fmt.Errorf("peer %v: password has %d octets, at most %d", p.Prefix, len(p.Password), maxPassword)
	case p.SecurityHops > 0 && p.MultihopTTL > 0:
		return p, fmt.Errorf("peer %v: TTL security sends with TTL 255, which a multihop TTL contradicts", p.Prefix)
	case p.MessageRate < 0 || p.MaxRoutes < 0:
		return p, fmt.Errorf("peer %v: limits must not be negative", p.Prefix)
	}
	return p, nil
}
