package nve

import (
	"fmt"
	"slices"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/history"
)

// say announces a response. Two requests can have one response NLRI: of one VN by number and by name, of two unknown VNs, or of a TES and of one that
// pretends to be it. The one told last stands, but never before one that counts more; when its request goes, the other's is told again.
func (e *Edge) say(o *offer, r evpn.Route) {
	all := slices.DeleteFunc(e.answers[r.RouteKey], o.sameRequest)
	at := len(all)
	for at > 0 && e.weight(all[at-1]) > e.weight(o) {
		at--
	}
	e.answers[r.RouteKey] = slices.Insert(all, at, o)
	if at == len(all) {
		e.announceTES(r)
	}
}

// adopt makes the response to a request the newer one's, that has its NLRI now: it stands until that is answered.
func (e *Edge) adopt(o *offer) {
	all := e.answers[e.answerKey(o)]
	for i, other := range all {
		if other.sameRequest(o) {
			all[i], o.stands = o, other.stands
		}
	}
}

// weight is how much an answer counts: most to a request that stands, then to one that is refused unread, least to one that is gone.
func (e *Edge) weight(o *offer) int {
	switch {
	case o.foreign:
		return 1
	case e.requests.get(o.route.RouteKey) == o:
		return 2
	}
	return 0
}

// unsay takes a request's response back.
func (e *Edge) unsay(o *offer) {
	key := e.answerKey(o)
	all := e.answers[key]
	i := slices.Index(all, o)
	if i < 0 {
		return
	}
	last := i == len(all)-1
	all = slices.Delete(all, i, i+1)
	if len(all) == 0 {
		delete(e.answers, key)
		e.withdrawTES(key)
		return
	}
	e.answers[key] = all
	if last {
		below := all[len(all)-1]
		e.announceTES(e.response(below, below.stands))
	}
}

// keepSaid leaves the response of a binding when its request is gone: it stays until the record ends (SPEC §3, Response).
func (e *Edge) keepSaid(r *record, o *offer) { r.kept.put(o) }

// unkeep takes such a response back.
func (e *Edge) unkeep(r *record, k evpn.RouteKey) {
	if o := r.kept.get(k); o != nil {
		r.kept.drop(k)
		e.unsay(o)
	}
}

func (e *Edge) unkeepAll(r *record) {
	for _, o := range r.kept {
		e.unsay(o)
	}
	r.kept = nil
}

// announceTES and withdrawTES are the only ways to the TESs. What is for the edge itself stays here.
func (e *Edge) announceTES(r evpn.Route) {
	if r.Tag == evpn.EthernetTag(e.config.ID) {
		return
	}
	if err := e.TES.Announce(r); err != nil {
		e.note(history.Event{Kind: history.KindAlarm, Detail: fmt.Sprintf("announce %s to the TESs: %v", r.RouteKey, err)})
	}
}

func (e *Edge) withdrawTES(k evpn.RouteKey) {
	if k.Tag == evpn.EthernetTag(e.config.ID) {
		return
	}
	if err := e.TES.Withdraw(k); err != nil {
		e.note(history.Event{Kind: history.KindAlarm, Detail: fmt.Sprintf("withdraw %s from the TESs: %v", k, err)})
	}
}
