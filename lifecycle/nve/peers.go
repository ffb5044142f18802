package nve

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/history"
	"github.com/tns-project/tns/speaker"
)

// peer is a session of the TES plane.
type peer struct {
	address  netip.Addr
	local    bool      // the edge itself, which has no address
	neighbor *Neighbor // nil: nobody that the configuration knows
	epoch    uint64
	up       bool
	ended    bool          // End-of-RIB was seen
	heard    time.Time     // when it said the last thing
	offers   table[*offer] // the requests that it brings
}

// tes is a TES that speaks or spoke to us.
type tes struct {
	id       evpn.RouterID
	speaker  netip.Addr // the direct neighbour that speaks for it; invalid: none
	records  map[VMKey]*record
	offers   int // request routes that stand
	beacon   *beacon
	conflict bool // another neighbour claims the TES-ID, and was told of
}

// tes finds or makes a TES.
func (e *Edge) tes(id evpn.RouterID) *tes {
	t := e.tess[id]
	if t == nil {
		t = &tes{id: id, records: map[VMKey]*record{}}
		e.tess[id] = t
	}
	return t
}

// present is a TES that says something: after a restart it is waited for.
func (e *Edge) present(id evpn.RouterID) *tes {
	if _, ok := e.memory.TESs[id]; !ok {
		e.memory.TESs[id] = struct{}{}
		if e.Store != nil {
			e.Store.PutTES(id)
		}
	}
	return e.tes(id)
}

// dropTES forgets a TES of which nothing is left.
func (e *Edge) dropTES(t *tes) {
	if len(t.records) > 0 || t.offers > 0 || t.beacon != nil || t.speaker.IsValid() || e.tess[t.id] != t {
		return
	}
	delete(e.tess, t.id)
	if e.completed {
		e.forgetTES(t.id)
	}
}

// handleTES is the TES plane's input.
func (e *Edge) handleTES(ev speaker.Event) {
	p := e.peers[ev.Peer]
	if p == nil && ev.Kind != speaker.SessionUp {
		return // of a session that is over
	}
	if p == nil {
		p = &peer{address: ev.Peer, neighbor: e.neighbor(ev.Peer)}
	}
	p.heard = ev.At
	if ev.At.Before(e.now) {
		p.heard = e.now
	}
	if caught := p.heard.Add(ev.Late); ev.Late > 0 && caught.After(e.behind) {
		e.behind = caught
	}
	switch ev.Kind {
	case speaker.SessionUp:
		if p.up {
			e.tesDown(p, "replaced by a new session")
		}
		p.epoch, p.up, p.ended = ev.Epoch, true, false
		e.peers[p.address] = p
		e.speaksFirst(p)
		e.resumeLifetimes()
		e.note(history.Event{Kind: history.KindSession, Peer: ev.Peer.String(), TES: ev.RouterID.String(), Detail: "established"})
	case speaker.SessionDown:
		if p.up && ev.Epoch == p.epoch {
			e.tesDown(p, ev.Text)
		}
	case speaker.Announced:
		if !p.up || ev.Epoch != p.epoch {
			return
		}
		switch ev.Route.Type {
		case evpn.MACIPAdvertisement:
			e.offered(p, ev.Route)
		case evpn.InclusiveMulticast:
			e.beaconSeen(p, ev.Route)
		}
	case speaker.Withdrawn:
		if p.up && ev.Epoch == p.epoch {
			e.withdrawn(p, ev.Key)
		}
	case speaker.Refused:
		e.stats.malformed++
		e.note(history.Event{Kind: history.KindAlarm, Peer: ev.Peer.String(), Detail: "a route could not be read: " + ev.Text})
		if p.up && ev.Epoch == p.epoch {
			e.withdrawn(p, ev.Key)
		}
	case speaker.EndOfRIB:
		if p.up && ev.Epoch == p.epoch && !p.ended {
			p.ended = true
			delete(e.unheard, p.address)
			for id := range e.unready {
				if _, ok := e.maySpeak(p, id); ok {
					delete(e.unready, id)
				}
			}
			e.later(e.checkComplete)
		}
	}
}

// speaksFirst makes a direct neighbour the one that speaks for its TES-ID, before it says anything: of two addresses that claim one, the newer session is
// refused, not the one that asks later.
func (e *Edge) speaksFirst(p *peer) {
	if p.neighbor == nil || p.neighbor.Reflector || len(p.neighbor.IDs) > 1 {
		return
	}
	id, err := evpn.RouterIDFromAddr(p.address)
	if len(p.neighbor.IDs) == 1 {
		id, err = p.neighbor.IDs[0], nil
	}
	if err != nil || id == e.config.ID {
		return
	}
	if t := e.tes(id); !t.speaker.IsValid() {
		t.speaker = p.address
	}
}

// neighbor is the configuration of an address: the longest prefix.
func (e *Edge) neighbor(a netip.Addr) *Neighbor {
	var best *Neighbor
	for i := range e.config.Neighbors {
		n := &e.config.Neighbors[i]
		if n.Prefix.Contains(a) && (best == nil || n.Prefix.Bits() > best.Prefix.Bits()) {
			best = n
		}
	}
	return best
}

// maySpeak reports whether the neighbour may speak for the TES-ID; own is the TES-ID it has itself, as far as that is one.
func (e *Edge) maySpeak(p *peer, id evpn.RouterID) (own evpn.RouterID, ok bool) {
	n := p.neighbor
	switch {
	case n == nil:
		own, _ = evpn.RouterIDFromAddr(p.address)
		return own, false
	case len(n.IDs) > 0:
		if slices.Contains(n.IDs, id) {
			return id, true
		}
		return n.IDs[0], false
	case n.Reflector:
		return 0, false
	default:
		own, err := evpn.RouterIDFromAddr(p.address)
		return own, err == nil && own == id
	}
}

// identify tells for which TES-ID a route speaks and whether it may (SPEC §1, "Who may speak for a TES-ID"). With a complaint, speaker is whom the
// refusal goes to; 0 where there is nobody to tell.
func (e *Edge) identify(p *peer, r *evpn.Route) (id evpn.RouterID, complaint string) {
	admin, _, ok := r.RD.Split()
	if p.local {
		return e.config.ID, ""
	}
	if admin == e.config.ID {
		return 0, fmt.Sprintf("%s speaks for the NVE-ID", p.address)
	}
	if p.neighbor != nil && p.neighbor.Reflector {
		if !ok || admin != r.OriginatorID {
			return r.OriginatorID, fmt.Sprintf("RD %s is not ORIGINATOR_ID %s", r.RD, r.OriginatorID)
		}
		if _, may := e.maySpeak(p, admin); !may {
			return admin, fmt.Sprintf("reflector %s may not speak for %s", p.address, admin)
		}
		return admin, ""
	}
	own, may := e.maySpeak(p, admin)
	if own == e.config.ID {
		own = 0 // there is nobody to tell
	}
	if !ok || !may {
		return own, fmt.Sprintf("RD %s is not that of neighbour %s", r.RD, p.address)
	}
	if r.NextHop != admin.Addr() && r.NextHop != p.address {
		return own, fmt.Sprintf("next hop %s is neither %s nor the neighbour", r.NextHop, admin)
	}
	t := e.tes(admin)
	if t.speaker.IsValid() && t.speaker != p.address {
		if !t.conflict {
			t.conflict = true
			e.stats.duplicateTES++
			e.note(history.Event{Kind: history.KindAlarm, TES: admin.String(), Peer: p.address.String(),
				Detail: fmt.Sprintf("duplicate-tes-id: %s already speaks for it", t.speaker)})
		}
		return admin, fmt.Sprintf("TES-ID %s is alive from %s", admin, t.speaker)
	}
	t.speaker = p.address
	return admin, ""
}

// tesDown is a lost session: its TESs' VMs are orphaned, whatever the reason was.
func (e *Edge) tesDown(p *peer, why string) {
	p.up, p.ended = false, false
	delete(e.peers, p.address)
	e.note(history.Event{Kind: history.KindSession, Peer: p.address.String(), Detail: "down: " + why})
	e.pauseLifetimes()
	for _, k := range keysOf(e.refused, compareForeign) {
		if k.peer == p.address {
			e.foreignGone(k)
		}
	}
	for _, k := range p.offers.routes() {
		e.dropFrom(p, k, lostSession)
	}
	freed := map[evpn.RouterID]bool{}
	for _, id := range keysOf(e.tess, cmp.Compare) {
		t := e.tess[id]
		if t.beacon != nil && t.beacon.peer == p.address {
			e.beaconLost(t)
		}
		if t.speaker == p.address {
			t.speaker, t.conflict = netip.Addr{}, false
			freed[id] = true
			for _, r := range t.records { // what was withdrawn just before is not taken for a TERMINATE
				e.timers.stop(r.gone)
				r.gone, r.left = nil, lostSession
			}
		}
		e.dropTES(t)
	}
	e.reconsider(freed)
}

// reconsider gives other neighbours' requests for TES-IDs that are free now their turn.
func (e *Edge) reconsider(freed map[evpn.RouterID]bool) {
	for _, k := range keysOf(e.refused, compareForeign) {
		o := e.refused[k]
		if id, _, _ := o.route.RD.Split(); !freed[id] {
			continue
		}
		e.later(func() {
			if q := e.peers[k.peer]; q != nil && e.refused[k] == o {
				e.offered(q, *o.whole)
			}
		})
	}
}

func compareForeign(a, b foreignKey) int {
	return cmp.Or(a.peer.Compare(b.peer), compareRoutes(a.key, b.key))
}
