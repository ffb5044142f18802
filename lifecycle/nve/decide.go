package nve

import (
	"maps"
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
	replay := !r.decided && r.sequence != 0 && r.sequence == s.sequence
	asked := e.config.Standing && !r.decided && r.sequence != 0 && evpn.SequenceNewer(s.sequence, r.sequence) && // while no engine was there
		!e.ours(r) // for a server this edge asks anew at every start
	r.decided, r.sequence = true, s.sequence
	r.decisions = make(decisions, len(s.offers))
	made := make([]decision, len(s.offers))
	for i, o := range s.offers {
		made[i] = decision{of: o}
		r.decisions[i] = &made[i]
	}
	e.rememberSequence(r)
	arrow, verdict := e.judge(r, s)
	if len(verdict) > 0 {
		e.refuseSet(r, verdict)
		if !replay {
			e.tellRefused(r, s, verdict)
		}
		return
	}
	ask, same := asks(&s.request), e.same(r, s)
	p := &procedure{record: r, set: s, event: lifecycle.Classify(ask, same), arrow: arrow, replay: replay}
	switch {
	case !asked && e.heldElsewhere(r, s, arrow):
		p.event, p.arrow = lifecycle.Outranked, lifecycle.Withhold()
	case arrow.Does(lifecycle.Forward):
		if v := e.contest(r, s, ask); len(v) > 0 {
			e.refuseSet(r, v)
			e.tellRefused(r, s, v)
			return
		}
	}
	e.begin(p)
}

// heldElsewhere reports whether a restored request asks for a MAC that another edge holds: it is held, not claimed (SPEC §3, "An NVE without a record").
func (e *Edge) heldElsewhere(r *record, s *set, arrow lifecycle.Arrow) bool {
	if r.alive() || !arrow.To.Holds().Has(lifecycle.Forwarding) || s.request.Immigration() {
		return false
	}
	for _, o := range s.offers {
		if st := o.vn.stations[o.route.MAC]; o.early && st != nil && st.best != nil && !st.prevails() {
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
	case ask.Op == lifecycle.OpTerminate && !ask.KeepAlive:
		return arrow, nil // it needs no checks (§3.3.7)
	case !arrow.MayFail():
		return arrow, e.checkCredentials(s) // nothing new is asked for: no other facts can stand against it (§3.3.3)
	}
	return arrow, e.check(r, s, arrow)
}

// same reports whether the set asks for just what is held: the same bindings with the same parameters (§3.3.2).
func (e *Edge) same(r *record, s *set) bool {
	if !r.alive() || len(r.bindings) != len(s.offers) {
		return false
	}
	for i, o := range s.offers {
		if b := r.bindings[i]; b.key != o.route.RouteKey || b.parameters != o.parameters() {
			return false
		}
	}
	return true
}

// checkCredentials is what is wrong with the credentials that are there.
func (e *Edge) checkCredentials(s *set) Verdict {
	var v Verdict
	for _, o := range s.offers {
		if o.vn == nil || o.request.Credential == nil {
			continue
		}
		if why, text := e.vouched(o); why != evpn.ReasonNone {
			e.unauthorized(o, why, text)
			v.refuse(o.route.RouteKey, why)
		}
	}
	return v
}

// check is what speaks against the bindings of a set, by route.
func (e *Edge) check(r *record, s *set, arrow lifecycle.Arrow) Verdict {
	var v Verdict
	for _, o := range s.offers {
		if why := e.checkRoute(o); why != evpn.ReasonNone {
			v.refuse(o.route.RouteKey, why)
		}
	}
	ask, byItself := asks(&s.request), maps.Clone(v)
	for _, o := range s.offers {
		k := o.route.RouteKey
		if v[k] != evpn.ReasonNone {
			continue
		}
		switch mandatory, conflict := s.attachment(o, byItself); {
		case !mandatory:
			v.refuse(k, evpn.InvalidFormat) // the route without IP is mandatory
		case conflict:
			v.refuse(k, evpn.ConflictPolicies)
			e.unauthorized(o, v[k], "two policies for one MAC")
		case e.refusesNew(r, o, arrow):
			v.refuse(k, evpn.Draining)
		default:
			if why := e.conflict(r, o, arrow, ask); why != evpn.ReasonNone {
				v.refuse(k, why)
			}
		}
	}
	e.contradictions(r, s, &v)
	if len(v) == 0 {
		return e.quotaVerdict(r, s, arrow)
	}
	return v
}

// attachment is what the routes of one (VN, MAC), that of an offer, say together: whether the route without IP is there, and whether those that are not refused
// for themselves have two policies.
func (s *set) attachment(of *offer, refused Verdict) (mandatory, conflict bool) {
	for _, o := range s.offers {
		if o.vn != of.vn || o.route.MAC != of.route.MAC {
			continue
		}
		mandatory = mandatory || !o.route.IP.IsValid()
		conflict = conflict || refused[o.route.RouteKey] == evpn.ReasonNone && !equalPolicy(of.request.Policy, o.request.Policy)
	}
	return mandatory, conflict
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
	}
	why, text := e.authorized(o)
	if why == evpn.ReasonNone {
		why, text = e.permitted(o)
	}
	if why != evpn.ReasonNone {
		e.unauthorized(o, why, text)
		return why
	}
	return e.checkTag(o)
}

// unicast reports whether a station can have the address.
func unicast(a netip.Addr) bool {
	return !a.IsUnspecified() && !a.IsMulticast() && !a.IsLoopback() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// conflict is who else has the route's MAC or IP (SPEC §3): another VM, another edge that pins it, the same VM at another TES that has not let go. What the
// record holds already and does not activate is nobody's business.
func (e *Edge) conflict(r *record, o *offer, arrow lifecycle.Arrow, ask lifecycle.Request) evpn.Reason {
	if other := e.bound.get(o.route.RouteKey); other != nil && other.record != r {
		e.alarm(r, o, "its NLRI belongs to VM "+other.record.key.VM.String())
		return evpn.Duplicate
	}
	activates := arrow.Does(lifecycle.Forward)
	if r.bindings.get(o.route.RouteKey) != nil && !activates {
		return evpn.ReasonNone
	}
	if p := e.ips[ipKey{o.vn.VNI, o.route.IP}]; p != nil {
		if a := p.active(); a.key.VM != r.key.VM {
			e.alarm(r, o, "its IP is active for VM "+a.key.VM.String())
			return evpn.Duplicate
		}
	}
	if pinned := o.vn.pinned[o.route.IP]; pinned != nil && pinned.key.MAC != o.route.MAC {
		e.alarm(r, o, "its IP is pinned to another edge")
		return evpn.Duplicate
	}
	if e.ours(r) && e.mayComeBack(r, StationKey{o.vn.VNI, o.route.MAC}, o.route.IP) {
		e.alarm(r, o, "its MAC or IP may be that of a VM that was here before the start, and may come back")
		return evpn.Duplicate
	}
	st := o.vn.stations[o.route.MAC]
	if st == nil {
		return evpn.ReasonNone
	}
	if a := st.active(); a != nil && a != r {
		if a.key.VM != r.key.VM {
			e.alarm(r, o, "its MAC is active for VM "+a.key.VM.String())
			return evpn.Duplicate
		}
		// the same VM at another TES of this NVE
		if activates && !ask.Immigrates() && !ask.Claims() && !a.Orphaned {
			e.alarm(r, o, "it is associated at TES "+a.key.TES.String()+" and the request is no Immigration")
			return evpn.Duplicate
		}
	}
	switch {
	case activates && st.duplicate:
		e.alarm(r, o, "its MAC moved too often and is a duplicate")
		return evpn.Duplicate
	case st.best != nil && st.best.Sticky:
		e.alarm(r, o, "its MAC is pinned to another edge")
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

// bindings is what the set would hold.
func (s *set) bindings(r *record) bindings {
	bs := make(bindings, len(s.offers))
	made := make([]binding, len(s.offers))
	for i, o := range s.offers {
		made[i] = binding{record: r, key: o.route.RouteKey, vn: o.vn, policy: o.request.Policy, parameters: o.parameters()}
		bs[i] = &made[i]
	}
	return bs
}
