package nve

import (
	"context"
	"maps"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/quota"
)

// counters is what the loop counts.
type counters struct {
	requests, malformed, ignored, incomplete, beacons, digestMismatches uint64
	transitions, immigrations, orphaned, alarms                         uint64
	duplicates, duplicateTES, kernelErrors                              uint64
	fabricAnnounced, fabricWithdrawn                                    uint64
	edgesRefused                                                        [edgeRefusals]uint64
	expressForeign                                                      uint64
	tagChanges, tagsFailed, tagsUnanswered                              uint64
	responses                                                           map[Answered]uint64
	unauthorizedBy                                                      map[Unauthorized]uint64
}

// Answered is a kind of response, as counted.
type Answered struct {
	Status evpn.Status
	Reason evpn.Reason
}

func (c *counters) answered(s evpn.Status, r evpn.Reason) {
	if c.responses == nil {
		c.responses = map[Answered]uint64{}
	}
	c.responses[Answered{s, r}]++
}

// Unauthorized is a kind of refusal that a TES met with: 6 (failed authorization) or 13 (bad, missing or expired credential). TES is 0 for those beyond the
// TESs that are counted one by one.
type Unauthorized struct {
	TES    evpn.RouterID
	Reason evpn.Reason
}

// maxUnauthorized bounds what is counted one by one: behind a reflector a TES-ID is whatever its sender makes it.
const maxUnauthorized = 4096

// unauthorized counts a refused route, if it was for want of authorization.
func (c *counters) unauthorized(tes evpn.RouterID, why evpn.Reason) {
	if why != evpn.FailedAuthorization && why != evpn.BadCredential {
		return
	}
	if c.unauthorizedBy == nil {
		c.unauthorizedBy = map[Unauthorized]uint64{}
	}
	k := Unauthorized{tes, why}
	if _, known := c.unauthorizedBy[k]; !known && len(c.unauthorizedBy) >= maxUnauthorized {
		k.TES = 0
	}
	c.unauthorizedBy[k]++
}

// Stats is what the edge has counted since it started, and how much it holds now.
type Stats struct {
	Requests         uint64 // request routes received, repetitions included
	Malformed        uint64 // requests, beacons and routes that could not be read
	Ignored          uint64 // routes that were not for this edge
	Incomplete       uint64 // sets that were not whole in time (FAIL 18)
	Beacons          uint64
	DigestMismatches uint64
	Transitions      uint64 // changes of state
	Immigrations     uint64
	Orphaned         uint64 // marks set
	Alarms           uint64
	DuplicateMACs    uint64
	DuplicateTESs    uint64 // TES-IDs found alive from two addresses
	KernelErrors     uint64
	FabricAnnounced  uint64 // routes
	FabricWithdrawn  uint64
	EdgesRefused     map[EdgeRefusal]uint64
	ExpressForeign   uint64 // routes of express sessions that were not the edge's own
	TagChanges       uint64 // of VIDs that VNs have on segments
	TagsFailed       uint64 // local tags that TESs could not apply
	TagsUnanswered   uint64 // and those that they did not answer to in time
	Responses        map[Answered]uint64
	Unauthorized     map[Unauthorized]uint64 // routes

	Records  map[evpn.State]int
	Orphans  int
	Used     []quota.Usage
	Waiting  int // local tags that TESs have not answered to
	Failed   int // and those that they could not apply
	Edges    int // that are called
	Stations int // (VN, MAC)s known, local and remote
	Ready    bool
}

// Stats asks the loop for its counters.
func (e *Edge) Stats(ctx context.Context) (Stats, error) {
	var s Stats
	err := e.ask(ctx, func() {
		c := &e.stats
		s = Stats{
			Requests: c.requests, Malformed: c.malformed, Ignored: c.ignored, Incomplete: c.incomplete, Beacons: c.beacons, DigestMismatches: c.digestMismatches,
			Transitions: c.transitions, Immigrations: c.immigrations, Orphaned: c.orphaned, Alarms: c.alarms, DuplicateMACs: c.duplicates, DuplicateTESs: c.duplicateTES,
			KernelErrors: c.kernelErrors, FabricAnnounced: c.fabricAnnounced, FabricWithdrawn: c.fabricWithdrawn,
			TagChanges: c.tagChanges, TagsFailed: c.tagsFailed, TagsUnanswered: c.tagsUnanswered,
			Responses: make(map[Answered]uint64, len(c.responses)), Records: map[evpn.State]int{}, Stations: len(e.stations), Ready: e.fabricDone,
		}
		for k, n := range c.responses {
			s.Responses[k] = n
		}
		s.Edges, s.ExpressForeign, s.EdgesRefused = len(e.express.callees), c.expressForeign, map[EdgeRefusal]uint64{}
		for why, n := range c.edgesRefused {
			s.EdgesRefused[EdgeRefusal(why)] = n
		}
		s.Used = e.ledger.Usage()
		s.Unauthorized = maps.Clone(c.unauthorizedBy)
		for _, told := range e.memory.Told {
			for _, t := range told {
				if t.Value.waits() {
					s.Waiting++
				} else if t.Value.Answer == TagFailed {
					s.Failed++
				}
			}
		}
		for _, r := range e.records {
			s.Records[wireState(r.State)]++
			if r.Orphaned {
				s.Orphans++
			}
		}
	})
	return s, err
}

// ask runs f in the loop and waits for it.
func (e *Edge) ask(ctx context.Context, f func()) error {
	done := make(chan struct{})
	e.mail.post(func() {
		f()
		close(done)
	})
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
