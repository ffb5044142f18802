package speaker

import (
	"context"
	"net/netip"
	"time"

	"github.com/tns-project/tns/evpn"
)

// Kind is the kind of an Event.
type Kind uint8

const (
	SessionUp   Kind = 1 + iota // Peer, Epoch, RouterID, AS
	SessionDown                 // Peer, Epoch, Text says why
	Announced                   // Peer, Epoch, Route
	Withdrawn                   // Peer, Epoch, Key: the peer withdrew it, on a session that stands
	EndOfRIB                    // Peer, Epoch; Implied when a timer stood in for it
	Refused                     // Peer, Epoch, Key if known: a route that could not be read; Text says why. Treated as withdrawn.
)

// Event is one thing a speaker reports. Events of one peer come in order. Announced and Withdrawn of one key and epoch that were not yet taken are
// merged to the newest. A lost session reports SessionDown only: the routes of older epochs are stale until they are announced in the new epoch, and
// the receiver sweeps them (mark and sweep). It is plain data and can be recorded.
type Event struct {
	Kind     Kind
	At       time.Time     // when the speaker had read it
	Since    time.Time     // when the oldest of those did that are merged into it: what was read before then comes before it
	Late     time.Duration // how long before At it was received, at least; 0 if the speaker does not know
	Peer     netip.Addr
	Epoch    uint64 // counts the peer's sessions; 1 is the first
	RouterID evpn.RouterID
	AS       uint32
	Route    evpn.Route
	Key      evpn.RouteKey
	Implied  bool
	Text     string
}

// Inbox is events that wait for their one reader, who takes many at a time.
type Inbox interface {
	// Ready signals (capacity 1) that there is something to take; there may be nothing, too.
	Ready() <-chan struct{}
	// Take appends to into what waits, the oldest first, at most so many. Ready signals again if more is left. It is not open when nothing is left and
	// nothing will come.
	Take(into []Event, most int) (events []Event, open bool)
}

// Session is one peer as people see it.
type Session struct {
	Peer         netip.Addr
	LocalAddress netip.Addr
	AS           uint32
	RouterID     evpn.RouterID // 0 unless established
	State        string        // BGP FSM state, lower case: idle, connect, active, opensent, openconfirm, established
	Since        time.Time     // of the state
	Dynamic      bool
	Description  string
	Received     uint64 // UPDATEs
	Sent         uint64
	Routes       int // accepted in Adj-RIB-In
}

// Speaker is a running BGP speaker. Its methods are safe for concurrent use.
type Speaker interface {
	// Run serves until ctx ends. It does not send a NOTIFICATION on the way out, so that graceful restart holds.
	Run(ctx context.Context) error
	// Announce adds or replaces a route; it is sent to every peer of the speaker that the configuration allows.
	Announce(evpn.Route) error
	// Withdraw removes a route; withdrawing what is not there is no error.
	Withdraw(evpn.RouteKey) error
	// Open opens the configured sessions. What was announced before is sent before End-of-RIB.
	Open(ctx context.Context) error
	// Events is what the peers say. The speaker closes it when Run returns.
	Events() <-chan Event
	// Resend announces every route again to the peer (soft reset out); the zero address means all peers.
	Resend(peer netip.Addr) error
	// Sessions lists the peers, sorted by address.
	Sessions() ([]Session, error)
	// Own lists the keys that stand in the speaker's own table, to compare with what was announced.
	Own() ([]evpn.RouteKey, error)
	// OwnChanges signals (capacity 1) that the speaker's own table was changed by someone else than Announce and Withdraw.
	OwnChanges() <-chan struct{}
}
