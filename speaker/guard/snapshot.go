package guard

import (
	"context"
	"net/netip"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker/guard/wire"
)

// Status is one peer as people see it.
type Status struct {
	Peer        netip.Addr        `json:"peer"`
	Inner       netip.Addr        `json:"inner"` // its address on the engine's side
	Local       netip.Addr        `json:"local"` // of the session
	AS          uint32            `json:"as"`    // of the session, else configured
	RouterID    evpn.RouterID     `json:"router_id"`
	State       State             `json:"state"`
	Since       time.Time         `json:"since"` // of the state
	Dynamic     bool              `json:"dynamic"`
	Description string            `json:"description"`
	HoldTime    time.Duration     `json:"hold_time"` // agreed
	Engine      State             `json:"engine"`    // Established while one is told of the session
	EngineSince time.Time         `json:"engine_since"`
	Mirror      State             `json:"mirror"`     // of the inner session, with GoBGP
	RoutesIn    int               `json:"routes_in"`  // the peer's
	RoutesOut   int               `json:"routes_out"` // the engine's
	Waiting     int               `json:"waiting"`    // routes that the peer is still to be told
	Renewing    bool              `json:"renewing"`   // the engine is new, and what it announces is compared with what the peer was sent
	Failure     string            `json:"failure"`    // why there is no session, or was none last
	Refusals    map[string]uint64 `json:"refusals"`   // what was refused, by what it was
	Counters
}

// Counters count since the peer is known.
type Counters struct {
	Sessions     uint64 `json:"sessions"` // that were established
	Engines      uint64 `json:"engines"`  // that were told of the session
	Restarts     uint64 `json:"restarts"` // of these, those that were not the first in a session: the engine came back, or another did
	MessagesIn   uint64 `json:"messages_in"`
	MessagesOut  uint64 `json:"messages_out"`  // control messages and UPDATEs
	Received     uint64 `json:"received"`      // UPDATEs
	Sent         uint64 `json:"sent"`          // UPDATEs
	Filtered     uint64 `json:"filtered"`      // things that wire.Filter did not let through
	Refused      uint64 `json:"refused"`       // of these, UPDATEs or routes that were treated as withdrawn, skipped, or reset the session
	EngineErrors uint64 `json:"engine_errors"` // UPDATEs of the engine that could not be read
}

// Totals are not any peer's.
type Totals struct {
	Strangers uint64 `json:"strangers"` // connections that were refused before a word: no peer is configured there, or it is too far away
	Crowded   uint64 `json:"crowded"`   // those beyond as many dynamic peers as there may be
	Unheard   uint64 `json:"unheard"`   // notices that nobody took
}

// Peers lists the peers, sorted by address; those of a guard that does not run are not there.
func (g *Guard) Peers(ctx context.Context) []Status {
	var list []Status
	for _, p := range g.all() {
		got := make(chan Status, 1)
		if !p.postContext(ctx, happening{do: func() { got <- p.status() }}) {
			continue
		}
		select {
		case s := <-got:
			list = append(list, s)
		case <-p.ctx.Done():
		}
	}
	return list
}

// Totals is what is counted for all.
func (g *Guard) Totals() Totals {
	g.mu.Lock()
	defer g.mu.Unlock()
	return Totals{Strangers: g.strangers, Crowded: g.crowded, Unheard: g.unheard.Load()}
}

func (p *peer) postContext(ctx context.Context, h happening) bool {
	select {
	case p.inbox <- h:
		return true
	case <-p.ctx.Done():
	case <-ctx.Done():
	}
	return false
}

// status is the peer's most advanced connection.
func (p *peer) status() Status {
	s := Status{
		Peer: p.address, Inner: p.inside, AS: p.config.AS, State: Active, Since: p.born, Dynamic: p.config.Dynamic, Description: p.config.Description,
		EngineSince: p.linkSince, Mirror: p.inner.state, Failure: p.failure, Refusals: p.refused.kinds(),
		Counters: p.count,
	}
	if p.link != nil && p.session != nil {
		s.Engine = Established
	}
	for i, m := range p.machines() {
		if i == 0 || m.state > s.State {
			s.State, s.Since = m.state, m.since
		}
	}
	if m := p.session; m != nil {
		s.AS, s.RouterID, s.HoldTime, s.Local = m.received.AS, m.received.RouterID, m.hold, addressOf(m.conn.LocalAddr())
		for _, f := range p.routes.session.Families {
			s.RoutesIn += p.routes.in.Len(f)
		}
		s.RoutesOut = int(p.subscription.told.Load())
		s.Renewing = p.coming()
		s.Waiting = p.routes.toPeer.len()
	}
	return s
}

// Kind is the kind of a Notice.
type Kind uint8

const (
	PeerUp     Kind = 1 + iota
	PeerDown        // Text says why
	EngineUp        // the peer's inner session
	EngineDown      // Text says why
	Filtered        // Refusal
)

// Notice is one thing that happened to a peer.
type Notice struct {
	Kind    Kind         `json:"kind"`
	At      time.Time    `json:"at"`
	Peer    netip.Addr   `json:"peer"`
	Text    string       `json:"text"`
	Refusal wire.Refusal `json:"refusal"`
}

// maxNotices wait for a reader; then new ones are counted as Unheard and dropped, which costs nothing: nobody has to read.
const maxNotices = 1024

// Notices is what happens. It is never closed.
func (g *Guard) Notices() <-chan Notice { return g.notices }

func (g *Guard) tell(n Notice) {
	n.At = time.Now()
	select {
	case g.notices <- n:
	default:
		g.unheard.Add(1)
	}
}
