package gobgp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"

	api "github.com/osrg/gobgp/v3/api"
	"github.com/osrg/gobgp/v3/pkg/packet/bgp"

	"github.com/tns-project/tns/evpn"
)

// Own implements speaker.Speaker. Before Open it is what was announced.
func (s *Speaker) Own() ([]evpn.RouteKey, error) {
	standing, err := s.standing()
	if errors.Is(err, errNotOpen) {
		var keys []evpn.RouteKey
		for k := range s.table.snapshot() {
			keys = append(keys, k)
		}
		return keys, nil
	}
	if err != nil {
		return nil, err
	}
	keys := make([]evpn.RouteKey, 0, len(standing))
	for k := range standing {
		keys = append(keys, k)
	}
	return keys, nil
}

// OwnChanges implements speaker.Speaker.
func (s *Speaker) OwnChanges() <-chan struct{} { return s.table.changes }

// Check compares what stands in GoBGP's table with what was announced. Missing are routes that do not stand, or stand with other content; foreign are
// those that someone else added. With 100 000 routes it takes seconds; GoBGP goes on meanwhile, but for one.
func (s *Speaker) Check() (missing, foreign []evpn.RouteKey, err error) {
	before := s.table.snapshot()
	standing, err := s.standing()
	if err != nil {
		return nil, nil, fmt.Errorf("check own routes: %w", err)
	}
	after := s.table.snapshot()
	for k, r := range before {
		if _, is := after[k]; !is {
			continue // it was withdrawn meanwhile
		}
		if p, ok := standing[k]; !ok || !sameContent(p, r) {
			missing = append(missing, k)
		}
	}
	for k := range standing {
		_, was := before[k]
		_, is := after[k]
		if !was && !is {
			foreign = append(foreign, k)
		}
	}
	return missing, foreign, nil
}

// Restore announces again what Check finds missing, with the content it had, and returns how many routes that were. It removes nothing.
func (s *Speaker) Restore() (int, error) {
	missing, _, err := s.Check()
	if err != nil {
		return 0, err
	}
	n := 0
	for _, k := range missing {
		restored, err := s.table.restore(k)
		if err != nil {
			return n, fmt.Errorf("restore %v: %w", k, err)
		}
		if restored {
			n++
		}
	}
	s.counters.restored.Add(uint64(n))
	return n, nil
}

// restore puts a route back, unless it was withdrawn meanwhile.
func (t *table) restore(k evpn.RouteKey) (bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r, ok := t.routes[k]
	if !ok || t.server == nil {
		return false, nil
	}
	path, err := encode(r)
	if err != nil {
		return false, err
	}
	return true, t.add(r, path)
}

func (t *table) snapshot() map[evpn.RouteKey]evpn.Route {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.routes)
}

// standing lists GoBGP's table, in which nothing of a peer is.
func (s *Speaker) standing() (map[evpn.RouteKey]*api.Path, error) {
	srv, err := s.running()
	if err != nil {
		return nil, err
	}
	paths := make(map[evpn.RouteKey]*api.Path)
	request := &api.ListPathRequest{TableType: api.TableType_GLOBAL, Family: familyEVPN, EnableOnlyBinary: true}
	turns.RLock()
	defer turns.RUnlock()
	err = srv.ListPath(context.Background(), request, func(d *api.Destination) {
		for _, p := range d.Paths {
			if r, _, err := evpn.DecodeNLRI(p.NlriBinary); err == nil {
				paths[r.RouteKey] = p
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("list own routes: %w", err)
	}
	return paths, nil
}

// sameContent compares in GoBGP's octets: it loses reserved bits of some communities, which is no change.
func sameContent(p *api.Path, r evpn.Route) bool {
	want, err := encode(r)
	if err != nil || !bytes.Equal(p.NlriBinary, want.NlriBinary) {
		return false
	}
	has, wants := contentOf(p.PattrsBinary), contentOf(want.PattrsBinary)
	return maps.EqualFunc(has, wants, bytes.Equal)
}

// contentOf is the attributes that encode writes, by type, with the next hop out of either of its two places.
func contentOf(attrs [][]byte) map[bgp.BGPAttrType][]byte {
	content := make(map[bgp.BGPAttrType][]byte)
	for _, octets := range attrs {
		a, err := bgp.GetPathAttribute(octets)
		if err != nil || a.DecodeFromBytes(octets) != nil {
			continue
		}
		switch v := a.(type) {
		case *bgp.PathAttributeNextHop:
			content[attrNextHop] = v.Value
		case *bgp.PathAttributeMpReachNLRI:
			content[attrNextHop] = v.Nexthop
		case *bgp.PathAttributeExtendedCommunities, *bgp.PathAttributeLargeCommunities, *bgp.PathAttributePmsiTunnel:
			content[a.GetType()], _ = a.Serialize()
		}
	}
	return content
}
