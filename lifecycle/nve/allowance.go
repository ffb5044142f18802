package nve

import "github.com/tns-project/tns/evpn"

// allowance is the Authorizer by configuration: a TES may have what it likes in the VNs whose ports it is behind.
type allowance map[evpn.VNI]map[evpn.RouterID]struct{}

func newAllowance(vns []VN) allowance {
	a := allowance{}
	for _, v := range vns {
		a[v.VNI] = map[evpn.RouterID]struct{}{}
		for _, p := range v.Ports {
			for _, id := range p.TES {
				a[v.VNI][id] = struct{}{}
			}
		}
	}
	return a
}

// Authorize refuses the bindings in VNs that the TES has no port in (FAIL 6, §3.3.1).
func (a allowance) Authorize(q Question, answer func(Verdict)) {
	v := Verdict{}
	for _, b := range q.Bindings {
		if _, ok := a[b.VNI][q.TES]; !ok {
			v[b.Key] = evpn.FailedAuthorization
		}
	}
	answer(v)
}
