package nve

import (
	"net/netip"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle"
	"github.com/tns-project/tns/lifecycle/history"
)

// answer is what a response says beside whom it answers.
type answer struct {
	status   evpn.Status
	state    lifecycle.State
	reason   evpn.Reason
	sequence uint32
	lifetime time.Duration
}

// decision is what was decided about one route of a record's newest set.
type decision struct {
	of      *offer // as it was then
	refusal evpn.Reason
	answer  answer
	made    bool // not while the procedure runs
}

// conclude answers one route of the newest set, as far as anybody still asks, and keeps the answer for when the same request comes again.
func (e *Edge) conclude(r *record, d *decision, a answer) {
	d.answer, d.made = a, true
	o := r.offers.get(d.of.route.RouteKey)
	if o == nil {
		o = r.kept.get(d.of.route.RouteKey)
	}
	if o != nil && r.decides(o) {
		e.respond(o, a)
	}
}

// decides reports whether the offer is a route of the record's newest decided set.
func (r *record) decides(o *offer) bool {
	d := r.decisions.get(o.route.RouteKey)
	return d != nil && r.decided && o.request.Sequence == r.sequence && o.content == d.of.content
}

// tellState answers all that asks for the record with its state: status 1 and why when the NVE did something on its own, SUCCESS when the set in question was
// applied or everything is as it was (SPEC §3, Response).
func (e *Edge) tellState(r *record, status evpn.Status) {
	a := answer{status: status, state: r.State, reason: r.reason, sequence: r.sequence, lifetime: e.granted(r)}
	if status == evpn.Success {
		a.reason = evpn.ReasonNone
	}
	for _, d := range r.decisions {
		one := a
		if why := d.refusal; why != evpn.ReasonNone && status == evpn.Success {
			one.status, one.reason = failStatus(r), why
		}
		e.conclude(r, d, one)
	}
	for _, o := range r.kept {
		if !r.decides(o) {
			e.respond(o, a)
		}
	}
}

// refuseSet answers each route of the newest set with its own reason, and those that nothing speaks against with 18 (SPEC §2, index and count).
func (e *Edge) refuseSet(r *record, v Verdict) {
	for _, d := range r.decisions {
		why, ok := v[d.of.route.RouteKey]
		if !ok {
			why = evpn.IncompleteSet
		}
		d.refusal = why
		e.stats.unauthorized(r.key.TES, why)
		e.conclude(r, d, e.refusal(r, why, r.sequence))
	}
	e.Log.WithFields(map[string]any{"vm": r.key.VM, "tes": r.key.TES, "sequence": r.sequence, "reasons": v}).Info("refused")
}

// refusal is FAIL: 2 where an association lives on, 1 and Null without one (SPEC §3).
func (e *Edge) refusal(r *record, why evpn.Reason, sequence uint32) answer {
	a := answer{status: failStatus(r), reason: why, sequence: sequence}
	if r.alive() {
		a.state, a.lifetime = r.State, e.granted(r)
	}
	return a
}

func failStatus(r *record) evpn.Status {
	if r.alive() {
		return evpn.FailKept
	}
	return evpn.Fail
}

// granted is the lifetime that LEASE tells.
func (e *Edge) granted(r *record) time.Duration {
	d, _ := e.config.Lifetimes.Of(lifecycle.Association{State: r.State})
	return d
}

// answerKey is the NLRI of the response to a request (SPEC §1): the RD of its VN, the TES-ID as Ethernet tag, the same MAC and IP.
func (e *Edge) answerKey(o *offer) evpn.RouteKey {
	rd := evpn.NewRD(e.config.ID, evpn.UnknownVNRD)
	switch {
	case o.request.Flags&evpn.FlagDryRun != 0:
		rd = evpn.NewRD(e.config.ID, evpn.DryRunRD)
	case o.vn != nil:
		rd = o.vn.answerRD
	}
	return evpn.RouteKey{Type: evpn.MACIPAdvertisement, RD: rd, Tag: evpn.EthernetTag(o.vm.TES), MAC: o.route.MAC, IP: o.route.IP}
}

// respond tells the response to one request.
func (e *Edge) respond(o *offer, a answer) {
	o.told, o.stands = true, a
	if o.vm.TES == e.config.ID {
		e.answeredServer(o)
	}
	e.stats.answered(a.status, a.reason)
	e.say(o, e.response(o, a))
	e.noteOf(whom{vm: o.vm.VM, tes: o.vm.TES, mac: o.route.MAC, ip: o.route.IP}, history.Event{Kind: history.KindResponse, VNI: uint32(o.vni),
		Op: o.request.Op.String(), State: wireState(a.state).String(), Status: a.status.String(), Reason: reasonText(a.reason), Sequence: a.sequence})
}

// response is an answer as a route.
func (e *Edge) response(o *offer, a answer) evpn.Route {
	r := evpn.Response{
		Index: o.request.Index, Count: o.request.Count,
		Status: a.status, State: wireState(a.state), Reason: a.reason, Sequence: a.sequence,
		Lease: &evpn.Lease{Lifetime: uint16(min(a.lifetime/time.Second, 65535))},
	}
	if !o.request.VM.IsZero() {
		r.VM = &o.request.VM
	}
	if o.vn != nil {
		r.VNName = &o.vn.hash
		if a.state.Alive() {
			if tag, ok := e.localTag(o); ok {
				r.Tag = &tag
			}
		}
	}
	cs := make([]evpn.ExtendedCommunity, 1, 9)
	cs[0] = evpn.ExtendedCommunity(evpn.ResponseTarget(o.vm.TES))
	return evpn.Route{
		RouteKey: e.answerKey(o), Label: o.vni, NextHop: e.nextHop(),
		Communities:      r.AppendCommunities(cs),
		LargeCommunities: []evpn.LargeCommunity{r.Mirror(e.config.AS)},
	}
}

func vmText(v evpn.VMID) string {
	if v.IsZero() {
		return ""
	}
	return v.String()
}

// nextHop is the responses' next hop: the NVE (SPEC §1).
func (e *Edge) nextHop() netip.Addr { return e.config.ID.Addr() }

// alarm is a refusal that an operator should see.
func (e *Edge) alarm(r *record, o *offer, text string) {
	if o.request.Flags&evpn.FlagDryRun != 0 {
		return
	}
	e.note(history.Event{Kind: history.KindAlarm, VM: r.key.VM.String(), TES: r.key.TES.String(), VNI: uint32(o.vni), MAC: o.route.MAC.String(), IP: addrText(o.route.IP), Detail: "refused: " + text})
}
