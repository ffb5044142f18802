package nve

import (
	"net/netip"

	"github.com/tns-project/tns/evpn"
)

// place is a MAC or an IP of a VN, which one record at a time can have. A procedure claims it before it is sure of it: the claim counts at once,
// but the holder has it back when the procedure fails.
type place struct {
	holder   *record // Associated
	claimant *record // its procedure is under way; nil: none
}

// active is whose the place is now.
func (p *place) active() *record {
	if p.claimant != nil {
		return p.claimant
	}
	return p.holder
}

// claim takes the place for a procedure of the record, also from another claimant.
func (p *place) claim(r *record) { p.claimant = r }

// keep makes the record the holder: its procedure went through. A claim that overtook its own stays above it.
func (p *place) keep(r *record) {
	p.holder = r
	p.giveUp(r)
}

// giveUp ends the record's claim; the holder has the place again.
func (p *place) giveUp(r *record) {
	if p.claimant == r {
		p.claimant = nil
	}
}

// leave takes the place from the record, whether it has it or only claims it.
func (p *place) leave(r *record) {
	p.giveUp(r)
	if p.holder == r {
		p.holder = nil
	}
}

func (p *place) free() bool { return p.holder == nil && p.claimant == nil }

// ipKey names an IP of a VN.
type ipKey struct {
	vni evpn.VNI
	ip  netip.Addr
}

// ipOf is the binding's IP in its VN; ok is false when it has none.
func (b *binding) ipOf() (k ipKey, ok bool) {
	return ipKey{b.vn.VNI, b.key.IP}, b.key.IP.IsValid()
}

// claimIPs takes the bindings' IPs for a procedure of the record.
func (e *Edge) claimIPs(r *record, bs bindings) {
	for _, b := range bs {
		if k, ok := b.ipOf(); ok {
			p := e.ips[k]
			if p == nil {
				p = &place{}
				e.ips[k] = p
			}
			p.claim(r)
		}
	}
}

// eachIP does something to the places of the bindings' IPs, and drops those that are free then.
func (e *Edge) eachIP(bs bindings, do func(*place)) {
	for _, b := range bs {
		k, ok := b.ipOf()
		if p := e.ips[k]; ok && p != nil {
			do(p)
			if p.free() {
				delete(e.ips, k)
			}
		}
	}
}
