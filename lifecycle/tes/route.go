package tes

import (
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/tes/store"
)

// key names a request route: RD TES-ID:n with one n per VN, ETag 0 (SPEC §1).
func (c *core) key(r store.Route) evpn.RouteKey {
	return evpn.RouteKey{Type: evpn.MACIPAdvertisement, RD: evpn.NewRD(c.cfg.ID, c.numbers[r.VN]), MAC: r.MAC, IP: r.IP}
}

// route is a request route as it is announced.
func (c *core) route(id evpn.VMID, nve evpn.RouterID, key evpn.RouteKey, r store.Route) evpn.Route {
	request := evpn.Request{
		Op: r.Op, Base: r.Base, Flags: r.Flags, Sequence: r.Sequence, VM: id, Index: r.Index, Count: r.Count,
		Policy: r.Policy, Echo: r.Echo, Credential: r.Credential, Expiry: r.Expiry,
	}
	if r.VNI == 0 {
		name := c.name(r.VN)
		request.VNName = &name
	}
	return evpn.Route{
		RouteKey:         key,
		Label:            r.VNI,
		NextHop:          c.cfg.NextHop,
		Communities:      append([]evpn.ExtendedCommunity{evpn.ExtendedCommunity(evpn.RequestTarget(nve))}, request.Communities()...),
		LargeCommunities: []evpn.LargeCommunity{request.Mirror(c.cfg.AS)},
	}
}

// announce announces request routes of the VM, which are on disk.
func (c *core) announce(now time.Time, v *vm, routes []store.Route) {
	for _, r := range routes {
		c.say(now, c.route(v.ID, v.NVE, c.key(r), r))
	}
}

// say announces a route; a speaker that cannot is asked again soon, with everything.
func (c *core) say(now time.Time, r evpn.Route) {
	if err := c.speaker.Announce(r); err != nil {
		c.logger.WithError(err).WithField("route", r.RouteKey).Warn("announce")
		c.repairAt = now.Add(repairTime)
	}
}

// unsay withdraws routes.
func (c *core) unsay(keys ...evpn.RouteKey) {
	for _, key := range keys {
		if err := c.speaker.Withdraw(key); err != nil {
			c.logger.WithError(err).WithField("route", key).Warn("withdraw")
		}
	}
}

// announceAll announces all that stands; what stands already costs nothing on the wire.
func (c *core) announceAll(now time.Time) {
	for _, v := range c.sorted() {
		c.announce(now, v, v.Standing)
	}
	for nve, b := range c.beacons {
		if b.counter != 0 {
			c.say(now, c.beaconRoute(nve, b))
		}
	}
	for _, t := range c.trials {
		c.announceTrial(now, t)
	}
}

// restore announces again what someone else removed from the speaker's table, or changed in it: the same routes with the same sequence
// (SPEC §3 "Withdraw"). What else is in the table is left alone.
func (c *core) restore(now time.Time, in found) {
	there := make(map[evpn.RouteKey]bool, len(in.Keys))
	for _, k := range in.Keys {
		there[k] = true
	}
	missing := 0
	for _, v := range c.sorted() {
		for _, r := range v.Standing {
			if !there[c.key(r)] {
				missing++
				c.tellRestored(now, v, r)
			}
		}
	}
	for nve := range c.beacons {
		if !there[c.beaconKey(nve)] {
			missing++
		}
	}
	if missing > 0 || in.Suspect {
		c.announceAll(now)
	}
	c.stats.Restores += uint64(missing)
	c.stale = true
}
