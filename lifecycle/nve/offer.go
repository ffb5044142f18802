package nve

import (
	"errors"
	"net/netip"
	"slices"
	"strings"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/history"
)

// offer is one request route that stands: state, not an event. Where several sessions bring the same NLRI it stands as long as one of them does.
type offer struct {
	route   evpn.Route
	request evpn.Request
	vm      VMKey
	vn      *vn
	vni     evpn.VNI // resolved; 0 = unknown VN
	content string   // what must be equal for an equal sequence (SPEC §2)
	direct  bool     // by the TES itself, not by a reflector
	early   bool     // it came before its session's End-of-RIB: restored, not new, unless it is an Immigration
	peers   map[netip.Addr]uint64
	answer  evpn.RouteKey // its response
	reason  evpn.Reason   // last answered
}

// foreignKey names a request of someone who may not speak for its TES-ID.
type foreignKey struct {
	peer netip.Addr
	key  evpn.RouteKey
}

// why says how a request went.
type why uint8

const (
	lostSession why = iota
	withdrew
	replaced // another VM's request has its NLRI now
)

// offered takes a type 2 route of the TES plane.
func (e *Edge) offered(p *peer, r evpn.Route) {
	if !slices.Contains(r.RouteTargets(), evpn.RequestTarget(e.config.ID)) {
		e.stats.ignored++ // not for us
		e.withdrawn(p, r.RouteKey)
		return
	}
	e.stats.requests++
	o := &offer{route: r, direct: p.neighbor == nil || !p.neighbor.Reflector, early: !p.ended, peers: map[netip.Addr]uint64{p.address: p.epoch}}
	req, err := evpn.DecodeRequest(r.Communities)
	o.request = req
	if r.Label == 0 {
		if req.VNName != nil {
			o.vn = e.byName[*req.VNName]
		}
	} else {
		o.vn = e.vns[r.Label]
	}
	if o.vn != nil {
		o.vni = o.vn.VNI
	}
	id, complaint := e.identify(p, &r)
	o.vm = VMKey{VM: req.VM, TES: id}
	o.answer = e.answerKey(o)
	if complaint != "" {
		if id == 0 {
			e.stats.ignored++
			return
		}
		e.refused[foreignKey{p.address, r.RouteKey}] = o
		e.note(history.Event{Kind: history.KindAlarm, VM: req.VM.String(), TES: id.String(), Peer: p.address.String(), Detail: complaint})
		e.reject(o, evpn.FailedAuthorization)
		return
	}
	delete(e.refused, foreignKey{p.address, r.RouteKey})
	old := e.requests[r.RouteKey]
	if old != nil {
		for a, epoch := range old.peers {
			if a != p.address {
				o.peers[a] = epoch
			}
		}
	} else {
		e.tes(id).offers++
	}
	e.requests[r.RouteKey] = o
	if fe := (*evpn.FormatError)(nil); errors.As(err, &fe) {
		e.malformed(o, old, fe.Text, fe.HasVM)
		return
	} else if err != nil {
		e.malformed(o, old, err.Error(), false)
		return
	}
	if text := badRoute(o); text != "" {
		e.malformed(o, old, text, true)
		return
	}
	o.content = contentOf(o)
	if old != nil && old.vm != o.vm {
		e.leaveRecord(old, replaced)
	}
	e.note(history.Event{Kind: history.KindRequest, VM: o.vm.VM.String(), TES: id.String(), Peer: p.address.String(), VNI: uint32(o.vni), MAC: r.MAC.String(), IP: addrText(r.IP),
		Op: opText(&o.request), State: o.request.Base.String(), Sequence: o.request.Sequence})
	if o.request.Flags&evpn.FlagDryRun != 0 {
		e.tried(o)
		return
	}
	e.arrive(o)
}

// badRoute is what makes a request malformed beside its communities.
func badRoute(o *offer) string {
	r := &o.route
	_, number, _ := r.RD.Split()
	dry := o.request.Flags&evpn.FlagDryRun != 0
	switch {
	case r.ESI != evpn.ESI{}:
		return "ESI is not 0"
	case r.Tag != 0:
		return "Ethernet tag is not 0"
	case len(r.RouteTargets()) != 1:
		return "a request carries one route target"
	case dry != (number == evpn.DryRunRD):
		return "a dry run has RD number 65535, and nothing else has"
	case r.Label == 0 && o.request.VNName == nil:
		return "label is 0 and VN-NAME is missing"
	}
	return ""
}

// malformed refuses a request that cannot be read (FAIL 1). It takes no part in its VM's set; the others of the set will miss it.
func (e *Edge) malformed(o, old *offer, text string, hasVM bool) {
	e.stats.malformed++
	if old != nil && old.content != "" {
		e.leaveRecord(old, replaced)
	}
	ev := history.Event{Kind: history.KindAlarm, TES: o.vm.TES.String(), VNI: uint32(o.vni), MAC: o.route.MAC.String(), IP: addrText(o.route.IP), Sequence: o.request.Sequence, Detail: "malformed request: " + text}
	if hasVM {
		ev.VM = o.vm.VM.String()
	} else {
		o.request.VM, o.vm.VM = evpn.VMID{}, evpn.VMID{}
	}
	e.note(ev)
	e.reject(o, evpn.InvalidFormat)
}

// withdrawn takes a withdraw on a session that stands.
func (e *Edge) withdrawn(p *peer, key evpn.RouteKey) {
	if fk := (foreignKey{p.address, key}); e.refused[fk] != nil {
		o := e.refused[fk]
		delete(e.refused, fk)
		e.withdrawAnswer(o)
	}
	if key.Type == evpn.InclusiveMulticast {
		e.beaconWithdrawn(p, key)
		return
	}
	o := e.requests[key]
	if o == nil {
		return
	}
	if _, ok := o.peers[p.address]; !ok {
		return
	}
	delete(o.peers, p.address)
	if len(o.peers) == 0 {
		e.lost(o, withdrew)
	}
}

// lost takes a request away that nobody brings any more.
func (e *Edge) lost(o *offer, w why) {
	delete(e.requests, o.route.RouteKey)
	e.tes(o.vm.TES).offers--
	switch {
	case o.content == "": // never read
		e.withdrawAnswer(o)
	case o.request.Flags&evpn.FlagDryRun != 0:
		e.withdrawAnswer(o)
	default:
		e.leaveRecord(o, w)
	}
}

// contentOf is the request's content, to compare with another one of the same NLRI: label and all communities of type 0x88 but ECHO, reserved bits
// cleared (SPEC §2, sequence).
func contentOf(o *offer) string {
	return text(o.route.Label, evpn.Content(o.route.Communities))
}

func text(label evpn.VNI, cs []evpn.ExtendedCommunity) string {
	var b strings.Builder
	b.Grow(3 + 8*len(cs))
	b.Write([]byte{byte(label >> 16), byte(label >> 8), byte(label)})
	for _, c := range cs {
		b.Write(c[:])
	}
	return b.String()
}

// parameters is the part of a request that makes it "the same" or "changed" (§3.3.2): what is provisioned, not what is asked for.
func parameters(o *offer) string {
	r := evpn.Request{Op: evpn.Associate, Count: 1, Index: 1, VM: o.request.VM, Policy: o.request.Policy, VNName: o.request.VNName, Proposal: o.request.Proposal}
	return text(o.route.Label, r.Communities())
}

func opText(r *evpn.Request) string {
	s := r.Op.String()
	if r.Flags&evpn.FlagImmigration != 0 {
		s += " immigration"
	}
	if r.Flags&evpn.FlagKeepAlive != 0 {
		s += " keep-alive"
	}
	if r.Flags&evpn.FlagDryRun != 0 {
		s += " dry-run"
	}
	return s
}

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
