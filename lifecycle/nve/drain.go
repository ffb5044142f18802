package nve

import (
	"context"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle"
)

// A VN that drains takes nobody new (reason 17); who is there stays, is told, and goes when its TES says so (SPEC §2, §3 "Response"). The mark outlives a
// restart.

// Drain makes a VN drain, or take VMs again, and tells those that are there. Left is the VMs that still hold something in it; found is false if there is no such
// VN.
func (e *Edge) Drain(ctx context.Context, vni evpn.VNI, on bool) (left []VMView, found bool, err error) {
	err = e.ask(ctx, func() {
		v := e.vns[vni]
		if found = v != nil; !found {
			return
		}
		if e.draining(v) != on {
			e.setDraining(v, on)
		}
		for _, r := range recordsOf(v.members) {
			left = append(left, e.viewVM(r))
		}
	})
	return left, found, err
}

// draining reports whether a VN drains by an operator's will.
func (e *Edge) draining(v *vn) bool {
	_, ok := e.memory.Draining[v.VNI]
	return ok
}

// closed reports whether a VN takes nobody new.
func (e *Edge) closed(v *vn) bool { return v.leaving || e.draining(v) }

func (e *Edge) setDraining(v *vn, on bool) {
	if on {
		e.memory.Draining[v.VNI] = struct{}{}
	} else {
		delete(e.memory.Draining, v.VNI)
	}
	if e.Store != nil {
		e.Store.PutDraining(v.VNI, on)
	}
	e.Log.WithField("vn", v.Name).WithField("vni", v.VNI).WithField("draining", on).Info("an operator drains the VN, or ends that")
	for _, r := range recordsOf(v.members) {
		e.tellDraining(r)
	}
	for _, s := range e.config.Servers { // those that were refused meanwhile: nobody asks again for them
		if r := e.records[VMKey{s.VM, e.config.ID}]; !on && (r == nil || r.procedure == nil && (!r.alive() || r.turnedDown())) {
			e.associate(e.servers[s.VM])
		}
	}
}

// tellDraining tells a record that a VN of it drains, or does not any more. While a procedure runs it waits.
func (e *Edge) tellDraining(r *record) {
	drains := e.drained(r)
	switch {
	case r.procedure != nil:
		e.timers.after(e.now, ownRetry, func() { e.tellDraining(r) })
	case !r.alive():
	case drains && r.reason == evpn.ReasonNone:
		r.reason = evpn.Draining
		e.tellState(r, evpn.Fail)
	case !drains && r.reason == evpn.Draining:
		r.reason = evpn.ReasonNone
		e.tellState(r, evpn.Success)
	}
}

// acknowledge answers SUCCESS. Who only asks for what it has, in a VN that drains, is told so again instead, and so is who comes back after a restart: its TES
// asks until it is over.
func (e *Edge) acknowledge(p *procedure) {
	r := p.record
	nothingNew := p.arrow.To == p.from && !p.arrow.Does(lifecycle.Reserve) || p.from == lifecycle.Null && len(p.held) > 0
	if r.alive() && nothingNew && e.drained(r) && (r.reason == evpn.ReasonNone || r.reason == evpn.Draining) {
		r.reason = evpn.Draining
		e.tellState(r, evpn.Fail)
		return
	}
	e.tellState(r, evpn.Success)
}

// drained reports whether a VN of the record drains.
func (e *Edge) drained(r *record) bool {
	for _, b := range r.bindings {
		if e.draining(b.vn) {
			return true
		}
	}
	return false
}

// refusesNew reports whether a route asks for something new in a VN that takes nobody new: a MAC that the record does not hold there, or to be active where
// it was not.
func (e *Edge) refusesNew(r *record, o *offer, arrow lifecycle.Arrow) bool {
	if !e.closed(o.vn) {
		return false
	}
	_, held := e.memory.Holdings[r.key].Get(StationKey{o.vn.VNI, o.route.MAC})
	begins := r.State == lifecycle.PreAssociated && arrow.Does(lifecycle.Forward)
	return !held || begins
}

// forgetDrained forgets the marks of VNs that are not there any more.
func (e *Edge) forgetDrained() {
	for vni := range e.memory.Draining {
		if e.vns[vni] == nil {
			delete(e.memory.Draining, vni)
			if e.Store != nil {
				e.Store.PutDraining(vni, false)
			}
		}
	}
}
