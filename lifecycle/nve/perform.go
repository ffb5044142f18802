package nve

import (
	"slices"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle"
)

// perform carries out one action; done is false when its answer comes later and goes on with the procedure.
func (e *Edge) perform(p *procedure, a lifecycle.Action) (done bool) {
	r := p.record
	switch a {
	case lifecycle.Authorize:
		return e.authorize(p)
	case lifecycle.Reserve:
		return e.reserve(p)
	case lifecycle.Forward:
		return e.forward(p)
	case lifecycle.Advertise:
		e.advertise(p, false)
	case lifecycle.AdvertiseAbove:
		e.advertise(p, true)
	case lifecycle.StopForwarding:
		return e.stopForwarding(p)
	case lifecycle.StopAdvertising:
		e.stopAdvertising(p)
	case lifecycle.ReleaseOld:
		e.release(r, p.old, p.bindings)
	case lifecycle.Release:
		e.release(r, r.bindings, nil)
		r.bindings = nil
	case lifecycle.RefreshLifetime:
		r.refreshed = e.now
		e.armLifetime(r)
	case lifecycle.StopLifetime:
		e.timers.stop(r.lifetime)
		r.lifetime = nil
	case lifecycle.Forget: // with its last request: dropIfEmpty
	case lifecycle.Accept:
		e.acknowledge(p)
	case lifecycle.Notify:
		e.tellState(r, evpn.Fail)
	}
	return true
}

// authorize asks another whether the TES may have the set, which the edge itself has looked at (§3.3.1, §3.3.2).
func (e *Edge) authorize(p *procedure) bool {
	if p.set == nil || e.Authorizer == nil {
		return true
	}
	next := p.next
	p.waited = true
	e.Authorizer.Authorize(e.question(p.record, p.set), func(v Verdict) {
		e.mail.post(func() {
			if p.record.procedure != p || p.next != next {
				return // answered already
			}
			if r := p.record; !r.alive() && len(r.offers) == 0 {
				v = p.set.all(evpn.OtherReason) // nobody asks for the new VM any more, and nobody is answered
			}
			if len(v) > 0 {
				e.fail(p, v)
				return
			}
			e.advance(p)
		})
	})
	return false
}

func (e *Edge) question(r *record, s *set) Question {
	q := Question{VM: r.key.VM, TES: r.key.TES, Op: s.request.Op}
	for _, o := range s.offers {
		q.Bindings = append(q.Bindings, QuestionBinding{Key: o.route.RouteKey, VN: o.vn.Name, VNI: o.vn.VNI, Request: o.request})
	}
	return q
}

// reserve holds the VNs of the set. Where it waited, others may have come since the check: the facts are looked at again.
func (e *Edge) reserve(p *procedure) bool {
	if p.waited {
		if v := e.check(p.record, p.set, p.arrow); len(v) > 0 {
			e.fail(p, v)
			return false
		}
	}
	if v := e.takeTags(p); len(v) > 0 {
		e.fail(p, v)
		return false
	}
	e.ledger.Reserve(p.record.key, e.claims(p.record.key, holdingOf(p.bindings))) // it may: the check has just said so
	p.reserved = true
	for _, b := range p.bindings {
		e.join(b.vn, p.record)
		e.bound.put(b) // also while the kernel is asked
		e.hold(e.station(b.station()), p.record)
	}
	if p.arrow.Does(lifecycle.Forward) {
		return true // which has the policies prepared and in force in one
	}
	for st := range stationsOf(p.bindings) {
		if st.active() != p.record {
			e.await(p, e.settlePolicy(st, e.enforcedOf(st)))
		}
	}
	return len(p.awaited) == 0
}

// forward makes the set's MACs active on the VM's port, taking the place of whoever was: first their policies, then, when the kernel has these in force, their
// forwarding entries. The kernel answers for each. A MAC that comes from another port of ours has both change in one, else its frames would meet no policy on
// the old port.
func (e *Edge) forward(p *procedure) bool {
	if !p.claimed {
		p.claimed = true
		for _, b := range p.bindings {
			e.station(b.station()).claim(p.record)
		}
		e.claimIPs(p.record, p.bindings)
		for st := range stationsOf(p.bindings) {
			if !st.changesPort(p.record) {
				e.await(p, e.confirmPolicy(st))
			}
		}
		if len(p.awaited) > 0 {
			p.next-- // the rest when they are in force
			return false
		}
	}
	e.confirmTags(p)
	for st := range stationsOf(p.bindings) {
		if st.changesPort(p.record) {
			e.await(p, e.confirmPolicy(st))
		}
		e.await(p, e.confirm(st))
	}
	return len(p.awaited) == 0
}

// changesPort reports whether the station's frames meet a policy now, on another port than those of the record.
func (st *station) changesPort(r *record) bool {
	return st.policy.inForce && st.entry.port != "" && st.entry.port != st.vn.portOf(r.key.TES, st.key.MAC)
}

// await makes the procedure wait for an entry. Another one's wait for it is over: what it asked for is overtaken.
func (e *Edge) await(p *procedure, w written) {
	if w.generation == 0 {
		return
	}
	if other := e.waiting[w.key]; other != nil && other != p {
		other.answered(w.key)
		if len(other.awaited) == 0 {
			e.later(func() {
				if other.record.procedure == other && len(other.awaited) == 0 {
					e.advance(other)
				}
			})
		}
	}
	e.waiting[w.key] = p
	p.answered(w.key)
	p.awaited = append(p.awaited, w)
}

// answered ends the procedure's wait for an entry.
func (p *procedure) answered(k dataplane.Key) {
	p.awaited = slices.DeleteFunc(p.awaited, func(w written) bool { return w.key == k })
}

// unwait ends all of a procedure's waits.
func (e *Edge) unwait(p *procedure) {
	for _, w := range p.awaited {
		delete(e.waiting, w.key)
	}
	p.awaited = nil
}

// stopForwarding takes the MACs' local entries away and waits until the kernel has.
func (e *Edge) stopForwarding(p *procedure) bool {
	r := p.record
	e.eachIP(p.old, func(ip *place) { ip.leave(r) })
	for st := range stationsOf(p.old) {
		if st.holder == r {
			st.leave(r)
			if st.claimant == nil { // or its procedure waits for the entry
				e.await(p, e.settle(st))
			}
		}
	}
	return len(p.awaited) == 0
}

// stopAdvertising withdraws the record's fabric routes: all of them, or, when it is outranked, those of the MACs that it lost.
func (e *Edge) stopAdvertising(p *procedure) {
	all := p.event != lifecycle.Outranked && p.event != lifecycle.NewerSeen
	for st := range stationsOf(p.old) {
		if st.owner == p.record && (all || st.outranked() || st.duplicate) {
			e.silence(st)
		}
	}
}

// release gives up what is in bs and not in keep. Entries and routes that are another record's by now stay (SPEC §3).
func (e *Edge) release(r *record, bs, keep bindings) {
	keptVN := func(v *vn) bool { return slices.ContainsFunc(keep, func(b *binding) bool { return b.vn == v }) }
	keptIP := func(k ipKey) bool {
		return slices.ContainsFunc(keep, func(b *binding) bool { return ipKey{b.vn.VNI, b.key.IP} == k })
	}
	for st := range stationsOf(bs) {
		if among(keep, st.key) {
			if st.owner == r {
				e.refreshRoutes(st)
			}
			continue
		}
		e.letGo(st, r)
		e.untell(r.key, st.key)
		st.leave(r)
		if st.owner == r {
			e.silence(st)
		}
		e.settle(st)
	}
	gone := slices.DeleteFunc(slices.Clone(bs), func(b *binding) bool { return keptIP(ipKey{b.vn.VNI, b.key.IP}) })
	e.eachIP(gone, func(ip *place) { ip.leave(r) })
	for _, b := range bs {
		if keep.get(b.key) == nil {
			if held := e.bound.get(b.key); held != nil && held.record == r {
				e.bound.drop(b.key)
			}
			if keep != nil {
				e.unkeep(r, b.key)
			}
		}
		if !keptVN(b.vn) {
			e.leave(b.vn, r)
		}
	}
	e.keep(r.key, holdingOf(keep))
}

// rollBack gives up what a procedure that failed has taken.
func (e *Edge) rollBack(p *procedure) {
	r := p.record
	e.unwait(p)
	p.reserved = false
	inOld := func(v *vn) bool { return slices.ContainsFunc(p.old, func(b *binding) bool { return b.vn == v }) }
	e.eachIP(p.bindings, func(ip *place) { ip.giveUp(r) })
	for st := range stationsOf(p.bindings) {
		if !among(p.old, st.key) {
			e.letGo(st, r)
		}
		st.giveUp(r)
		e.settle(st)
		e.reinstateLater(st)
	}
	for _, b := range p.bindings {
		if held := e.bound.get(b.key); p.old.get(b.key) == nil && held != nil && held.record == r {
			e.bound.drop(b.key)
		}
		if !inOld(b.vn) {
			e.leave(b.vn, r)
		}
	}
	e.keep(r.key, p.held)
}
