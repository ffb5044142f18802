package nve

import (
	"fmt"
	"slices"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle"
	"github.com/tns-project/tns/lifecycle/history"
	"github.com/tns-project/tns/lifecycle/quota"
)

// What a set takes of the edge is reserved before anything is touched, and given back when its record lets go (§3.3.1; SPEC §2, reasons 2 and 15). The ledger
// (package quota) counts; here it is told what counts as what.

// Quotas is what the edge as a whole gives; 0 is no limit.
type Quotas struct {
	VMsPerTES uint64
	ACLRules  uint64            // in the kernel
	Tenants   map[string]uint64 // MACs, by tenant
}

// Demand is what a MAC takes because of its policy.
type Demand struct {
	ACLRules  uint64
	Bandwidth uint64 // guaranteed, bits a second
}

// Holding is what a record holds of the edge: its MACs, each with the type and version of its policy (zero: none). It is journalled: after a restart nobody
// else gets what a VM held that was there before.
type Holding = ByStation[evpn.Policy]

// holdingOf is what bindings hold.
func holdingOf(bs bindings) Holding {
	var h Holding
	for _, b := range bs {
		h.Put(b.station(), credentialed(b.policy))
	}
	return h
}

// holding is what a set would hold.
func (s *set) holding() Holding {
	var h Holding
	for _, o := range s.offers {
		h.Put(StationKey{o.vn.VNI, o.route.MAC}, credentialed(o.request.Policy))
	}
	return h
}

// claims is what a holding takes from each account. VNs that are not there any more have none. It is in memory that the next call uses again.
func (e *Edge) claims(k VMKey, h Holding) []quota.Claim {
	cs := e.claimed[:0]
	defer func() { e.claimed = cs }()
	vm, tes := quota.Item{VM: k.VM}, uint32(k.TES)
	if len(h) > 0 {
		cs = append(cs, quota.Claim{Account: quota.Account{Resource: quota.VMs, TES: tes}, Item: vm, Amount: 1})
	}
	for _, held := range h {
		st, policy := held.StationKey, held.Value
		v := e.vns[st.VNI]
		if v == nil {
			continue
		}
		mac := quota.Item{VNI: uint32(st.VNI), MAC: st.MAC}
		cs = append(cs,
			quota.Claim{Account: quota.Account{Resource: quota.VMs, VN: v.Name}, Item: vm, Amount: 1},
			quota.Claim{Account: quota.Account{Resource: quota.VMs, VN: v.Name, TES: tes}, Item: vm, Amount: 1},
			quota.Claim{Account: quota.Account{Resource: quota.MACs, VN: v.Name}, Item: mac, Amount: 1})
		if v.Tenant != "" {
			cs = append(cs, quota.Claim{Account: quota.Account{Resource: quota.MACs, Tenant: v.Tenant}, Item: mac, Amount: 1})
		}
		port := e.ports[v.portOf(k.TES, st.MAC)]
		if port.VIDs > 0 {
			cs = append(cs, quota.Claim{Account: quota.Account{Resource: quota.VIDs, Port: port.Name}, Item: quota.Item{VNI: uint32(st.VNI)}, Amount: 1})
		}
		d := e.Demands(v.Name, policy)
		if d == (Demand{}) {
			continue
		}
		cs = append(cs,
			quota.Claim{Account: quota.Account{Resource: quota.ACLRules}, Item: mac, Amount: d.ACLRules},
			quota.Claim{Account: quota.Account{Resource: quota.Bandwidth, Port: port.Name}, Item: mac, Amount: d.Bandwidth})
	}
	return cs
}

// limit is an account's limit, 0 for none. The edge speaks for its servers itself, and is no TES whose VMs are limited.
func (e *Edge) limit(a quota.Account) uint64 {
	if a.TES == uint32(e.config.ID) {
		return 0
	}
	if v := e.named[a.VN]; v != nil {
		switch {
		case a.Resource == quota.MACs:
			return v.MaxMACs
		case a.TES != 0:
			return v.MaxVMsPerTES
		}
		return v.MaxVMs
	}
	switch a.Resource {
	case quota.VMs:
		return e.config.Quotas.VMsPerTES
	case quota.MACs:
		return e.config.Quotas.Tenants[a.Tenant]
	case quota.ACLRules:
		return e.config.Quotas.ACLRules
	case quota.VIDs:
		return e.ports[a.Port].VIDs
	case quota.Bandwidth:
		return e.ports[a.Port].Bandwidth
	}
	return 0
}

// quotaVerdict is which routes of a set ask for more than there is.
func (e *Edge) quotaVerdict(r *record, s *set, arrow lifecycle.Arrow) Verdict {
	if !arrow.Does(lifecycle.Reserve) {
		return nil
	}
	var v Verdict
	before := e.memory.Holdings[r.key]
	for _, x := range e.ledger.Check(r.key, e.claims(r.key, s.holding())) {
		why := evpn.NonSufficientResources
		if x.Resource.Administrative() {
			why = evpn.Quota
		}
		e.overdrawn(r, s, why, x)
		for _, onlyNew := range []bool{true, false} {
			blamed := false
			for _, o := range s.offers {
				if _, old := before.Get(StationKey{o.vn.VNI, o.route.MAC}); old && onlyNew || !e.concerns(x.Account, o) {
					continue
				}
				blamed = true
				if k := o.route.RouteKey; v[k] == evpn.ReasonNone {
					v.refuse(k, why)
				}
			}
			if blamed {
				break
			}
		}
	}
	return v
}

// concerns reports whether a request takes from an account.
func (e *Edge) concerns(a quota.Account, o *offer) bool {
	return (a.VN == "" || a.VN == o.vn.Name) && (a.Tenant == "" || a.Tenant == o.vn.Tenant) && (a.Port == "" || a.Port == o.vn.portOf(o.vm.TES, o.route.MAC))
}

// overdrawn tells people which limit stands against a set, of a dry run in the log only.
func (e *Edge) overdrawn(r *record, s *set, why evpn.Reason, x quota.Excess) {
	ev := history.Event{Kind: history.KindAlarm, VM: r.key.VM.String(), TES: r.key.TES.String(), VN: x.VN, Op: opText(&s.request), Reason: why.String(), Sequence: s.sequence,
		Detail: fmt.Sprintf("refused: %s", x.Error())}
	if s.request.Flags&evpn.FlagDryRun != 0 {
		e.Log.WithFields(logFields(ev)).Warn("dry run " + ev.Detail)
		return
	}
	e.note(ev)
}

// keep makes the record hold just that, and journals it.
func (e *Edge) keep(k VMKey, h Holding) {
	e.ledger.Keep(k, e.claims(k, h))
	switch before := e.memory.Holdings[k]; {
	case slices.Equal(before, h):
		return
	case len(h) == 0:
		delete(e.memory.Holdings, k)
	default:
		e.memory.Holdings[k] = h
	}
	if e.Store != nil {
		e.Store.PutHolding(k, h)
	}
}

// reclaim holds, after a start, what was held before it, whatever the limits are now: what is forwarding is not cut because a limit was lowered.
func (e *Edge) reclaim() {
	for _, k := range keysOf(e.memory.Holdings, compareVMKeys) {
		h := slices.Clone(e.memory.Holdings[k])
		e.keep(k, slices.DeleteFunc(h, func(held AtStation[evpn.Policy]) bool { return e.vns[held.VNI] == nil }))
	}
}
