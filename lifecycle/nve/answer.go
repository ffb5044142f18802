package nve

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle"
	"github.com/tns-project/tns/lifecycle/history"
)

// unanswered marks an offer whose answer is still to come; no reason on the wire has this number.
const unanswered evpn.Reason = 255

// answer is what a response says beside whom it answers.
type answer struct {
	status   evpn.Status
	state    lifecycle.State
	reason   evpn.Reason
	sequence uint32
	lifetime time.Duration
}

// answerKey is the NLRI of the response to a request (SPEC §1): the RD of its VN, the TES-ID as Ethernet tag, the same MAC and IP.
func (e *Edge) answerKey(o *offer) evpn.RouteKey {
	number := evpn.UnknownVNRD
	rd := evpn.NewRD(e.config.ID, number)
	switch {
	case o.request.Flags&evpn.FlagDryRun != 0:
		rd = evpn.NewRD(e.config.ID, evpn.DryRunRD)
	case o.vn != nil:
		rd = o.vn.answerRD
	}
	return evpn.RouteKey{Type: evpn.MACIPAdvertisement, RD: rd, Tag: evpn.EthernetTag(o.vm.TES), MAC: o.route.MAC, IP: o.route.IP}
}

// respond announces the response to one request.
func (e *Edge) respond(o *offer, a answer) {
	o.reason = a.reason
	r := evpn.Response{
		Index: o.request.Index, Count: o.request.Count,
		Status: a.status, State: wireState(a.state), Reason: a.reason, Sequence: a.sequence,
		Lease: &evpn.Lease{Lifetime: uint16(min(a.lifetime/time.Second, 65535))},
	}
	if o.request.VM != (evpn.VMID{}) && o.request.Count > 0 {
		r.VM = &o.request.VM
	}
	if o.vn != nil {
		r.VNName = &o.vn.hash
		if a.state.Alive() {
			r.Tag = &evpn.LocalTag{}
		}
	}
	e.stats.answered(a.status, a.reason)
	e.answers[o.answer] = o
	if rec := e.records[o.vm]; rec != nil && r.VM != nil {
		rec.answered[o.answer] = o
	}
	e.announceTES(evpn.Route{
		RouteKey: o.answer, Label: o.vni, NextHop: e.nextHop(),
		Communities:      append([]evpn.ExtendedCommunity{evpn.ExtendedCommunity(evpn.ResponseTarget(o.vm.TES))}, r.Communities()...),
		LargeCommunities: []evpn.LargeCommunity{r.Mirror(e.config.AS)},
	})
	e.note(history.Event{Kind: history.KindResponse, VM: vmText(o.vm.VM), TES: o.vm.TES.String(), VNI: uint32(o.vni), MAC: o.route.MAC.String(), IP: addrText(o.route.IP),
		Op: o.request.Op.String(), State: wireState(a.state).String(), Status: a.status.String(), Reason: reasonText(a.reason), Sequence: a.sequence})
}

func vmText(v evpn.VMID) string {
	if v == (evpn.VMID{}) {
		return ""
	}
	return v.String()
}

// nextHop is the responses' next hop: the NVE (SPEC §1).
func (e *Edge) nextHop() netip.Addr { return e.config.ID.Addr() }

// accept answers SUCCESS to every route of the procedure's set.
func (e *Edge) accept(p *procedure) {
	r := p.record
	a := answer{status: evpn.Success, state: r.State, sequence: p.set.sequence, lifetime: e.granted(r)}
	for k, o := range p.set.offers {
		if e.requests[k] == o {
			e.respond(o, a)
		}
	}
}

// refuseSet answers each route with its own reason, and those that nothing speaks against with 18 (SPEC §2, index and count).
func (e *Edge) refuseSet(r *record, s *set, v Verdict) {
	for k, o := range s.offers {
		why, ok := v[k]
		if !ok {
			why = evpn.IncompleteSet
		}
		e.refuse(r, o, why)
	}
	if s.request.Flags&evpn.FlagDryRun == 0 {
		e.Log.WithFields(map[string]any{"vm": r.key.VM, "tes": r.key.TES, "op": s.request.Op, "sequence": s.sequence, "reasons": v}).Info("refused")
	}
}

// refuse answers FAIL: 2 where an association lives on, 1 without one (SPEC §3).
func (e *Edge) refuse(r *record, o *offer, why evpn.Reason) {
	if e.requests[o.route.RouteKey] != o {
		return
	}
	state := r.State
	if state == lifecycle.Terminated {
		state = lifecycle.Null
	}
	e.respond(o, answer{status: failStatus(r), state: state, reason: why, sequence: o.request.Sequence, lifetime: e.granted(r)})
}

func failStatus(r *record) evpn.Status {
	if r.alive() {
		return evpn.FailKept
	}
	return evpn.Fail
}

// reject refuses a request that has no record: it cannot be read, or its sender may not speak for the TES-ID.
func (e *Edge) reject(o *offer, why evpn.Reason) {
	e.respond(o, answer{status: evpn.Fail, reason: why, sequence: o.request.Sequence})
}

// tellState changes the responses of a record on the NVE's own account: status 1 and why, or SUCCESS when it is as it was (SPEC §3, Response).
func (e *Edge) tellState(r *record, status evpn.Status) {
	a := answer{status: status, state: r.State, reason: r.reason, sequence: r.sequence, lifetime: e.granted(r)}
	told := map[evpn.RouteKey]bool{}
	for k := range r.contents {
		if o := r.offers[k]; o != nil {
			told[k] = true
			e.respond(o, a)
		}
	}
	for k, b := range r.bindings {
		if !told[k] && b.offer != nil {
			e.respond(b.offer, a)
		}
	}
}

// granted is the lifetime that LEASE tells.
func (e *Edge) granted(r *record) time.Duration {
	d, _ := e.config.Lifetimes.Of(lifecycle.Association{State: r.State})
	return d
}

// withdrawAnswer takes a request's response back, unless another request that stands has it by now.
func (e *Edge) withdrawAnswer(o *offer) {
	if by := e.answers[o.answer]; by != nil && by != o && e.requests[by.route.RouteKey] == by {
		return
	}
	if r := e.records[o.vm]; r != nil {
		delete(r.answered, o.answer)
	}
	e.withdrawTES(o.answer)
}

// dropAnswerOf takes the response of a binding back that is no longer held, once its request is gone too.
func (e *Edge) dropAnswerOf(r *record, k evpn.RouteKey, b *binding) {
	if r.offers[k] == nil && b.offer != nil {
		e.withdrawAnswer(b.offer)
	}
}

// withdrawAnswers takes all of a record's responses back: it ended and nothing asks for it.
func (e *Edge) withdrawAnswers(r *record) {
	for k, o := range r.answered {
		if e.requests[o.route.RouteKey] != o {
			delete(r.answered, k)
			e.withdrawAnswer(o)
		}
	}
}

// alarm is a refusal that an operator should see.
func (e *Edge) alarm(r *record, o *offer, text string) {
	e.note(history.Event{Kind: history.KindAlarm, VM: r.key.VM.String(), TES: r.key.TES.String(), VNI: uint32(o.vni), MAC: o.route.MAC.String(), IP: addrText(o.route.IP), Detail: "refused: " + text})
}

// announceTES and withdrawTES are the only ways to the TESs.
func (e *Edge) announceTES(r evpn.Route) {
	if err := e.TES.Announce(r); err != nil {
		e.note(history.Event{Kind: history.KindAlarm, Detail: fmt.Sprintf("announce %s to the TESs: %v", r.RouteKey, err)})
	}
}

func (e *Edge) withdrawTES(k evpn.RouteKey) {
	delete(e.answers, k)
	if err := e.TES.Withdraw(k); err != nil {
		e.note(history.Event{Kind: history.KindAlarm, Detail: fmt.Sprintf("withdraw %s from the TESs: %v", k, err)})
	}
}
