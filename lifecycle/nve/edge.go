package nve

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/history"
	"github.com/tns-project/tns/lifecycle/quota"
	"github.com/tns-project/tns/lifecycle/tag"
)

// Parts is what the edge works with.
type Parts struct {
	TES         Announcer // responses
	Fabric      Announcer // types 2 and 3 towards other edges
	Forwarder   Forwarder
	Authorizer  Authorizer  // nil: nobody else is asked
	Store       Store       // nil: nothing is remembered
	Middleboxes Middleboxes // nil: nobody is told
	Caller      Caller      // of other edges; nil: none is called
	History     *history.Log
	Log         *logrus.Entry

	Demands func(vn string, p evpn.Policy) Demand // what a MAC in a VN takes because of its policy (zero: none); nil: what the policy says
}

// Edge is the NVE's loop and all it owns. Only Run's goroutine touches the fields; Snapshot, ClearDuplicate and Stats are safe for concurrent use.
type Edge struct {
	config Config
	Parts

	vns    map[evpn.VNI]*vn
	byName map[evpn.VNName]*vn
	named  map[string]*vn

	local     *peer                 // the edge itself, as the TES of its servers
	servers   map[evpn.VMID]*server // that nobody else asks for
	comebacks *comebacks            // nil: not looked for, or nobody comes back any more

	now      time.Time
	behind   time.Time              // until then the TESs' speaker, which was behind, may bring what arrived long before
	peers    map[netip.Addr]*peer   // sessions of the TES plane
	tess     map[evpn.RouterID]*tes // who is or was there
	requests table[*offer]          // standing requests, by NLRI
	refused  map[foreignKey]*offer  // requests of those who may not speak for the TES-ID
	records  map[VMKey]*record
	bound    table[*binding]            // that are held, by the request's NLRI
	dry      map[VMKey]offers           // dry runs that stand
	stations map[StationKey]*station    // (VN, MAC)
	answers  map[evpn.RouteKey][]*offer // whose responses stand, by the NLRI of these; the last is told
	fabric   map[netip.Addr]*fabricPeer

	express     express
	authorities map[evpn.RouterID]*fabricPeer // edges that speak for their own routes, by an express session
	mourned     map[evpn.RouterID]*fabricPeer // edges whose express session was lost, and what it said stands

	ips     map[ipKey]*place             // who has an IP
	waiting map[dataplane.Key]*procedure // who waits for the kernel
	memory  Memory
	ledger  *quota.Ledger[VMKey] // what of the edge is reserved
	claimed []quota.Claim        // the last claims
	sources []netip.Addr         // the last that were ruled on
	ports   map[string]Port
	timers  timers

	book      *tag.Book                                          // VIDs
	tagTimers map[tag.Key]*timer                                 // changes that go on
	tagSteps  map[tag.Key]*timer                                 // those to be looked at
	tagTells  map[tag.Key]map[dataplane.Key]dataplane.Generation // those that VMs are told of when the kernel has these

	unready    map[evpn.RouterID]struct{} // TESs that were there before the restart and have not finished
	unheard    map[netip.Addr]struct{}    // reflectors of TESs that have not sent End-of-RIB
	started    time.Time
	fabricDone bool // every fabric peer's table is known, or the wait is over
	completed  bool // Forwarder.Complete was called
	deferred   map[VMKey]struct{}
	paused     time.Time // no signalling session since then; zero while there is one
	running    int       // procedures
	mail       mailbox   // from other goroutines
	queue      []func()  // what this turn leaves to do
	stats      counters
	names      []byte // of the last event
	seen       sighting
}

// New makes an edge; nothing is sent before Run.
func New(c Config, p Parts) (*Edge, error) {
	e := &Edge{
		config: c.withDefaults(), Parts: p,
		vns: map[evpn.VNI]*vn{}, byName: map[evpn.VNName]*vn{}, named: map[string]*vn{},
		servers: map[evpn.VMID]*server{}, peers: map[netip.Addr]*peer{}, tess: map[evpn.RouterID]*tes{},
		refused: map[foreignKey]*offer{}, records: map[VMKey]*record{}, dry: map[VMKey]offers{},
		stations: map[StationKey]*station{}, answers: map[evpn.RouteKey][]*offer{},
		express: newExpress(), authorities: map[evpn.RouterID]*fabricPeer{}, mourned: map[evpn.RouterID]*fabricPeer{},
		fabric: map[netip.Addr]*fabricPeer{}, ips: map[ipKey]*place{},
		waiting: map[dataplane.Key]*procedure{}, unready: map[evpn.RouterID]struct{}{}, unheard: map[netip.Addr]struct{}{}, deferred: map[VMKey]struct{}{},
		tagTimers: map[tag.Key]*timer{}, tagSteps: map[tag.Key]*timer{}, tagTells: map[tag.Key]map[dataplane.Key]dataplane.Generation{},
		ports: map[string]Port{}, mail: newMailbox(),
	}
	if e.Demands == nil {
		e.Demands = e.demands
	}
	if e.Log == nil {
		e.Log = logrus.NewEntry(logrus.StandardLogger())
	}
	if e.History == nil {
		e.History = history.New(1024, 64)
	}
	if e.Store != nil {
		m, err := e.Store.Load()
		if err != nil {
			return nil, fmt.Errorf("load what was remembered: %w", err)
		}
		e.memory = m
	}
	e.memory.init()
	e.ledger = quota.New[VMKey](e.limit)
	e.awaitAll()
	all := newNumbers(&e.memory, e.Store)
	for _, v := range e.config.VNs {
		if err := e.addVN(v, all); err != nil {
			return nil, err
		}
	}
	if err := e.addServers(); err != nil {
		return nil, err
	}
	e.forgetDrained()
	e.reclaim()
	e.openBook()
	for _, a := range e.config.FabricPeers {
		e.fabric[a] = &fabricPeer{address: a, static: true}
	}
	return e, nil
}

// drain does what was left to do and what came from other goroutines, until nothing is left.
func (e *Edge) drain() {
	for {
		e.queue = append(e.queue, e.mail.take()...)
		if len(e.queue) == 0 {
			e.queue = nil
			return
		}
		f := e.queue[0]
		e.queue = e.queue[1:]
		f()
	}
}

// later leaves something to the end of the turn.
func (e *Edge) later(f func()) { e.queue = append(e.queue, f) }

// start opens the waits of a start: for the fabric's tables, and for everyone's End-of-RIB before anything is pruned.
func (e *Edge) start() {
	e.started = e.now
	e.paused = e.now
	e.recall()
	e.resumeTags()
	e.associateServers()
	e.timers.after(e.now, e.config.RestoreWait, e.fabricKnown)
	e.timers.after(e.now, e.config.StartupHold, e.complete)
	if len(e.memory.Acceptances)+len(e.memory.Holdings) > 0 && e.config.Lifetimes.Orphaned > 0 {
		e.timers.after(e.now, e.config.Lifetimes.Orphaned, e.forgetUnclaimed)
	}
	e.checkFabricKnown()
	e.checkComplete()
}

// checkFabricKnown ends the wait for the fabric's tables once every static peer's End-of-RIB was seen.
func (e *Edge) checkFabricKnown() {
	for _, p := range e.fabric {
		if p.static && !p.done {
			return
		}
	}
	e.fabricKnown()
}

// fabricKnown takes up the requests that waited (SPEC §3: a restored request never claims a MAC that a remote route holds).
func (e *Edge) fabricKnown() {
	if e.fabricDone {
		return
	}
	e.fabricDone = true
	keys := keysOf(e.deferred, compareVMKeys)
	slices.SortStableFunc(keys, func(a, b VMKey) int { // who held something before a restart comes before who was refused it then
		return cmp.Compare(min(len(e.memory.Holdings[b]), 1), min(len(e.memory.Holdings[a]), 1))
	})
	clear(e.deferred)
	for _, k := range keys {
		if r := e.records[k]; r != nil {
			e.evaluate(r)
		}
	}
}

// awaitAll notes who is waited for after a restart, before anything is pruned: every TES that was there, and every reflector that TESs are behind. Where the
// kernel holds entries of a run before and nothing is remembered of it, that is every TES that the configuration names.
func (e *Edge) awaitAll() {
	for id := range e.memory.TESs {
		e.unready[id] = struct{}{}
	}
	if !e.config.Restarted && len(e.memory.TESs) == 0 {
		return // there is nothing to prune
	}
	for _, n := range e.config.Neighbors {
		switch {
		case n.Reflector:
			e.unheard[n.Prefix.Addr()] = struct{}{}
		case len(e.memory.TESs) == 0:
			for _, id := range n.own() {
				e.unready[id] = struct{}{}
			}
		}
	}
}

// checkComplete allows pruning once every static fabric peer and every TES that was there has sent End-of-RIB (SPEC §4).
func (e *Edge) checkComplete() {
	if e.completed || !e.fabricDone || len(e.unready) > 0 || len(e.unheard) > 0 || e.running > 0 { // what the last End-of-RIB brought may still be in progress
		return
	}
	for _, p := range e.fabric {
		if p.static && !p.done {
			return
		}
	}
	e.complete()
}

func (e *Edge) complete() {
	if !e.completed {
		e.completed = true
		e.forgetAbsent()
		e.endTagStart()
		e.fallen()
		e.prepareHeld()
		e.callLater()
		e.comebacks = nil
		e.askAgain() // before anything goes that a server still has
		e.Forwarder.Complete()
		e.Log.WithField("after", e.now.Sub(e.started).Round(time.Millisecond)).Info("start complete")
	}
}
