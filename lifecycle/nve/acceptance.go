package nve

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle"
)

// BindingKey names a binding of a VM at a TES. A VN that is renumbered or renamed is another VN.
type BindingKey struct {
	VNI  evpn.VNI
	Name evpn.VNName
	MAC  evpn.MAC
	IP   netip.Addr // invalid: the MAC alone
}

// Acceptance is the credential that a binding was last accepted with, and the policy that it was accepted for. It is honoured for as long as the VM lives
// at its TES, when the credential has expired and when its key is gone, also after a restart (SPEC §2, Credential).
type Acceptance struct {
	Policy     evpn.Policy // type and version; zero: none
	Credential evpn.Credential
	Expiry     uint32 // Unix seconds
}

// endOf is from when on nothing new is accepted with that EXPIRY.
func endOf(expiry uint32) time.Time { return time.Unix(int64(expiry), 0).UTC() }

// bindingKey names the binding that a request is for; its VN is known.
func (o *offer) bindingKey() BindingKey {
	return BindingKey{VNI: o.vn.VNI, Name: o.vn.hash, MAC: o.route.MAC, IP: o.route.IP}
}

// consent is what a credential must say for the request.
func (o *offer) consent() evpn.Consent {
	return o.request.Consent(o.vm.TES, &evpn.Route{RouteKey: o.route.RouteKey, Label: o.route.Label})
}

// accept journals what a set that was applied is accepted with; what the set before had and this one has not is forgotten.
func (e *Edge) accept(r *record, s *set) {
	before := e.memory.Acceptances[r.key]
	if len(before) == 0 && !slices.ContainsFunc(s.offers, func(o *offer) bool { return o.request.Credential != nil }) {
		return
	}
	after := map[BindingKey]Acceptance{}
	for _, o := range s.offers {
		k, q := o.bindingKey(), &o.request
		old, honoured := before[k]
		honoured = honoured && old.Policy == credentialed(q.Policy)
		if honoured {
			after[k] = old
		}
		if q.Credential == nil {
			continue
		}
		if a := (Acceptance{credentialed(q.Policy), *q.Credential, o.consent().Expiry}); !honoured || e.now.Before(endOf(a.Expiry)) {
			after[k] = a
		}
	}
	for k := range before {
		if _, ok := after[k]; !ok && e.Store != nil {
			e.Store.DropAcceptance(r.key, k)
		}
	}
	for k, a := range after {
		if before[k] != a && e.Store != nil {
			e.Store.PutAcceptance(r.key, k, a)
		}
	}
	if len(after) == 0 {
		delete(e.memory.Acceptances, r.key)
	} else {
		e.memory.Acceptances[r.key] = after
	}
}

// forgetAcceptances forgets what was accepted of a VM at a TES, which has ended: whoever asks again is judged anew.
func (e *Edge) forgetAcceptances(k VMKey) {
	for b := range e.memory.Acceptances[k] {
		if e.Store != nil {
			e.Store.DropAcceptance(k, b)
		}
	}
	delete(e.memory.Acceptances, k)
}

// forgetUnclaimed forgets what was accepted and held before the restart of VMs that did not come back for as long as an orphan would have lived. While there is no
// session nobody can come back.
func (e *Edge) forgetUnclaimed() {
	if !e.paused.IsZero() {
		e.timers.after(e.now, e.config.Lifetimes.Orphaned, e.forgetUnclaimed)
		return
	}
	for _, k := range slices.SortedFunc(maps.Keys(e.memory.Acceptances), compareVMKeys) {
		if r := e.records[k]; r == nil || r.State == lifecycle.Null {
			e.forgetAcceptances(k)
		}
	}
	for _, k := range keysOf(e.memory.Holdings, compareVMKeys) {
		if r := e.records[k]; r == nil || r.State == lifecycle.Null {
			e.keep(k, nil)
		}
	}
}
