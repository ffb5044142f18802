package nve

import (
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle"
)

// tried answers a dry run: what the request would lead to, with no record, no memory of its sequence and nothing held (SPEC §3, "Dry run").
func (e *Edge) tried(o *offer) {
	all := e.dry[o.vm]
	all.put(o)
	e.dry[o.vm] = all
	s := &set{sequence: o.request.Sequence, request: o.request}
	for _, other := range all {
		if other.request.Sequence == s.sequence {
			s.offers = append(s.offers, other)
		}
	}
	if !s.whole() {
		deadline := o.at.Add(e.config.Assembly)
		e.awaitTried(o, deadline, deadline)
		return
	}
	r := e.records[o.vm]
	if r == nil {
		r = &record{key: o.vm}
	}
	// judged as if the routes were those of the record: the RD of a dry run is another
	own := &set{sequence: s.sequence, request: s.request}
	asked := map[evpn.RouteKey]evpn.RouteKey{}
	for _, d := range s.offers {
		c := *d
		c.route.RouteKey = r.keyAt(d)
		own.offers.put(&c)
		asked[c.route.RouteKey] = d.route.RouteKey
	}
	arrow, verdict := e.judge(r, own)
	if len(verdict) > 0 || !arrow.MayFail() || e.Authorizer == nil {
		e.tellTried(s, r.Association, arrow, verdict, asked)
		return
	}
	e.Authorizer.Authorize(e.question(r, own), func(v Verdict) {
		e.mail.post(func() { e.tellTried(s, r.Association, arrow, v, asked) })
	})
}

// awaitTried refuses a dry run then if the rest of it is missing.
func (e *Edge) awaitTried(o *offer, deadline, then time.Time) {
	e.timers.at(then, func() {
		if e.requests.get(o.route.RouteKey) != o || o.told {
			return
		}
		if until := e.onItsWay(e.dry[o.vm], deadline); until.After(e.now) {
			e.awaitTried(o, deadline, until)
			return
		}
		e.respond(o, answer{status: evpn.Fail, reason: evpn.IncompleteSet, sequence: o.request.Sequence})
	})
}

// triedGone forgets a dry run that was withdrawn.
func (e *Edge) triedGone(o *offer) {
	if all := e.dry[o.vm]; all.get(o.route.RouteKey) == o {
		all.drop(o.route.RouteKey)
		e.dry[o.vm] = all
		if len(all) == 0 {
			delete(e.dry, o.vm)
		}
	}
	e.unsay(o)
}

// tellTried answers the routes of a dry run that still stand. Asked is the request's NLRI of each that was judged.
func (e *Edge) tellTried(s *set, now lifecycle.Association, arrow lifecycle.Arrow, v Verdict, asked map[evpn.RouteKey]evpn.RouteKey) {
	refused := Verdict{}
	for k, why := range v {
		refused[asked[k]] = why
		e.stats.unauthorized(s.offers.get(asked[k]).vm.TES, why)
	}
	a := answer{status: evpn.Success, state: arrow.To, sequence: s.sequence}
	switch {
	case len(refused) > 0 && now.State.Alive():
		a.status, a.state = evpn.FailKept, now.State
	case len(refused) > 0:
		a.status, a.state = evpn.Fail, lifecycle.Null
	}
	for _, o := range s.offers {
		k, one := o.route.RouteKey, a
		if len(refused) > 0 {
			one.reason = evpn.IncompleteSet
			if why, ok := refused[k]; ok {
				one.reason = why
			}
		}
		if e.requests.get(k) == o {
			e.respond(o, one)
		}
	}
}

// keyAt is the NLRI of the record's binding with the (VN, MAC, IP) of an offer, or the offer's own.
func (r *record) keyAt(o *offer) evpn.RouteKey {
	for _, b := range r.bindings {
		if b.vn == o.vn && b.key.MAC == o.route.MAC && b.key.IP == o.route.IP {
			return b.key
		}
	}
	return o.route.RouteKey
}
