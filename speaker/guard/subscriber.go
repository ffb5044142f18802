package guard

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker/guard/wire"
)

// subscriber is a peer's session as the distributor sees it, which owns all but the mail.
type subscriber struct {
	notify      func()
	memberships map[string]struct{}      // NLRI of RFC 4684
	targets     map[evpn.RouteTarget]int // how many of these ask for it
	all         int                      // how many of these ask for everything
	ready       bool                     // it has asked for what it wants
	ended       bool                     // End-of-RIB is in the mail, or was
	dirty       bool                     // in distributor.dirty
	round       uint64                   // the last change that it was told
	told        atomic.Int64             // routes

	mu   sync.Mutex // of the mail
	mail []wire.Change
	last bool // End-of-RIB is due after it
}

// wants reports whether one of a route's targets was asked for, by itself.
func (s *subscriber) wants(targets []evpn.RouteTarget) bool {
	return slices.ContainsFunc(targets, func(rt evpn.RouteTarget) bool { return s.targets[rt] > 0 })
}

func (s *subscriber) put(c wire.Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mail = append(s.mail, c)
}

func (s *subscriber) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = true
}

// take empties the mail. empty is memory for the next one.
func (s *subscriber) take(empty []wire.Change) (mail []wire.Change, last bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	mail, last = s.mail, s.last
	s.mail, s.last = empty[:0], false
	return mail, last
}
