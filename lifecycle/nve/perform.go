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
		for _, st := range stationsOf(r.bindings) {
			if st.owner == r && (p.event != lifecycle.Outranked && p.event != lifecycle.NewerSeen || st.outranked() || st.duplicate) {
				e.silence(st)
			}
		}
	case lifecycle.ReleaseOld:
		e.release(r, p.old, p.bindings)
	case lifecycle.Release:
		e.release(r, r.bindings, nil)
		r.bindings, r.params = nil, nil
	case lifecycle.RefreshLifetime:
		r.refreshed = e.now
		e.armLifetime(r)
	case lifecycle.StopLifetime:
		e.timers.stop(r.lifetime)
		r.lifetime = nil
	case lifecycle.Forget:
	case lifecycle.Accept:
		if p.set != nil {
			e.accept(p)
		} else {
			e.tellState(r, evpn.Success)
		}
	case lifecycle.Notify:
		e.tellState(r, evpn.Fail)
	}
	return true
}

// authorize asks whether the TES may have the set (§3.3.1, §3.3.2).
func (e *Edge) authorize(p *procedure) bool {
	if p.set == nil {
		return true
	}
	generation := p.generation
	e.Authorizer.Authorize(e.question(p.record, p.set), func(v Verdict) {
		e.mail.post(func() {
			if p.record.procedure != p || p.generation != generation {
				return // a late answer
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
	for k, o := range s.offers {
		q.Bindings = append(q.Bindings, QuestionBinding{Key: k, VN: o.vn.Name, VNI: o.vn.VNI, Request: o.request})
	}
	return q
}

// reserve holds the VNs of the set. Between the check and now others may have come: the facts are looked at again.
func (e *Edge) reserve(p *procedure) bool {
	if p.set != nil && p.event != lifecycle.Outranked {
		ask := asks(&p.set.request)
		if v := e.check(p.record, p.set, p.arrow, ask); len(v) > 0 {
			e.later(func() { e.fail(p, v) })
			return false
		}
	}
	for _, b := range p.bindings {
		e.join(b.vn, p.record)
		e.station(b.station()).records[p.record] = struct{}{}
	}
	return true
}

// forward makes the set's MACs active on the VM's port, taking the place of whoever was.
func (e *Edge) forward(p *procedure) bool {
	r := p.record
	for key, port := range ports(p.bindings) {
		st := e.station(key)
		if _, ok := p.displaced[st]; !ok {
			p.displaced[st] = standing{st.active, st.port}
		}
		e.activate(st, r, port)
		e.await(p, e.settle(st))
	}
	for _, b := range p.bindings {
		if b.ip.IsValid() {
			e.holders[ipKey{b.vn.VNI, b.ip}] = r
		}
	}
	return p.awaited == 0
}

// await makes the procedure wait for an entry.
func (e *Edge) await(p *procedure, w written) {
	if w.generation == 0 {
		return
	}
	if old := e.waiting[w.key]; old != nil && old.procedure != p && old.procedure.record.procedure == old.procedure {
		// the other's entry is overtaken; its wait ends with this one
		other := old.procedure
		e.later(func() {
			if other.record.procedure == other {
				if other.awaited--; other.awaited == 0 {
					e.advance(other)
				}
			}
		})
	} else if old != nil && old.procedure == p {
		p.awaited--
	}
	e.waiting[w.key] = &waiter{p, w.generation}
	p.awaited++
}

// stopForwarding takes the MACs' local entries away and waits until the kernel has.
func (e *Edge) stopForwarding(p *procedure) bool {
	r := p.record
	for _, st := range stationsOf(p.old, r.bindings) {
		if st.active != r {
			continue
		}
		e.activate(st, nil, "")
		e.await(p, e.settle(st))
	}
	for _, bs := range []map[evpn.RouteKey]*binding{p.old, r.bindings} {
		e.freeIPs(r, bs)
	}
	return p.awaited == 0
}

func (e *Edge) freeIPs(r *record, bs map[evpn.RouteKey]*binding) {
	for _, b := range bs {
		if k := (ipKey{b.vn.VNI, b.ip}); b.ip.IsValid() && e.holders[k] == r {
			delete(e.holders, k)
		}
	}
}

// release gives up what is in bs and not in keep. Entries and routes that are another record's by now stay (SPEC §3).
func (e *Edge) release(r *record, bs, keep map[evpn.RouteKey]*binding) {
	kept := map[StationKey]bool{}
	keptVN := map[*vn]bool{}
	keptIP := map[ipKey]bool{}
	for _, b := range keep {
		kept[b.station()] = true
		keptVN[b.vn] = true
		keptIP[ipKey{b.vn.VNI, b.ip}] = true
	}
	for _, st := range stationsOf(bs) {
		if kept[st.key] {
			if st.owner == r {
				e.refreshRoutes(st)
			}
			continue
		}
		if st.active == r {
			e.activate(st, nil, "")
		}
		if st.owner == r {
			e.silence(st)
		}
		delete(st.records, r)
		e.settle(st)
		e.forgetLater(st)
	}
	for _, b := range bs {
		if k := (ipKey{b.vn.VNI, b.ip}); b.ip.IsValid() && e.holders[k] == r && !keptIP[k] {
			delete(e.holders, k)
		}
	}
	for k, b := range bs {
		if keep[k] == nil {
			delete(e.bound, k)
			if keep != nil {
				e.dropAnswerOf(r, k, b)
			}
		}
		if !keptVN[b.vn] {
			e.leave(b.vn, r)
		}
	}
}

// rollBack puts back what a procedure that failed had taken.
func (e *Edge) rollBack(p *procedure) {
	r := p.record
	for st, was := range p.displaced {
		if a := was.active; a != nil && a.State != lifecycle.Associated {
			was = standing{} // it ended meanwhile
		}
		e.activate(st, was.active, was.port)
		e.settle(st)
	}
	for k, w := range e.waiting {
		if w.procedure == p {
			delete(e.waiting, k)
		}
	}
	inOld := map[*vn]bool{}
	held := map[StationKey]bool{}
	for _, b := range p.old {
		inOld[b.vn] = true
		held[b.station()] = true
		if b.ip.IsValid() && r.State == lifecycle.Associated {
			e.holders[ipKey{b.vn.VNI, b.ip}] = r
		}
	}
	for k, b := range p.bindings {
		if ik := (ipKey{b.vn.VNI, b.ip}); p.old[k] == nil && b.ip.IsValid() && e.holders[ik] == r {
			delete(e.holders, ik)
			for st, was := range p.displaced {
				if st.key == b.station() && was.active != nil && was.active != r {
					e.holders[ik] = was.active
				}
			}
		}
		if st := e.stations[b.station()]; st != nil && !held[b.station()] {
			delete(st.records, r)
			e.forgetLater(st)
		}
		if !inOld[b.vn] {
			e.leave(b.vn, r)
		}
	}
}

// stationsOf is the (VN, MAC)s of bindings, each once, in a fixed order.
func stationsOf(sets ...map[evpn.RouteKey]*binding) []*station {
	var sts []*station
	seen := map[*station]bool{}
	for _, bs := range sets {
		for _, b := range bs {
			if st := b.vn.stations[b.mac]; st != nil && !seen[st] {
				seen[st] = true
				sts = append(sts, st)
			}
		}
	}
	slices.SortFunc(sts, func(a, b *station) int { return compareStations(a.key, b.key) })
	return sts
}

// ports is the port of each (VN, MAC) of bindings.
func ports(bs map[evpn.RouteKey]*binding) map[StationKey]string {
	m := make(map[StationKey]string, len(bs))
	for _, b := range bs {
		m[b.station()] = b.port
	}
	return m
}

// written is an entry that was asked for; generation 0 means that nothing had to be.
type written struct {
	key        dataplane.Key
	generation dataplane.Generation
}
