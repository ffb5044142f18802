package tes

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker"
)

// verdict is how the scripted NVE answers a request. The zero value is SUCCESS with the state that the operation leads to.
type verdict struct {
	silent bool
	status evpn.Status
	reason evpn.Reason
	state  *evpn.State // nil: by status and operation
	acked  *uint32     // nil: the request's
}

func refusal(r evpn.Reason) verdict     { return verdict{status: evpn.Fail, reason: r} }
func refusalKept(r evpn.Reason) verdict { return verdict{status: evpn.FailKept, reason: r} }

// edge is a scripted NVE: it reads the TES's table and says what its rules say. It keeps the state of each VM, but judges nothing.
type edge struct {
	id    evpn.RouterID
	peer  netip.Addr
	up    bool
	epoch uint64
	rules map[evpn.VMID][]verdict // used up one by one, the last one stays
	vms   map[evpn.VMID]*record
	said  map[evpn.RouteKey]evpn.Route // in this session
	names map[evpn.VNI]string          // the VNs it knows
	hides map[evpn.MAC]verdict         // what a single route is told instead
}

type record struct {
	sequence uint32 // highest accepted
	judged   uint32 // newest request that has its answer
	state    evpn.State
	now      verdict
	tag      *evpn.LocalTag
	lifetime uint16
	routes   []evpn.Route
}

func newEdge(id evpn.RouterID, peer netip.Addr) *edge {
	return &edge{
		id: id, peer: peer, rules: map[evpn.VMID][]verdict{}, vms: map[evpn.VMID]*record{}, said: map[evpn.RouteKey]evpn.Route{},
		names: map[evpn.VNI]string{10100: "blue", 10200: "red", 10300: "slow", 10999: "named", 20100: "far"},
		hides: map[evpn.MAC]verdict{},
	}
}

// script sets how the next requests of a VM are answered.
func (e *edge) script(id evpn.VMID, vs ...verdict) { e.rules[id] = vs }

// change is what the NVE does on its own.
func (e *edge) change(id evpn.VMID, v verdict, s evpn.State) {
	e.vms[id].now, e.vms[id].state = v, s
}

// react reads the table and returns what the NVE says that it did not say before in this session.
func (e *edge) react(routes map[evpn.RouteKey]evpn.Route) []speaker.Event {
	if !e.up {
		return nil
	}
	sets, trials := map[evpn.VMID][]evpn.Route{}, map[evpn.VMID][]evpn.Route{}
	for _, r := range routes {
		request, err := evpn.DecodeRequest(r.Communities)
		if r.Type != evpn.MACIPAdvertisement || err != nil || !slices.Contains(r.RouteTargets(), evpn.RequestTarget(e.id)) {
			continue
		}
		if request.Flags&evpn.FlagDryRun != 0 {
			trials[request.VM] = append(trials[request.VM], r)
		} else {
			sets[request.VM] = append(sets[request.VM], r)
		}
	}
	want := map[evpn.RouteKey]evpn.Route{}
	for id, set := range sets {
		e.apply(id, set)
	}
	for id, rec := range e.vms {
		if _, requested := sets[id]; !requested && (rec.state == evpn.StateNull || rec.state == evpn.StateTerminated) {
			delete(e.vms, id) // withdrawn after its end
			continue
		}
		if !rec.now.silent {
			e.answer(want, rec)
		}
	}
	for id, set := range trials {
		request, _ := evpn.DecodeRequest(set[0].Communities)
		if len(set) == int(request.Count) {
			v := e.rule(id)
			e.answer(want, &record{sequence: request.Sequence, state: stateAfter(v, request.Op, request.Base), now: v, routes: set})
		}
	}
	return e.differences(want)
}

func (e *edge) rule(id evpn.VMID) verdict {
	vs := e.rules[id]
	if len(vs) == 0 {
		return verdict{}
	}
	if len(vs) > 1 {
		e.rules[id] = vs[1:]
	}
	return vs[0]
}

// apply takes a complete newer set up.
func (e *edge) apply(id evpn.VMID, set []evpn.Route) {
	var newest evpn.Request
	var routes []evpn.Route
	for _, r := range set {
		request, _ := evpn.DecodeRequest(r.Communities)
		switch {
		case routes == nil || evpn.SequenceNewer(request.Sequence, newest.Sequence):
			newest, routes = request, []evpn.Route{r}
		case request.Sequence == newest.Sequence:
			routes = append(routes, r)
		}
	}
	rec := e.vms[id]
	if rec != nil && rec.judged == newest.Sequence || len(routes) != int(newest.Count) {
		return
	}
	if rec == nil {
		rec = &record{lifetime: 300}
		e.vms[id] = rec
	}
	rec.judged = newest.Sequence
	if rec.sequence != 0 && !evpn.SequenceNewer(newest.Sequence, rec.sequence) {
		rec.now, rec.routes = verdict{status: evpn.FailKept, reason: evpn.StaleSequence}, routes
		return
	}
	rec.now, rec.sequence, rec.routes = e.rule(id), newest.Sequence, routes
	if rec.now.acked != nil {
		rec.sequence = *rec.now.acked
	}
	if rec.now.status != evpn.Pending && !rec.now.silent {
		rec.state = stateAfter(rec.now, newest.Op, rec.state)
	}
}

func stateAfter(v verdict, op evpn.Op, before evpn.State) evpn.State {
	switch {
	case v.state != nil:
		return *v.state
	case v.status == evpn.Fail:
		return evpn.StateNull
	case v.status != evpn.Success:
		return before
	case op == evpn.Resume && before != evpn.StateSuspended && before != evpn.StateEmigrating:
		return before
	default:
		return leadsTo(op)
	}
}

// answer makes the response routes of a record.
func (e *edge) answer(want map[evpn.RouteKey]evpn.Route, rec *record) {
	for _, r := range rec.routes {
		request, _ := evpn.DecodeRequest(r.Communities)
		v := rec.now
		if hidden, ok := e.hides[r.MAC]; ok {
			v = hidden
		}
		if v.silent {
			continue
		}
		said := evpn.Response{
			VM: &request.VM, Index: request.Index, Count: request.Count, Status: v.status, State: rec.state, Reason: v.reason,
			Sequence: rec.sequence, Lease: &evpn.Lease{Lifetime: rec.lifetime}, Tag: rec.tag,
		}
		vni, number := e.resolve(r.Label, request.VNName)
		if vni != 0 {
			name := evpn.HashVNName(e.names[vni])
			said.VNName = &name
		}
		if request.Flags&evpn.FlagDryRun != 0 {
			number = evpn.DryRunRD
		}
		key := evpn.RouteKey{Type: evpn.MACIPAdvertisement, RD: evpn.NewRD(e.id, number), Tag: evpn.EthernetTag(tesID), MAC: r.MAC, IP: r.IP}
		want[key] = evpn.Route{
			RouteKey: key, Label: vni, NextHop: e.id.Addr(),
			Communities: append([]evpn.ExtendedCommunity{evpn.ExtendedCommunity(evpn.ResponseTarget(tesID))}, said.Communities()...),
		}
	}
}

// resolve is the VNI and the RD number of a VN; 0 and 0 if the edge does not know it.
func (e *edge) resolve(label evpn.VNI, name *evpn.VNName) (evpn.VNI, uint16) {
	for vni, n := range e.names {
		if label == vni || label == 0 && name != nil && evpn.HashVNName(n) == *name {
			return vni, uint16(vni%1000) + 1
		}
	}
	return 0, evpn.UnknownVNRD
}

func (e *edge) differences(want map[evpn.RouteKey]evpn.Route) []speaker.Event {
	var events []speaker.Event
	for key, r := range want {
		if old, there := e.said[key]; !there || !sameRoute(old, r) {
			events = append(events, speaker.Event{Kind: speaker.Announced, Peer: e.peer, Epoch: e.epoch, Route: r})
		}
	}
	for key := range e.said {
		if _, there := want[key]; !there {
			events = append(events, speaker.Event{Kind: speaker.Withdrawn, Peer: e.peer, Epoch: e.epoch, Key: key})
		}
	}
	e.said = want
	slices.SortFunc(events, func(a, b speaker.Event) int { return cmp.Compare(eventKey(a), eventKey(b)) })
	return events
}

func eventKey(e speaker.Event) string {
	if e.Kind == speaker.Announced {
		return e.Route.RouteKey.String()
	}
	return e.Key.String()
}
