package nve

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/policy"
)

// What a VM may send and receive (§3.3.1): the profile that its request names, or its VN's default, under the VN's baseline. Whether that can be is judged with
// the other facts, before anything is touched; it is prepared in the kernel with the record's first hold, and in force while the MAC is active here
// (enforcement.go).

// ruling is what a profile, or none, comes to in a VN.
type ruling struct {
	policy.Enforced
	conflict *policy.Conflict   // with the VN's baseline
	inKernel dataplane.VMPolicy // without the sources
}

// rulingOf is what a request's POLICY (nil: none) comes to in the VN; why and text tell why it cannot be had.
func (e *Edge) rulingOf(v *vn, asked *evpn.Policy) (r *ruling, why evpn.Reason, text string) {
	id := v.DefaultPolicy
	if asked != nil {
		id = policy.ID{Type: asked.Type, Version: asked.Version}
	}
	if r := v.rulings[id]; r != nil && (asked == nil || id != policy.ID{}) {
		return r, evpn.ReasonNone, ""
	}
	var p *policy.Profile
	if asked != nil || id != (policy.ID{}) {
		p = e.config.Profiles[id]
		switch {
		case e.config.Profiles == nil:
			return nil, evpn.PolicySourceNotReachable, fmt.Sprintf("profile %s cannot be looked up: there is no file of policies", id)
		case p == nil:
			return nil, evpn.ConflictPolicies, fmt.Sprintf("there is no profile %s", id)
		case !p.Usable(v.Name):
			return nil, evpn.ConflictPolicies, fmt.Sprintf("profile %v is not for VN %s", p, v.Name)
		}
	}
	r = &ruling{Enforced: policy.Merge(v.Baseline, p)}
	if p != nil {
		r.conflict = policy.Against(p, v.Baseline)
	}
	r.inKernel = inKernel(&r.Enforced)
	v.rulings[id] = r
	return r, evpn.ReasonNone, ""
}

// permitted is why what a request asks for cannot be put into force in its VN, with words that name both sides.
func (e *Edge) permitted(o *offer) (evpn.Reason, string) {
	r, why, text := e.rulingOf(o.vn, o.request.Policy)
	if why == evpn.ReasonNone && r.conflict != nil {
		return evpn.ConflictPolicies, r.conflict.Error()
	}
	if why == evpn.ReasonNone {
		if text = r.unsure(e.ports[o.vn.portOf(o.vm.TES, o.route.MAC)]); text != "" {
			why = evpn.NonSufficientResources
		}
	}
	return why, text
}

// contradictions adds to a verdict what the policies of a set's MACs say against each other (two attachments of one VM to one VN), and against the policy that
// the VM has where it is active at another TES of this edge: a (VN, MAC) has one.
func (e *Edge) contradictions(r *record, s *set, v *Verdict) {
	type attachment struct {
		key    StationKey
		ruling *ruling
	}
	var all []attachment
	for _, o := range s.offers {
		if (*v)[o.route.RouteKey] != evpn.ReasonNone {
			continue
		}
		key := StationKey{o.vn.VNI, o.route.MAC}
		if !slices.ContainsFunc(all, func(a attachment) bool { return a.key == key }) {
			ruling, _, _ := e.rulingOf(o.vn, o.request.Policy)
			all = append(all, attachment{key, ruling})
		}
	}
	byItself := maps.Clone(*v)
	refuse := func(text string, attachments ...attachment) {
		told := false
		for _, a := range attachments {
			for _, o := range s.offers {
				if (StationKey{o.vni, o.route.MAC}) != a.key || byItself[o.route.RouteKey] != evpn.ReasonNone {
					continue
				}
				if !told {
					told = true
					e.unauthorized(o, evpn.ConflictPolicies, text)
				}
				v.refuse(o.route.RouteKey, evpn.ConflictPolicies)
			}
		}
	}
	for i, a := range all {
		if st := e.stations[a.key]; st != nil {
			if other := st.active(); other != nil && other != r && other.key.VM == r.key.VM && !other.Orphaned {
				if has, _ := e.ruled(other, st); has != nil && has != a.ruling {
					refuse(fmt.Sprintf("%s here, while at TES %s it has %s: a MAC has one policy", a.ruling, other.key.TES, has), a)
				}
			}
		}
		for _, b := range all[:i] {
			if a.key.VNI != b.key.VNI {
				continue
			}
			if c := policy.Between(b.ruling.Profile, a.ruling.Profile); c != nil {
				refuse(fmt.Sprintf("two attachments to one VN, %s and %s: %v", b.key.MAC, a.key.MAC, c), b, a)
			}
		}
	}
}

// String is the ruling for people: `profile web (100:1)`, `no profile`.
func (r *ruling) String() string {
	if r.Profile == nil {
		return "no profile"
	}
	return "profile " + r.Profile.String()
}

// ruled is what holds for a record's MAC, and the addresses that it may use: those of the set that the record has, or is about to have. Nil if the record
// has no such MAC. The addresses are in memory that the next call uses again.
func (e *Edge) ruled(r *record, st *station) (*ruling, []netip.Addr) {
	if p := r.procedure; p != nil && p.reserved && (st.active() != r || st.claimant == r) {
		if found, ips := e.ruledBy(p.bindings, st); found != nil {
			return found, ips
		}
	}
	return e.ruledBy(r.bindings, st)
}

func (e *Edge) ruledBy(bs bindings, st *station) (found *ruling, ips []netip.Addr) {
	ips = e.sources[:0]
	defer func() { e.sources = ips }()
	for _, b := range bs {
		if b.vn != st.vn || b.key.MAC != st.key.MAC {
			continue
		}
		found, _, _ = e.rulingOf(b.vn, b.policy)
		if b.key.IP.IsValid() {
			ips = append(ips, b.key.IP)
		}
	}
	slices.SortFunc(ips, netip.Addr.Compare)
	return found, ips
}

// demands is what a MAC with that policy (zero: none) takes of the edge in a VN: ACL rules in the kernel, its VN's baseline's included, and bandwidth that is
// guaranteed on its port.
func (e *Edge) demands(vn string, p evpn.Policy) Demand {
	asked := &p
	if p == (evpn.Policy{}) {
		asked = nil
	}
	r, _, _ := e.rulingOf(e.named[vn], asked)
	if r == nil {
		return Demand{} // it is not in the file any more
	}
	return Demand{ACLRules: uint64(len(r.inKernel.From.Rules) + len(r.inKernel.To.Rules)), Bandwidth: r.Guaranteed}
}

// pcpOf is the priority (802.1p) of frames in a VN under a policy, 0 where that gives none.
func (e *Edge) pcpOf(v *vn, p *evpn.Policy) uint8 {
	r, _, _ := e.rulingOf(v, p)
	if r == nil {
		return 0
	}
	return r.PCP.Value
}

// inKernel is what holds, in the kernel's words.
func inKernel(e *policy.Enforced) dataplane.VMPolicy {
	return dataplane.VMPolicy{
		From: directionInKernel(&e.FromVM), To: directionInKernel(&e.ToVM),
		Guarantee: e.Guaranteed, DSCP: octetInKernel(e.DSCP), PCP: octetInKernel(e.PCP),
	}
}

func directionInKernel(d *policy.Direction) dataplane.Direction {
	k := dataplane.Direction{Limit: dataplane.Limit{Rate: d.Rate.Bits, Burst: d.Rate.Burst}}
	for i := range d.Rules {
		r := &d.Rules[i]
		k.Rules = append(k.Rules, dataplane.Rule{Name: r.Name, Action: actionInKernel[r.Action], Match: dataplane.Match{
			SrcMAC: dataplane.MAC(r.SourceMAC), DstMAC: dataplane.MAC(r.DestinationMAC), EtherType: r.EtherType, Src: r.Source, Dst: r.Destination,
			Protocol: r.Protocol.Value, SrcPorts: dataplane.Ports(r.SourcePorts), DstPorts: dataplane.Ports(r.DestinationPorts),
			ICMPType: octetInKernel(r.ICMPType), ICMPCode: octetInKernel(r.ICMPCode),
		}})
	}
	if d.Default == policy.Deny {
		k.Rules = append(k.Rules, dataplane.Rule{Name: DefaultRule, Action: dataplane.Deny})
	}
	return k
}

// DefaultRule is what the last rule of a direction is called, whose default is to deny.
const DefaultRule = "default"

var actionInKernel = map[policy.Action]dataplane.Action{policy.Allow: dataplane.Allow, policy.Deny: dataplane.Deny, policy.Count: dataplane.Count}

func octetInKernel(o policy.Octet) dataplane.Octet {
	return dataplane.Octet{Value: o.Value, Set: o.Set}
}
