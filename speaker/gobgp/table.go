package gobgp

import (
	"context"
	"fmt"
	"sync"

	api "github.com/osrg/gobgp/v3/api"
	"github.com/osrg/gobgp/v3/pkg/server"

	"github.com/tns-project/tns/evpn"
)

// table is what we announced, and puts it into GoBGP's table, which before Open is not there yet. Its lock is held over every change of GoBGP's table,
// ours or through the API, so that the two stay comparable.
type table struct {
	counters *counters
	changes  chan struct{}       // capacity 1: someone else changed GoBGP's table
	ejected  func(evpn.RouteKey) // a route that people had added is not there any more; may be nil

	mu      sync.Mutex
	server  *server.BgpServer // nil before open and after close
	routes  map[evpn.RouteKey]evpn.Route
	macs    map[macOfTag]map[evpn.RouteKey]bool // type 2 routes of ours
	foreign map[evpn.RouteKey]bool              // added through the API
}

func newTable(c *counters) *table {
	return &table{
		counters: c, changes: make(chan struct{}, 1),
		routes: make(map[evpn.RouteKey]evpn.Route), macs: make(map[macOfTag]map[evpn.RouteKey]bool), foreign: make(map[evpn.RouteKey]bool),
	}
}

// Announce implements speaker.Speaker. It takes effect after Open at the latest. The error says what GoBGP would not send: more than 32 extended
// communities, an UPDATE that is too long, a next hop that is missing.
func (s *Speaker) Announce(r evpn.Route) error {
	path, err := encode(r)
	if err != nil {
		return err
	}
	s.table.mu.Lock()
	defer s.table.mu.Unlock()
	if s.table.server != nil {
		if err := s.table.add(r, path); err != nil {
			return fmt.Errorf("announce %v: %w", r.RouteKey, err)
		}
	}
	s.table.remember(r)
	s.counters.announced.Add(1)
	return nil
}

// Withdraw implements speaker.Speaker.
func (s *Speaker) Withdraw(k evpn.RouteKey) error {
	s.table.mu.Lock()
	defer s.table.mu.Unlock()
	if _, ok := s.table.routes[k]; !ok {
		return nil
	}
	if s.table.server != nil {
		if err := s.table.remove(k); err != nil {
			return fmt.Errorf("withdraw %v: %w", k, err)
		}
	}
	s.table.forget(k)
	s.counters.withdrawn.Add(1)
	return nil
}

// open puts everything that was announced so far into GoBGP's table.
func (t *table) open(ctx context.Context, srv *server.BgpServer) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.server = srv
	for _, r := range inOrderOfMobility(t.routes) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		path, err := encode(r)
		if err != nil {
			return err
		}
		if err := t.insert(path); err != nil {
			return fmt.Errorf("announce %v: %w", r.RouteKey, err)
		}
	}
	return nil
}

func (t *table) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.server = nil
}

// clear takes everything out that was announced. There must be nothing that people have added.
func (t *table) clear() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.routes, t.macs = make(map[evpn.RouteKey]evpn.Route), make(map[macOfTag]map[evpn.RouteKey]bool)
	if t.server == nil {
		return nil
	}
	return t.server.DeletePath(context.Background(), &api.DeletePathRequest{TableType: api.TableType_GLOBAL, Family: familyEVPN})
}

// hasForeign reports whether people have added routes.
func (t *table) hasForeign() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.foreign) > 0
}

func (t *table) insert(p *api.Path) error {
	_, err := t.server.AddPath(context.Background(), &api.AddPathRequest{Path: p})
	return err
}

// remove deletes by NLRI: by UUID GoBGP searches the whole table. Deleting what is not there is no error.
func (t *table) remove(k evpn.RouteKey) error {
	path, err := encodeWithdrawal(k)
	if err != nil {
		return err
	}
	return t.server.DeletePath(context.Background(), &api.DeletePathRequest{Path: path})
}

func (t *table) remember(r evpn.Route) {
	t.routes[r.RouteKey] = r
	if at, ok := macOf(r.RouteKey); ok {
		if t.macs[at] == nil {
			t.macs[at] = make(map[evpn.RouteKey]bool)
		}
		t.macs[at][r.RouteKey] = true
	}
}

func (t *table) forget(k evpn.RouteKey) {
	delete(t.routes, k)
	if at, ok := macOf(k); ok {
		delete(t.macs[at], k)
		if len(t.macs[at]) == 0 {
			delete(t.macs, at)
		}
	}
}

// changed signals that someone else changed GoBGP's table.
func (t *table) changed() {
	select {
	case t.changes <- struct{}{}:
	default:
	}
}
