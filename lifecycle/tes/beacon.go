package tes

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker"
)

// beacon is the keep-alive of all VMs at one NVE (SPEC §2).
type beacon struct {
	counter  uint32 // 0: not announced yet
	digest   evpn.Digest
	nextAt   time.Time
	resentAt time.Time // our routes were last sent again because of a reply beacon
}

// beat announces the beacons that are due. A first counter is the Unix time: a TES that starts again goes on above.
func (c *core) beat(now time.Time) {
	for _, nve := range slices.Sorted(maps.Keys(c.beacons)) {
		b := c.beacons[nve]
		if now.Before(b.nextAt) {
			continue
		}
		if b.counter == 0 {
			b.counter = uint32(now.Unix())
		}
		b.counter++
		b.digest = c.digest(nve)
		b.nextAt = now.Add(c.cfg.BeaconInterval)
		c.say(now, c.beaconRoute(nve, b))
		c.stats.Beacons++
		c.stale = true
	}
}

// digest covers the standing requests to the NVE, but those in a VN whose VMs are kept alive one by one.
func (c *core) digest(nve evpn.RouterID) evpn.Digest {
	var items []evpn.DigestItem
	for _, v := range c.order {
		if v.NVE != nve {
			continue
		}
		for _, r := range v.Standing {
			if vn, _ := c.cfg.vn(r.VN); !vn.PerVMKeepAlive {
				items = append(items, evpn.DigestItem{VNI: r.VNI, Key: c.key(r), Sequence: r.Sequence})
			}
		}
	}
	return evpn.DigestOf(items)
}

func (c *core) beaconKey(nve evpn.RouterID) evpn.RouteKey {
	return evpn.RouteKey{
		Type: evpn.InclusiveMulticast, RD: evpn.NewRD(c.cfg.ID, evpn.BeaconRD), Tag: evpn.EthernetTag(nve), IP: c.cfg.ID.Addr(),
	}
}

func (c *core) beaconRoute(nve evpn.RouterID, b *beacon) evpn.Route {
	said := evpn.Beacon{
		Lease:  evpn.Lease{Lifetime: uint16(min(c.cfg.BeaconLifetime/time.Second, 65535)), Counter: b.counter},
		Digest: b.digest,
	}
	return evpn.Route{
		RouteKey:    c.beaconKey(nve),
		NextHop:     c.cfg.NextHop,
		PMSI:        &evpn.PMSITunnel{},
		Communities: append([]evpn.ExtendedCommunity{evpn.ExtendedCommunity(evpn.RequestTarget(nve))}, said.Communities()...),
	}
}

// hearBeacon takes in a reply beacon: the NVE's digest of our requests is not ours. Our routes are sent again, at most once an interval.
func (c *core) hearBeacon(now time.Time, e speaker.Event) {
	nve, number, ok := e.Route.RD.Split()
	b := c.beacons[nve]
	toUs := slices.Contains(e.Route.RouteTargets(), evpn.ResponseTarget(c.cfg.ID)) && e.Route.Tag == evpn.EthernetTag(c.cfg.ID)
	said, err := evpn.DecodeBeacon(e.Route.Communities)
	if !ok || number != evpn.BeaconRD || b == nil || !toUs || err != nil || !c.cfg.hears(e.Peer, nve) {
		c.stats.Ignored++
		return
	}
	if said.Digest == c.digest(nve) || !b.resentAt.IsZero() && now.Sub(b.resentAt) < c.cfg.BeaconInterval {
		return
	}
	b.resentAt = now
	c.resend(e.Peer)
}

func (c *core) resend(peer netip.Addr) {
	c.stats.Resends++
	if err := c.speaker.Resend(peer); err != nil {
		c.logger.WithError(err).WithField("peer", peer).Warn("send all routes again")
	}
}
