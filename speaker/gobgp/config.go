package gobgp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/tns-project/tns/evpn"
)

// Config is one speaker.
type Config struct {
	RouterID        evpn.RouterID
	AS              uint32
	ListenPort      int // 0: 179; -1: do not listen
	ListenAddresses []netip.Addr
	API             string     // gRPC of the stock CLI, unix:///… or host:port (loopback), comma list; "" = none
	APIWrite        bool       // let the API add and delete paths, and reset sessions
	Names           *Names     // of peers behind a guard, for the API; nil: peers have their own addresses
	NextHop         netip.Addr // of routes that are added through the API without one, at a Mirror
	Peers           []Peer
	RouteTargets    []evpn.RouteTarget // RTC (RFC 4684) memberships announced where the peer has it; none: RTC is not offered
	IdleTime        time.Duration      // a Mirror is emptied when nobody has asked it for so long, 10 min
	Patience        time.Duration      // at a Mirror that is being filled a request waits at most so long while nothing goes on, 10 s
	EndOfRIBTimeout time.Duration      // an EndOfRIB is implied that long after SessionUp, 30 s
	Log             *logrus.Entry      // nil: no log

	source Source        // of a Mirror
	settle time.Duration // settleTime, unless a test has another
}

// Peer is a neighbour, or with Dynamic a prefix of neighbours that connect to us.
type Peer struct {
	Prefix       netip.Prefix // static: a single address
	Dynamic      bool
	AS           uint32 // 0 = any (dynamic only)
	Port         uint16 // 179; where a static peer listens
	LocalAddress netip.Addr
	HoldTime     time.Duration // 9 s, in whole seconds and at least 3 s; a third of it is the keep-alive time
	ConnectRetry time.Duration // 1 s, in whole seconds
	MultihopTTL  uint8         // eBGP to a peer that is not adjacent; 0 = adjacent
	Password     string        // TCP MD5 signature (RFC 2385)
	Description  string
}

// What a Config leaves out.
const (
	defaultHoldTime        = 9 * time.Second
	defaultConnectRetry    = time.Second
	defaultEndOfRIBTimeout = 30 * time.Second
	minHoldTime            = 3 * time.Second // GoBGP refuses less (RFC 4271 §4.2)
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
	if c.ListenPort < -1 || c.ListenPort > 65535 {
		errs = append(errs, fmt.Errorf("listen port %d: must be 1 to 65535, or -1 for none", c.ListenPort))
	}
	if c.EndOfRIBTimeout == 0 {
		c.EndOfRIBTimeout = defaultEndOfRIBTimeout
	}
	if c.IdleTime == 0 {
		c.IdleTime = defaultIdleTime
	}
	if c.Patience == 0 {
		c.Patience = defaultPatience
	}
	if c.Log == nil {
		c.Log = discard()
	}
	if _, err := parseEndpoints(c.API); err != nil {
		errs = append(errs, err)
	}
	peers, seen := make([]Peer, 0, len(c.Peers)), make(map[netip.Prefix]bool)
	for _, p := range c.Peers {
		p, err := p.withDefaults()
		switch {
		case err != nil:
			errs = append(errs, err)
		case seen[p.Prefix]:
			errs = append(errs, fmt.Errorf("peer %v: is there twice", p.Prefix))
		case p.Dynamic && c.ListenPort == -1:
			errs = append(errs, fmt.Errorf("peer %v: a dynamic peer needs a speaker that listens", p.Prefix))
		}
		seen[p.Prefix] = true
		peers = append(peers, p)
		if p.Password != "" && c.ListenPort != -1 && new(net.ListenConfig).MultipathTCP() {
			errs = append(errs, fmt.Errorf("peer %v: a password needs `//go:debug multipathtcp=0` in the main package, else the listener lets in peers without one", p.Prefix))
		}
	}
	c.Peers = peers
	if len(errs) > 0 {
		return Config{}, fmt.Errorf("configure speaker: %w", errors.Join(errs...))
	}
	return c, nil
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
	switch {
	case !p.Dynamic && !p.Prefix.IsSingleIP():
		return p, fmt.Errorf("peer %v: a static peer is a single address", p.Prefix)
	case !p.Dynamic && p.AS == 0:
		return p, fmt.Errorf("peer %v: AS is missing", p.Prefix)
	case p.HoldTime < minHoldTime || p.HoldTime%time.Second != 0 || p.HoldTime > 65535*time.Second:
		return p, fmt.Errorf("peer %v: hold time %v: must be whole seconds, 3 s to 65535 s", p.Prefix, p.HoldTime)
	case p.ConnectRetry < time.Second || p.ConnectRetry%time.Second != 0:
		return p, fmt.Errorf("peer %v: connect retry time %v: must be whole seconds, at least 1 s", p.Prefix, p.ConnectRetry)
	case p.LocalAddress.IsValid() && p.LocalAddress.Is4() != p.Prefix.Addr().Is4():
		return p, fmt.Errorf("peer %v: local address %v is of the other family", p.Prefix, p.LocalAddress)
	}
	return p, nil
}
