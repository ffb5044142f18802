package nve

import (
	"net/netip"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle"
)

// asks is a request in the machine's words.
func asks(q *evpn.Request) lifecycle.Request {
	return lifecycle.Request{
		Op: lifecycle.Op(q.Op), Base: lifecycle.Figure(q.Base),
		Immigration: q.Flags&evpn.FlagImmigration != 0, KeepAlive: q.Flags&evpn.FlagKeepAlive != 0, DryRun: q.Flags&evpn.FlagDryRun != 0,
	}
}

// decide takes a whole set: what the figure says to it, and what speaks against it. The sequence counts as decided whatever comes out, so that the same set
// again is answered by the standing response.
func (e *Edge) decide(r *record, s *set) {
	r.decided, r.sequence = true, s.sequence
	r.contents = make(map[evpn.RouteKey]string, len(s.offers))
	for k, o := range s.offers {
		r.contents[k] = o.content
	}
	if e.Store != nil {
		e.Store.PutSequence(r.key.VM, r.key.TES, s.sequence)
	}
	arrow, verdict := e.judge(r, s)
	if len(verdict) > 0 {
		e.refuseSet(r, s, verdict)
		return
	}
	p := &procedure{record: r, set: s, event: lifecycle.Classify(asks(&s.request), e.same(r, s)), arrow: arrow}
	if e.heldElsewhere(r, s, arrow) {
		p.event, p.arrow = lifecycle.Outranked, lifecycle.Withhold()
	}
	e.begin(p)
}

// heldElsewhere reports whether a restored request asks for a MAC that another edge holds: it is held, not claimed (SPEC §3, "An NVE without a record").
func (e *Edge) heldElsewhere(r *record, s *set, arrow lifecycle.Arrow) bool {
	if r.alive() || !arrow.To.Holds().Has(lifecycle.Forwarding) || s.request.Flags&evpn.FlagImmigration != 0 {
		return false
	}
	for _, o := range s.offers {
		if st := o.vn.stations[o.route.MAC]; o.early && st != nil && st.best != nil {
			return true
		}
	}
	return false
}

// judge is the arrow for a set, or why there is none: first what the figure refuses, then what the facts forbid. It changes nothing, so a dry run is
// judged by it too.
func (e *Edge) judge(r *record, s *set) (lifecycle.Arrow, Verdict) {
	q := &s.request
	if !s.consistent() {
		return lifecycle.Arrow{}, s.all(evpn.InvalidFormat)
	}
	ask, same := asks(q), e.same(r, s)
	arrow := r.Ask(ask, same)
	switch arrow.Refusal {
	case lifecycle.WrongState:
		return arrow, s.all(evpn.WrongState)
	case lifecycle.UnknownVM:
		return arrow, s.all(evpn.UnknownVM)
	}
	switch {
	case ask.KeepAlive && r.alive() && !same:
		return arrow, s.all(evpn.InvalidFormat) // nothing but the sequence may change with K
	case r.Outranked && ask.Op == lifecycle.OpAssociate && !ask.KeepAlive && !ask.Claims():
		return arrow, s.all(evpn.Duplicate)
	case !arrow.MayFail():
		return arrow, nil // nothing new is asked for: no facts can stand against it (§3.3.3, §3.3.7)
	}
	return arrow, e.check(r, s, arrow, ask)
}

// onlyAccepts reports whether the arrow does nothing but answer.
func onlyAccepts(a lifecycle.Arrow) bool {
	return len(a.Actions) == 1 && a.Actions[0] == lifecycle.Accept
}

// all is the verdict that refuses each route with one reason.
func (s *set) all(reason evpn.Reason) Verdict {
	v := make(Verdict, len(s.offers))
	for k := range s.offers {
		v[k] = reason
	}
	return v
}

// same reports whether the set asks for just what is held: the same bindings with the same parameters (§3.3.2).
func (e *Edge) same(r *record, s *set) bool {
	if !r.alive() || len(r.params) != len(s.offers) {
		return false
	}
	for k, o := range s.offers {
		if p, ok := r.params[k]; !ok || p != parameters(o) {
			return false
		}
	}
	return true
}

// check is what speaks against the bindings of a set, by route.
func (e *Edge) check(r *record, s *set, arrow lifecycle.Arrow, ask lifecycle.Request) Verdict {
	v := Verdict{}
	macs := map[StationKey]bool{}
	policies := map[StationKey]*evpn.Policy{}
	activates := arrow.To.Holds().Has(lifecycle.Forwarding) && (r.State != lifecycle.Associated || !e.same(r, s))
	for k, o := range s.offers {
		if o.vn != nil && !o.route.IP.IsValid() {
			macs[StationKey{o.vn.VNI, o.route.MAC}] = true
		}
		if why := e.checkRoute(o); why != evpn.ReasonNone {
			v[k] = why
		}
	}
	for k, o := range s.offers {
		if v[k] != evpn.ReasonNone {
			continue
		}
		key := StationKey{o.vn.VNI, o.route.MAC}
		if !macs[key] {
			v[k] = evpn.InvalidFormat // the route without IP is mandatory
			continue
		}
		if p, ok := policies[key]; ok && !equalPolicy(p, o.request.Policy) {
			return s.all(evpn.ConflictPolicies)
		}
		policies[key] = o.request.Policy
		if why := e.conflict(r, o, arrow, activates, ask); why != evpn.ReasonNone {
			v[k] = why
		}
	}
	return v
}

// checkRoute is what speaks against one route by itself.
func (e *Edge) checkRoute(o *offer) evpn.Reason {
	q := &o.request
	switch {
	case o.vn == nil:
		return evpn.UnknownVN
	case o.route.MAC.IsGroup() || o.route.MAC == evpn.MAC{},
		o.route.Label != 0 && q.VNName != nil && *q.VNName != o.vn.hash:
		return evpn.InvalidVNMACOrTag
	case o.route.IP.IsValid() && !unicast(o.route.IP), q.Proposal != nil && q.Proposal.Type > 1:
		return evpn.UnsupportedType
	case q.Credential != nil:
		return evpn.BadCredential // no VN has a key: nothing there verifies
	}
	return evpn.ReasonNone
}

// unicast reports whether a station can have the address.
func unicast(a netip.Addr) bool {
	return !a.IsUnspecified() && !a.IsMulticast() && !a.IsLoopback() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// conflict is who else has the route's MAC or IP (SPEC §3): another VM, another edge that pins it, the same VM at another TES that has not let go.
func (e *Edge) conflict(r *record, o *offer, arrow lifecycle.Arrow, activates bool, ask lifecycle.Request) evpn.Reason {
	if other := e.bound[o.route.RouteKey]; other != nil && other != r && other.alive() {
		e.alarm(r, o, "its NLRI belongs to VM "+other.key.VM.String())
		return evpn.Duplicate
	}
	if h := e.holders[ipKey{o.vn.VNI, o.route.IP}]; h != nil && h.key.VM != r.key.VM {
		e.alarm(r, o, "its IP is active for VM "+h.key.VM.String())
		return evpn.Duplicate
	}
	st := o.vn.stations[o.route.MAC]
	if st == nil {
		return evpn.ReasonNone
	}
	if a := st.active; a != nil && a != r {
		if a.key.VM != r.key.VM {
			e.alarm(r, o, "its MAC is active for VM "+a.key.VM.String())
			return evpn.Duplicate
		}
		// the same VM at another TES of this NVE
		if activates && !ask.Immigration && !ask.Claims() && !a.Orphaned {
			e.alarm(r, o, "it is associated at TES "+a.key.TES.String()+" and the request is no Immigration")
			return evpn.Duplicate
		}
	}
	if activates && (st.duplicate || st.best != nil && st.best.Sticky) {
		e.alarm(r, o, "its MAC is a duplicate or pinned to another edge")
		return evpn.Duplicate
	}
	return evpn.ReasonNone
}

func equalPolicy(a, b *evpn.Policy) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Type == b.Type && a.Version == b.Version
}

// bindingsOf is what the set would hold.
func (e *Edge) bindingsOf(r *record, s *set) (map[evpn.RouteKey]*binding, map[evpn.RouteKey]string) {
	bs := make(map[evpn.RouteKey]*binding, len(s.offers))
	ps := make(map[evpn.RouteKey]string, len(s.offers))
	for k, o := range s.offers {
		bs[k] = &binding{vn: o.vn, mac: o.route.MAC, ip: o.route.IP, port: o.vn.port[r.key.TES], policy: o.request.Policy, index: o.request.Index, count: o.request.Count, offer: o}
		ps[k] = parameters(o)
	}
	return bs, ps
}

// tried answers a dry run: what the request would lead to, with no record, no memory of its sequence and nothing held (SPEC §3, "Dry run").
func (e *Edge) tried(o *offer) {
	s := &set{sequence: o.request.Sequence, request: o.request, offers: map[evpn.RouteKey]*offer{}}
	e.dry[o.route.RouteKey] = o
	for k, other := range e.dry {
		if e.requests[k] != other {
			delete(e.dry, k)
		} else if other.vm == o.vm && other.request.Sequence == s.sequence {
			s.offers[k] = other
		}
	}
	if !s.whole() {
		e.timers.after(e.now, e.config.Assembly, func() {
			if e.requests[o.route.RouteKey] == o && o.reason == unanswered {
				e.respond(o, answer{status: evpn.Fail, reason: evpn.IncompleteSet, sequence: s.sequence})
			}
		})
		o.reason = unanswered
		return
	}
	r := e.records[o.vm]
	if r == nil {
		r = &record{key: o.vm}
	}
	// judged as if the routes were those of the record: the RD of a dry run is another
	own := &set{sequence: s.sequence, request: s.request, offers: map[evpn.RouteKey]*offer{}}
	back := map[evpn.RouteKey]evpn.RouteKey{}
	for k, d := range s.offers {
		c := *d
		if b := r.bindingAt(d); b != nil {
			c.route.RouteKey = b.offer.route.RouteKey
		}
		own.offers[c.route.RouteKey] = &c
		back[c.route.RouteKey] = k
	}
	arrow, verdict := e.judge(r, own)
	if len(verdict) == 0 && arrow.MayFail() {
		e.Authorizer.Authorize(e.question(r, own), func(v Verdict) {
			e.mail.post(func() { e.tellTried(r, s, arrow, v, back) })
		})
		return
	}
	e.tellTried(r, s, arrow, verdict, back)
}

// tellTried answers the routes of a dry run that still stand.
func (e *Edge) tellTried(r *record, s *set, arrow lifecycle.Arrow, v Verdict, back map[evpn.RouteKey]evpn.RouteKey) {
	told := Verdict{}
	for k, why := range v {
		told[back[k]] = why
	}
	for k, o := range s.offers {
		if e.requests[k] != o {
			continue
		}
		a := answer{status: evpn.Success, state: arrow.To, sequence: s.sequence}
		if len(told) > 0 {
			a = answer{status: failStatus(r), state: r.State, reason: told[k], sequence: s.sequence}
			if a.reason == evpn.ReasonNone {
				a.reason = evpn.IncompleteSet
			}
		}
		e.respond(o, a)
	}
}

// bindingAt is the record's binding with the (VN, MAC, IP) of an offer.
func (r *record) bindingAt(o *offer) *binding {
	for _, b := range r.bindings {
		if b.vn == o.vn && b.mac == o.route.MAC && b.ip == o.route.IP {
			return b
		}
	}
	return nil
}
