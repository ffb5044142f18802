package tes

import (
	"net/netip"
	"slices"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/tes/store"
	"github.com/tns-project/tns/speaker"
)

// response is a standing response route.
type response struct {
	peer   netip.Addr
	epoch  uint64
	key    evpn.RouteKey
	nve    evpn.RouterID
	number uint16 // of its RD
	label  evpn.VNI
	said   evpn.Response
}

// address is where a response and its request agree in their NLRI.
type address struct {
	mac evpn.MAC
	ip  netip.Addr
}

// responses is the table of standing response routes. The newest heard is last in its list.
type responses map[address][]response

func (rs responses) put(r response) {
	rs.drop(r.peer, r.key)
	at := address{r.key.MAC, r.key.IP}
	rs[at] = append(rs[at], r)
}

func (rs responses) drop(peer netip.Addr, key evpn.RouteKey) {
	rs.remove(address{key.MAC, key.IP}, func(r response) bool { return r.peer == peer && r.key == key })
}

// sweep removes what the peer said in a session before that epoch.
func (rs responses) sweep(peer netip.Addr, epoch uint64) {
	for at := range rs {
		rs.remove(at, func(r response) bool { return r.peer == peer && r.epoch < epoch })
	}
}

func (rs responses) remove(at address, which func(response) bool) {
	if rs[at] = slices.DeleteFunc(rs[at], which); len(rs[at]) == 0 {
		delete(rs, at)
	}
}

// hearRoute takes in a route of a peer: a response, or a reply beacon.
func (c *core) hearRoute(now time.Time, e speaker.Event) {
	if e.Route.Type == evpn.InclusiveMulticast {
		c.hearBeacon(now, e)
		return
	}
	r, ok := c.readResponse(e)
	if !ok {
		c.stats.Ignored++
		c.forgetRoute(now, e.Peer, e.Route.RouteKey)
		return
	}
	c.responses.put(r)
	c.settleAt(now, r.key)
}

// readResponse reads a response route; ok is false if it is none, none to us, or not from an NVE that this peer may speak for.
func (c *core) readResponse(e speaker.Event) (r response, ok bool) {
	nve, number, typed := e.Route.RD.Split()
	toUs := slices.Contains(e.Route.RouteTargets(), evpn.ResponseTarget(c.cfg.ID)) && e.Route.Tag == evpn.EthernetTag(c.cfg.ID)
	if !typed || e.Route.Type != evpn.MACIPAdvertisement || !toUs || !c.cfg.hears(e.Peer, nve) {
		return response{}, false
	}
	said, err := evpn.DecodeResponse(e.Route.Communities)
	if err != nil {
		c.logger.WithError(err).WithField("peer", e.Peer).WithField("route", e.Route.RouteKey).Warn("malformed response")
		return response{}, false
	}
	return response{
		peer: e.Peer, epoch: e.Epoch, key: e.Route.RouteKey, nve: nve, number: number, label: e.Route.Label, said: said,
	}, true
}

func (c *core) forgetRoute(now time.Time, peer netip.Addr, key evpn.RouteKey) {
	c.responses.drop(peer, key)
	c.settleAt(now, key)
}

// settleAt settles whoever a response with that MAC and IP may be for.
func (c *core) settleAt(now time.Time, key evpn.RouteKey) {
	for _, h := range slices.Clone(c.holders[key.MAC]) {
		if v := c.vms[h.vm]; v != nil {
			c.changed(v)
			c.settle(now, v)
		}
	}
	c.settleTrials(now)
}

// answer is what the NVE says to all routes of a request.
type answer struct {
	complete bool // each route has its response
	pending  bool // the NVE works on it
	status   evpn.Status
	reason   evpn.Reason
	state    evpn.State
	sequence uint32 // acknowledged
	lifetime uint16
	routes   []RouteResult
}

// answer reads what stands to the VM's current request. Several refusals count as the first that says more than "incomplete set".
func (c *core) answer(v *vm) answer {
	return c.answerTo(v.ID, v.NVE, v.Request.Sequence, v.Current(), false)
}

func (c *core) answerTo(id evpn.VMID, nve evpn.RouterID, sequence uint32, routes []store.Route, trial bool) answer {
	a := answer{complete: len(routes) > 0}
	for _, route := range routes {
		r := c.responseTo(id, nve, route, trial)
		if r == nil || !answers(r.said, sequence) {
			a.complete = false
			continue
		}
		a.routes = append(a.routes, RouteResult{
			VN: route.VN, VNI: route.VNI, MAC: route.MAC, IP: route.IP, Status: r.said.Status, Reason: r.said.Reason,
		})
		if r.said.Status == evpn.Pending {
			a.complete, a.pending = false, true
			continue
		}
		a.add(r.said)
	}
	return a
}

// add joins one route's response to the answer.
func (a *answer) add(said evpn.Response) {
	first := len(a.routes) == 1
	worse := said.Status != evpn.Success && (a.status == evpn.Success || a.reason == evpn.IncompleteSet && said.Reason != evpn.IncompleteSet)
	if !first && !worse {
		return
	}
	a.status, a.reason, a.state, a.sequence = said.Status, said.Reason, said.State, said.Sequence
	if said.Lease != nil {
		a.lifetime = said.Lease.Lifetime
	}
}

// answers reports whether a response is to the request with that sequence. A FAIL 12 does not repeat the sequence: it is ours as long as
// what it calls the highest accepted is not below the request.
func answers(said evpn.Response, sequence uint32) bool {
	return said.Sequence == sequence || said.Reason == evpn.StaleSequence && !evpn.SequenceNewer(sequence, said.Sequence)
}

// responseTo finds the response to a route: the one for its VN, else one that knows no VN; among those of several peers, or of several
// times, the one that acknowledges most.
func (c *core) responseTo(id evpn.VMID, nve evpn.RouterID, route store.Route, trial bool) *response {
	var best *response
	bestFit := 0
	at := c.responses[address{route.MAC, route.IP}]
	for i := range at {
		r := &at[i]
		if r.nve != nve || r.said.VM != nil && *r.said.VM != id || trial != (r.number == evpn.DryRunRD) {
			continue
		}
		fit := c.fit(r, route)
		if fit == 0 || fit < bestFit {
			continue
		}
		if best == nil || fit > bestFit || !evpn.SequenceNewer(best.said.Sequence, r.said.Sequence) {
			best, bestFit = r, fit
		}
	}
	return best
}

// fit tells how well a response's VN is the route's: 2 it is, 1 the NVE knows none, 0 it is another.
func (c *core) fit(r *response, route store.Route) int {
	same := false
	switch {
	case route.VNI != 0 && r.label != 0:
		same = r.label == route.VNI
	case r.said.VNName != nil:
		same = *r.said.VNName == c.name(route.VN)
	case r.label == 0:
		return 1
	}
	if same {
		return 2
	}
	return 0
}

// name is the VN-NAME of a VN.
func (c *core) name(vn string) evpn.VNName {
	n, ok := c.names[vn]
	if !ok {
		n = evpn.HashVNName(vn)
		c.names[vn] = n
	}
	return n
}
