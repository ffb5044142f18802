package gobgp

import (
	"cmp"
	"maps"
	"slices"

	api "github.com/osrg/gobgp/v3/api"

	"github.com/tns-project/tns/evpn"
)

// GoBGP has MAC mobility of its own (RFC 7432 §15): among the paths of its table with one MAC, Ethernet tag and route target it finds the highest
// sequence. A path that is added with a lower one is an error, and one without the community is given it. The sequence is ours to decide, so none of
// that must happen. Peers' routes are not in the table. Among our own, the ones that stand higher are taken out, and put back after the new one, lowest
// first; that is needed only when a sequence goes down, and is seen by peers as a withdrawal and an announcement.

// macOfTag is what GoBGP's mobility goes by, but for the route target.
type macOfTag struct {
	mac evpn.MAC
	tag evpn.EthernetTag
}

func macOf(k evpn.RouteKey) (macOfTag, bool) {
	return macOfTag{k.MAC, k.Tag}, k.Type == evpn.MACIPAdvertisement
}

// add puts a route into GoBGP's table as it is.
func (t *table) add(r evpn.Route, path *api.Path) error {
	if err := t.evict(r.RouteKey); err != nil {
		return err
	}
	higher := t.higher(r)
	for _, h := range higher {
		if err := t.remove(h.RouteKey); err != nil {
			return err
		}
	}
	err := t.insert(path)
	for _, h := range higher {
		if h.RouteKey == r.RouteKey && err == nil {
			continue
		}
		back, encodeErr := encode(h)
		if encodeErr != nil {
			return encodeErr
		}
		if backErr := t.insert(back); backErr != nil && err == nil {
			err = backErr
		}
	}
	return err
}

// evict deletes what was added through the API for that MAC: GoBGP would mix its sequence with ours.
func (t *table) evict(k evpn.RouteKey) error {
	at, ok := macOf(k)
	for f := range t.foreign {
		if other, is := macOf(f); f == k || ok && is && other == at {
			if err := t.remove(f); err != nil {
				return err
			}
			t.eject(f)
		}
	}
	return nil
}

// eject forgets a route that people had added.
func (t *table) eject(k evpn.RouteKey) {
	if t.foreign[k] && t.ejected != nil {
		t.ejected(k)
	}
	delete(t.foreign, k)
}

// higher lists our routes in GoBGP's table that stand in the way of r, lowest sequence first.
func (t *table) higher(r evpn.Route) []evpn.Route {
	at, ok := macOf(r.RouteKey)
	if !ok {
		return nil
	}
	var routes map[evpn.RouteKey]evpn.Route
	for k := range t.macs[at] {
		if h := t.routes[k]; sequence(h) > sequence(r) && shareTarget(h, r) {
			if routes == nil {
				routes = make(map[evpn.RouteKey]evpn.Route)
			}
			routes[k] = h
		}
	}
	return inOrderOfMobility(routes)
}

// inOrderOfMobility is the order in which GoBGP takes routes as they are.
func inOrderOfMobility(routes map[evpn.RouteKey]evpn.Route) []evpn.Route {
	return slices.SortedFunc(maps.Values(routes), func(a, b evpn.Route) int { return cmp.Compare(sequence(a), sequence(b)) })
}

// sequence is the route's sequence as GoBGP counts it: that of the first community, -1 without one.
func sequence(r evpn.Route) int64 {
	for _, c := range r.Communities {
		if m, ok := c.MACMobility(); ok {
			return int64(m.Sequence)
		}
	}
	return -1
}

func shareTarget(a, b evpn.Route) bool {
	for _, rt := range a.RouteTargets() {
		if b.HasRouteTarget(rt) {
			return true
		}
	}
	return false
}
