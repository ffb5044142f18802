package gobgp

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	api "github.com/osrg/gobgp/v3/api"
	gobgplog "github.com/osrg/gobgp/v3/pkg/log"

	"github.com/tns-project/tns/speaker"
)

// watch makes events of what GoBGP reports. There is one for sessions, Adj-RIB-In and End-of-RIB together, because only within one GoBGP keeps the order.
type watch struct {
	put      func(speaker.Event)
	counters *counters
	timeout  time.Duration            // until an End-of-RIB is implied
	settle   func(netip.Addr, uint64) // called in a goroutine of its own
	lost     func(netip.Addr)         // the same, unless an operator stopped the peer
	watching context.Context
	came     func(context.Context, netip.Addr) // the same, of a session that is up; may be nil

	mu     sync.Mutex
	peers  map[netip.Addr]*peerWatch
	closed bool
}

// peerWatch is what is known of a peer, also when it is gone: epochs never start again.
type peerWatch struct {
	epoch  uint64
	up     bool
	state  api.PeerState_SessionState
	since  time.Time   // of the state
	heard  time.Time   // of the last route
	read   time.Time   // the newest second in which GoBGP read a path of the session
	ended  bool        // EndOfRIB was reported, not implied
	timer  *time.Timer // of the implied one
	reason string      // of the session's end, from GoBGP's log
}

func newWatch(put func(speaker.Event), c *counters, timeout time.Duration) *watch {
	return &watch{put: put, counters: c, timeout: timeout, peers: make(map[netip.Addr]*peerWatch)}
}

// sessions asks for sessions and End-of-RIB.
func (w *watch) sessions() *api.WatchEventRequest {
	return &api.WatchEventRequest{
		Peer: &api.WatchEventRequest_Peer{},
		Table: &api.WatchEventRequest_Table{Filters: []*api.WatchEventRequest_Table_Filter{
			{Type: api.WatchEventRequest_Table_Filter_EOR, Init: true},
		}},
	}
}

// request asks for sessions, Adj-RIB-In before policy, and End-of-RIB. A table event does not say which filter it is for, so there is one for routes.
func (w *watch) request() *api.WatchEventRequest {
	return &api.WatchEventRequest{
		Peer: &api.WatchEventRequest_Peer{},
		Table: &api.WatchEventRequest_Table{Filters: []*api.WatchEventRequest_Table_Filter{
			{Type: api.WatchEventRequest_Table_Filter_ADJIN, Init: true},
			{Type: api.WatchEventRequest_Table_Filter_EOR, Init: true},
		}},
	}
}

// event is GoBGP's callback.
func (w *watch) event(r *api.WatchEventResponse) {
	now := time.Now()
	if p := r.GetPeer(); p != nil {
		w.session(now, p.GetPeer())
		return
	}
	for _, p := range r.GetTable().GetPaths() { // none is normal
		w.path(now, p)
	}
}

// session follows a peer's state. The event's own type means nothing: a deleted peer comes as type UNKNOWN.
func (w *watch) session(now time.Time, p *api.Peer) {
	addr, ok := parseAddr(p.GetState().GetNeighborAddress())
	if !ok {
		return // the mark between the peers that were there and what happens
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	v := w.peer(addr)
	state := p.GetState().GetSessionState()
	if v.state != state {
		v.state, v.since = state, now
	}
	up := state == api.PeerState_ESTABLISHED
	if v.up {
		// Up again without a down in between is another session.
		w.down(now, addr, v)
		if !up && p.GetState().GetAdminState() == api.PeerState_UP {
			go w.lost(addr)
		}
	}
	if up {
		w.up(now, addr, v, p.GetState())
	}
}

func (w *watch) up(now time.Time, addr netip.Addr, v *peerWatch, state *api.PeerState) {
	v.epoch, v.up, v.ended, v.heard, v.reason = v.epoch+1, true, false, now, ""
	v.read = time.Time{}
	id, _ := decodeRouterID(state.GetRouterId())
	w.put(speaker.Event{Kind: speaker.SessionUp, At: now, Peer: addr, Epoch: v.epoch, RouterID: id, AS: state.GetPeerAsn()})
	epoch := v.epoch
	v.timer = time.AfterFunc(w.timeout, func() { w.imply(addr, epoch) })
	if w.came != nil {
		go w.came(w.watching, addr)
	}
}

func (w *watch) down(now time.Time, addr netip.Addr, v *peerWatch) {
	v.up = false
	v.timer.Stop()
	w.put(speaker.Event{Kind: speaker.SessionDown, At: now, Peer: addr, Epoch: v.epoch, Text: v.reason})
}

// path is a route, a withdrawal or End-of-RIB of a peer.
func (w *watch) path(now time.Time, p *api.Path) {
	addr, ok := parseAddr(p.GetNeighborIp())
	if !ok || p.GetFamily().GetSafi() != familyEVPN.Safi || p.GetFamily().GetAfi() != familyEVPN.Afi {
		return
	}
	end := isEndOfRIB(p)
	var e speaker.Event
	if !end {
		e = w.route(p)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	v := w.peer(addr)
	if !v.up || w.closed {
		return
	}
	if end {
		go w.settle(addr, v.epoch)
		return
	}
	if e.Kind == 0 {
		return
	}
	v.heard = now
	e.At, e.Late, e.Peer, e.Epoch = now, v.late(now, p), addr, v.epoch
	w.put(e)
}

// late is how long GoBGP has had a path at least: it tells when it read it, in whole seconds. A path that is what it was before keeps the time of then,
// so it says something only of this session, only while the peer has said nothing newer, and not for long.
func (v *peerWatch) late(now time.Time, p *api.Path) time.Duration {
	if p.GetAge() == nil {
		return 0
	}
	second := p.GetAge().AsTime()
	if second.Before(v.read) || second.After(now) { // said again, or the clock was set
		return 0
	}
	v.read = second
	read := second.Add(time.Second)
	if d := now.Sub(read); read.After(v.since) && d > 0 && d < unbelievable {
		return min(d, longestLate)
	}
	return 0
}

const (
	unbelievable = time.Minute // more than a path waits in GoBGP
	longestLate  = 5 * time.Second
)

// route is the path as an event without peer and time; its kind is 0 for a route type that is not ours.
func (w *watch) route(p *api.Path) speaker.Event {
	r, err := decode(p)
	switch {
	case errors.Is(err, errOtherType):
		w.counters.skipped.Add(1)
		return speaker.Event{}
	case err != nil:
		w.counters.refused.Add(1)
		return speaker.Event{Kind: speaker.Refused, Key: r.RouteKey, Text: err.Error()}
	}
	w.counters.received.Add(1)
	if p.IsWithdraw {
		return speaker.Event{Kind: speaker.Withdrawn, Key: r.RouteKey}
	}
	return speaker.Event{Kind: speaker.Announced, Key: r.RouteKey, Route: r}
}

func (w *watch) isUp(addr netip.Addr) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	v, ok := w.peers[addr]
	return ok && v.up
}

// anyUp reports whether a session stands, as far as is still watched.
func (w *watch) anyUp() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, v := range w.peers {
		if v.up {
			return !w.closed
		}
	}
	return false
}

// isWhole reports whether a session stands on which End-of-RIB has come.
func (w *watch) isWhole(addr netip.Addr) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	v, ok := w.peers[addr]
	return ok && v.up && v.ended
}

func (w *watch) since(addr netip.Addr) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if v, ok := w.peers[addr]; ok {
		return v.since
	}
	return time.Time{}
}

// stop ends the timers; nothing is put any more.
func (w *watch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for _, v := range w.peers {
		if v.timer != nil {
			v.timer.Stop()
		}
	}
}

// log takes from GoBGP's log what it tells nowhere else.
func (w *watch) log(msg string, fields gobgplog.Fields) {
	switch msg {
	case "the received Update message was treated as withdraw":
		w.counters.treatedAsWithdraw.Add(1)
	case "Capability was disabled", "Some attributes were discarded":
		w.counters.ignored.Add(1)
	case "failed to serialize":
		w.counters.unsent.Add(1)
	case "Peer Down":
		key, _ := fields["Key"].(string)
		reason, _ := fields["Reason"].(string)
		if addr, ok := parseAddr(key); ok {
			w.mu.Lock()
			w.peer(addr).reason = reason
			w.mu.Unlock()
		}
	}
}

func (w *watch) peer(addr netip.Addr) *peerWatch {
	v := w.peers[addr]
	if v == nil {
		v = new(peerWatch)
		w.peers[addr] = v
	}
	return v
}

// parseAddr reads an address of GoBGP, which writes "<nil>" for none.
func parseAddr(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	return a.Unmap(), err == nil
}
