// Package gobgp is package speaker with an embedded GoBGP v3.
package gobgp

import (
	"net/netip"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker"
)

// Config is one speaker.
type Config struct {
	RouterID        evpn.RouterID
	AS              uint32
	ListenPort      int // -1: do not listen
	ListenAddresses []netip.Addr
	API             string // gRPC of the stock CLI, unix:///… or host:port, comma list; "" = none
	APIWrite        bool
	Peers           []Peer
	RouteTargets    []evpn.RouteTarget // RTC (RFC 4684) memberships announced where the peer has it
	EndOfRIBTimeout time.Duration      // an EndOfRIB is implied that long after SessionUp, 30 s
	Log             *logrus.Entry
}

// Peer is a neighbour, or with Dynamic a prefix of neighbours that connect to us.
type Peer struct {
	Prefix       netip.Prefix // static: a single address
	Dynamic      bool
	AS           uint32 // 0 = any (dynamic only)
	Port         uint16
	LocalAddress netip.Addr
	HoldTime     time.Duration
	ConnectRetry time.Duration
	MultihopTTL  uint8
	Password     string
	Description  string
}

// Speaker is an embedded GoBGP. It implements speaker.Speaker.
type Speaker struct{ speaker.Speaker }

// New makes a speaker; it neither listens nor connects before Open.
func New(c Config) (*Speaker, error) { return nil, nil }
