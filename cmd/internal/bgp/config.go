package bgp

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker/gobgp"
	"github.com/tns-project/tns/speaker/guard"
	"github.com/tns-project/tns/speaker/guard/wire"
)

// Config is one speaker.
type Config struct {
	RouterID     evpn.RouterID
	AS           uint32
	Listen       []netip.AddrPort // none: it only dials
	Peers        []guard.Peer
	MaxDynamic   int                // dynamic ones at a time; 0: no limit
	RouteTargets []evpn.RouteTarget // memberships to announce (RFC 4684); none: route target constraint is not offered
	NextHop      netip.Addr         // of routes that people add through GoBGP's API without one
	API          string             // of GoBGP, as gobgp.Config has it; none: there is no GoBGP, as nobody can ask it
	APIWrite     bool
	IdleTime     time.Duration     // when nobody has asked GoBGP for so long it is emptied; 0: as gobgp.Config has it
	Inner        netip.Prefix      // in 127.0.0.0/8: where the guard and the engine meet; the speakers of one daemon have different ones
	Learns       bool              // what is to be announced is known later, and Whole is called then; else all of it is there at Open
	RenewTime    time.Duration     // when it ends in any case; 0: as guard.Config has it
	Record       string            // directory of the peers' messages; none if empty
	Heard        func(updates int) // as guard.Config has it
	Log          *logrus.Entry
}

// Meet chooses where the guard and the engine of a speaker meet: at an address and a port where nothing listens, with a password that nobody else has.
func Meet(inner netip.Prefix) (guard.Engine, error) {
	at, err := free(inner)
	if err != nil {
		return guard.Engine{}, err
	}
	return guard.Engine{Address: at, Network: inner, Password: rand.Text()}, nil
}

// ListenOn is a port at addresses of ours, all of them if none is given.
func ListenOn(port int, addresses []netip.Addr) []netip.AddrPort {
	if len(addresses) == 0 {
		addresses = []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()}
	}
	var list []netip.AddrPort
	for _, a := range addresses {
		list = append(list, netip.AddrPortFrom(a, uint16(port)))
	}
	return list
}

// guard is the outer half.
func (c Config) guard(at guard.Engine) guard.Config {
	families := []wire.Family{wire.EVPN}
	if len(c.RouteTargets) > 0 {
		families = append(families, wire.RouteTargets)
	}
	if c.API == "" {
		at.Address = netip.AddrPort{}
	}
	at.OnDemand = true
	return guard.Config{
		AS: c.AS, RouterID: c.RouterID, Listen: c.Listen, Peers: c.Peers, MaxDynamic: c.MaxDynamic, Families: families, Memberships: c.RouteTargets,
		Engine: at, RenewTime: c.RenewTime, Record: guard.Record{Directory: c.Record}, Heard: c.Heard, Log: c.Log.WithField("part", "guard"),
	}
}

// innerHold bounds what GoBGP agrees to on the inner link; the peer's own hold time is less, as a rule.
const innerHold = 90 * time.Second

// engine is the inner half: the guard's sessions come to it, each from an address of its own.
func (c Config) engine(outer guard.Config) (gobgp.Config, error) {
	e := gobgp.Config{
		RouterID: c.RouterID, AS: c.AS, ListenPort: int(outer.Engine.Address.Port()), ListenAddresses: []netip.Addr{outer.Engine.Address.Addr()},
		API: c.API, APIWrite: c.APIWrite, Names: gobgp.NewNames(), NextHop: c.NextHop, IdleTime: c.IdleTime, Log: c.Log.WithField("part", "speaker"),
	}
	inner, err := outer.InnerPeers()
	if err != nil {
		return gobgp.Config{}, err
	}
	for _, p := range inner {
		if p.Real.IsValid() {
			e.Names.Set(p.Prefix.Addr(), p.Real)
		}
		e.Peers = append(e.Peers, gobgp.Peer{
			Prefix: p.Prefix, Dynamic: true, AS: p.Peer.AS, HoldTime: innerHold, Password: outer.Engine.Password, Description: p.Peer.Description,
		})
	}
	return e, nil
}

// free is a random address of a loopback network, and a port that is free there: other daemons of this host may have taken any that is fixed.
func free(network netip.Prefix) (netip.AddrPort, error) {
	if !network.IsValid() || !network.Addr().IsLoopback() || !network.Addr().Is4() || network.Bits() > 24 {
		return netip.AddrPort{}, fmt.Errorf("inner addresses %v: must be at least a /24 in 127.0.0.0/8", network)
	}
	var host [4]byte
	_, _ = rand.Read(host[:]) // it never fails
	size := uint32(1) << (32 - network.Bits())
	first := network.Masked().Addr().As4()
	binary.BigEndian.PutUint32(host[:], binary.BigEndian.Uint32(first[:])+1+binary.BigEndian.Uint32(host[:])%(size-2))
	l, err := net.Listen("tcp4", netip.AddrPortFrom(netip.AddrFrom4(host), 0).String())
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("find a port for the inner sessions: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).AddrPort(), nil
}
