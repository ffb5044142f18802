package nve

import (
	"fmt"
	"slices"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/history"
)

// Who may have what (SPEC §2 "Credential", §3.3.1): the TES must be one that may use the VN and has a port in it (FAIL 6). What it asks for must be vouched
// for by the VM manager where the VN wants that, and a credential that is there must be good wherever it is (FAIL 13).

// authorized is why the TES of a request may not have what it asks for, with words for people: never any of the key's.
func (e *Edge) authorized(o *offer) (why evpn.Reason, text string) {
	if o.vm.TES == e.config.ID { // a server is configured here, as the VN is
		return evpn.ReasonNone, ""
	}
	if !o.vn.allows(o.vm.TES) {
		return evpn.FailedAuthorization, "the TES may not use the VN"
	}
	return e.vouched(o)
}

// allows reports whether a TES may use the VN: it is behind one of the VN's ports, and among those that the VN names, if it names any.
func (v *vn) allows(id evpn.RouterID) bool {
	_, there := v.port[id]
	return there && (len(v.TES) == 0 || slices.Contains(v.TES, id))
}

// vouched is what is wrong with a request's credential. A binding that was accepted needs none until its policy changes; the credential that it was accepted
// with stays good for it, when it has expired and when its key is gone.
func (e *Edge) vouched(o *offer) (why evpn.Reason, text string) {
	q := &o.request
	accepted, before := e.memory.Acceptances[o.vm][o.bindingKey()]
	policy := credentialed(q.Policy)
	unspoken := q.Policy != nil && policy == evpn.Policy{} // a credential speaks of no policy in these words
	before = before && accepted.Policy == policy && !unspoken
	if q.Credential == nil {
		if o.vn.Credentialed && !before {
			return evpn.BadCredential, "a credential is missing"
		}
		return evpn.ReasonNone, ""
	}
	what := o.consent()
	if before && accepted.Expiry == what.Expiry && accepted.Credential.Equal(*q.Credential) {
		return evpn.ReasonNone, ""
	}
	key, known := o.vn.Keys[q.Credential.KeyID]
	end := endOf(what.Expiry)
	switch {
	case !known:
		return evpn.BadCredential, fmt.Sprintf("the VN has no key %d", q.Credential.KeyID)
	case unspoken, !q.Credential.Says(&what, key):
		return evpn.BadCredential, fmt.Sprintf("the credential by key %d is not for this", q.Credential.KeyID)
	case !before && !e.now.Before(end):
		return evpn.BadCredential, "the credential expired at " + end.Format(time.RFC3339)
	}
	return evpn.ReasonNone, ""
}

// credentialed is the part of a policy that a credential speaks of; none is zero.
func credentialed(p *evpn.Policy) evpn.Policy {
	if p == nil {
		return evpn.Policy{}
	}
	return evpn.Policy{Type: p.Type, Version: p.Version}
}

// unauthorized tells people of a refusal, of a dry run's in the log only.
func (e *Edge) unauthorized(o *offer, why evpn.Reason, text string) {
	ev := history.Event{Kind: history.KindAlarm, VM: vmText(o.vm.VM), TES: o.vm.TES.String(), Peer: addrText(o.from), VNI: uint32(o.vni), MAC: o.route.MAC.String(), IP: addrText(o.route.IP),
		Op: opText(&o.request), Reason: why.String(), Sequence: o.request.Sequence, Detail: "refused: " + text}
	if o.dryRun() {
		e.Log.WithFields(logFields(ev)).Warn("dry run " + ev.Detail)
		return
	}
	e.note(ev)
}
