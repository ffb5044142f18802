package nve

import (
	"net/netip"
	"slices"

	"github.com/tns-project/tns/dataplane"
)

// The policy of a station, as the forwarding entry, belongs to the (VN, MAC): that of the active record, in force on its port, else that of a record that holds
// it, prepared. The local forwarding entry is there only while the kernel has the policy in force (SPEC §3, Active and Held).

// enforced is what was asked of the kernel for a station's policy.
type enforced struct {
	*ruling
	sources []netip.Addr
	port    string
	inForce bool
}

func (p *enforced) equal(o *enforced) bool {
	return p.ruling == o.ruling && p.port == o.port && p.inForce == o.inForce && slices.Equal(p.sources, o.sources)
}

// asks reports whether the kernel has anything to do for it.
func (p *enforced) asks() bool {
	return p.ruling != nil && (len(p.sources) > 0 || p.Profile != nil || !p.inKernel.Bare())
}

func (st *station) policyKey() dataplane.Key {
	return dataplane.Key{Kind: dataplane.Policy, VNI: dataplane.VNI(st.key.VNI), MAC: dataplane.MAC(st.key.MAC)}
}

// enforcedOf is what the kernel should hold of the station's policy; the zero value is nothing. It is good until the next is asked for.
func (e *Edge) enforcedOf(st *station) enforced {
	r := st.active()
	if r == nil && len(st.records) > 0 {
		r = st.records[0]
	}
	if r == nil {
		return enforced{}
	}
	p := enforced{port: st.vn.portOf(r.key.TES, st.key.MAC), inForce: st.active() != nil && !st.duplicate}
	if p.ruling, p.sources = e.ruled(r, st); p.ruling == nil {
		return st.policy // it is on its way out
	}
	if !p.asks() {
		return enforced{}
	}
	return p
}

// settlePolicy decides what the kernel holds for the station's policy. What a run before this one has put there is left alone until its MAC is active again,
// or the start is over: the kernel may still forward for it.
func (e *Edge) settlePolicy(st *station, want enforced) written {
	w := written{key: st.policyKey()}
	kept := e.config.Restarted && !e.completed && !st.policy.asks() && !want.inForce
	if want.equal(&st.policy) || kept {
		return w
	}
	switch {
	case !want.inForce:
		st.policed = false
	case !st.policy.asks() && st.entry.port != "":
		st.policed = true // what goes on without a policy does so until it has one
	}
	st.policy = want
	st.policy.sources = slices.Clone(want.sources)
	if !want.asks() {
		w.generation = e.Forwarder.Unset(w.key)
	} else {
		w.generation = e.Forwarder.Set(st.policyEntry())
	}
	st.policyWritten = w.generation
	return w
}

func (st *station) policyEntry() dataplane.Entry {
	p := st.policy.inKernel
	p.Sources = st.policy.sources
	return dataplane.Entry{Key: st.policyKey(), LocalPort: st.policy.port, Policy: &p, InForce: st.policy.inForce}
}

// confirmPolicy settles the station's policy and has the kernel answer for it, also where it should have it already.
func (e *Edge) confirmPolicy(st *station) written {
	w := e.settlePolicy(st, e.enforcedOf(st))
	if w.generation == 0 && st.policy.asks() {
		w.generation = e.Forwarder.Set(st.policyEntry())
		st.policyWritten = w.generation
	}
	return w
}

// policeable reports whether the station's frames may be let through as far as its policy goes: the kernel has it in force, or there is none.
func (st *station) policeable() bool { return !st.policy.asks() || st.policed }

// policyResult takes the kernel's answer for a policy. Where no procedure waits for it, the forwarding entry goes with a policy in force that the kernel
// does not keep, and comes with one that it has again.
func (e *Edge) policyResult(res dataplane.Result, awaited bool) {
	st := e.stations[stationKey(res.Key)]
	if st == nil || res.Generation < st.policyWritten || !st.policy.inForce {
		return
	}
	switch {
	case res.Err == nil && !st.policed:
		st.policed = true
	case res.Err != nil && st.policed && !awaited:
		st.policed = false
	default:
		return
	}
	if !awaited {
		broken := st.broken
		e.settle(st)
		st.broken = broken // keeps tells of the change
	}
}

// policyText is the station's policy for people.
func (st *station) policyText() string {
	if !st.policy.asks() {
		return "policy"
	}
	where := ", prepared for port "
	if st.policy.inForce {
		where = ", in force on port "
	}
	return "policy, " + st.policy.ruling.String() + where + st.policy.port
}

// prepareHeld has, at the end of a start, the policies prepared of what is held and not active. What the kernel forwards for it from a run before ends first.
func (e *Edge) prepareHeld() {
	for _, k := range keysOf(e.stations, compareStations) {
		st := e.stations[k]
		if want := e.enforcedOf(st); want.inForce || want.equal(&st.policy) {
			continue
		}
		if e.config.Restarted && st.entry == (forwarded{}) {
			e.Forwarder.Unset(st.fdbKey())
		}
		e.settle(st)
	}
}
