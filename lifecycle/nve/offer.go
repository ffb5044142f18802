package nve

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/history"
)

// offer is one request route that stands: state, not an event. Where several sessions bring the same NLRI it stands as long as one of them does.
type offer struct {
	route   requested
	whole   *evpn.Route // as it came, of one that is not read
	request evpn.Request
	vm      VMKey
	vni     evpn.VNI // resolved; 0 = unknown VN
	vn      *vn
	content string       // what must be equal for an equal sequence (SPEC §2)
	at      time.Time    // when it arrived
	from    netip.Addr   // the peer that brought it last
	also    []netip.Addr // the others that bring it
	stands  answer       // the response that stands, be it to the request before
	told    bool         // it is to this one
	early   bool         // it came before its session's End-of-RIB: restored, not new, unless it is an Immigration
	foreign bool         // of somebody who may not speak for its TES-ID
}

// requested is what stays of a request's route when it is read.
type requested struct {
	evpn.RouteKey
	Label evpn.VNI
}

// foreignKey names a request of someone who may not speak for its TES-ID.
type foreignKey struct {
	peer netip.Addr
	key  evpn.RouteKey
}

// sameRequest reports whether both are the same request route, of which the newer replaces the older.
func (o *offer) sameRequest(p *offer) bool {
	return o.route.RouteKey == p.route.RouteKey && o.foreign == p.foreign && (!o.foreign || o.from == p.from)
}

// offered takes a type 2 route of the TES plane.
func (e *Edge) offered(p *peer, r evpn.Route) {
	if !r.HasRouteTarget(evpn.RequestTarget(e.config.ID)) {
		e.stats.ignored++ // not for us
		e.withdrawn(p, r.RouteKey)
		return
	}
	e.stats.requests++
	if p.local {
		p.heard = e.now
	}
	o := &offer{route: requested{r.RouteKey, r.Label}, at: p.heard, early: !p.ended, from: p.address}
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
	if complaint != "" {
		if id == 0 { // nobody to tell but people
			e.stats.ignored++
			e.note(history.Event{Kind: history.KindAlarm, VM: vmText(req.VM), Peer: p.address.String(), Detail: complaint})
			e.dropFrom(p, r.RouteKey, withdrew)
			return
		}
		e.dropFrom(p, r.RouteKey, withdrew) // what it said before, it says no more
		whole := r
		o.foreign, o.whole = true, &whole
		if err != nil {
			o.request.VM = evpn.VMID{} // its index and count may be none, and would be in the response
		}
		e.refused[foreignKey{p.address, r.RouteKey}] = o
		e.note(history.Event{Kind: history.KindAlarm, VM: req.VM.String(), TES: id.String(), Peer: p.address.String(), Detail: complaint})
		e.stats.unauthorized(id, evpn.FailedAuthorization)
		e.respond(o, answer{status: evpn.Fail, reason: evpn.FailedAuthorization, sequence: req.Sequence})
		return
	}
	e.foreignGone(foreignKey{p.address, r.RouteKey})
	e.present(id)
	old := e.requests.get(r.RouteKey)
	if old != nil {
		o.also = old.also
		if old.from != p.address {
			o.also = append(slices.DeleteFunc(slices.Clone(old.also), func(a netip.Addr) bool { return a == p.address }), old.from)
		}
		if e.answerKey(old) != e.answerKey(o) {
			e.unsay(old)
		}
	} else {
		e.tes(id).offers++
	}
	e.requests.put(o)
	p.offers.put(o)
	e.adopt(o)
	if fe := (*evpn.FormatError)(nil); errors.As(err, &fe) {
		e.malformed(o, old, fe.Text, fe.HasVM)
		return
	} else if err != nil {
		e.malformed(o, old, err.Error(), false)
		return
	}
	if text := badRoute(o, &r); text != "" {
		e.malformed(o, old, text, true)
		return
	}
	o.content = contentOf(&r)
	if old != nil && old.content != "" && (old.vm != o.vm || old.dryRun() != o.dryRun()) {
		e.gone(old, replaced)
	}
	e.noteOf(whom{o.vm.VM, id, p.address, r.MAC, r.IP}, history.Event{Kind: history.KindRequest, VNI: uint32(o.vni),
		Op: opText(&o.request), State: o.request.Base.String(), Sequence: o.request.Sequence})
	if o.dryRun() {
		e.tried(o)
		return
	}
	e.echoed(o)
	e.arrive(o)
}

// badRoute is what makes a request malformed beside its communities.
func badRoute(o *offer, r *evpn.Route) string {
	_, number, _ := r.RD.Split()
	dry := o.request.Flags&evpn.FlagDryRun != 0
	switch {
	case r.ESI != evpn.ESI{}:
		return "ESI is not 0"
	case r.Tag != 0:
		return "Ethernet tag is not 0"
	case r.CountRouteTargets() != 1:
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
		e.gone(old, replaced)
	}
	ev := history.Event{Kind: history.KindAlarm, TES: o.vm.TES.String(), VNI: uint32(o.vni), MAC: o.route.MAC.String(), IP: addrText(o.route.IP), Sequence: o.request.Sequence, Detail: "malformed request: " + text}
	if hasVM {
		ev.VM = o.vm.VM.String()
	} else {
		o.request.VM, o.vm.VM = evpn.VMID{}, evpn.VMID{}
	}
	e.note(ev)
	a := answer{status: evpn.Fail, reason: evpn.InvalidFormat, sequence: o.request.Sequence}
	if r := e.records[o.vm]; r != nil && hasVM {
		a = e.refusal(r, evpn.InvalidFormat, o.request.Sequence)
	}
	e.respond(o, a)
}

// withdrawn takes a withdraw on a session that stands.
func (e *Edge) withdrawn(p *peer, key evpn.RouteKey) {
	e.foreignGone(foreignKey{p.address, key})
	if key.Type == evpn.InclusiveMulticast {
		e.beaconWithdrawn(p, key)
		return
	}
	if p.neighbor != nil && p.neighbor.Reflector {
		e.dropFrom(p, key, withdrew)
	} else {
		e.dropFrom(p, key, withdrewDirect)
	}
}

// dropFrom takes away what the peer says of a request; with the last peer that brings it, the request goes.
func (e *Edge) dropFrom(p *peer, key evpn.RouteKey, w why) {
	if p.offers.get(key) == nil {
		return
	}
	p.offers.drop(key)
	o := e.requests.get(key)
	if o.drop(p.address) {
		return
	}
	e.requests.drop(key)
	t := e.tes(o.vm.TES)
	t.offers--
	e.gone(o, w)
	e.dropTES(t)
}

// drop takes a peer from those that bring the request; left reports whether another does.
func (o *offer) drop(peer netip.Addr) (left bool) {
	switch {
	case o.from != peer:
		o.also = slices.DeleteFunc(o.also, func(a netip.Addr) bool { return a == peer })
	case len(o.also) == 0:
		return false
	default:
		last := len(o.also) - 1
		o.from, o.also = o.also[last], o.also[:last]
	}
	return true
}

// gone draws the consequences of a request that is there no more.
func (e *Edge) gone(o *offer, w why) {
	switch {
	case o.content == "": // never read
		e.unsay(o)
	case o.dryRun():
		e.triedGone(o)
	default:
		e.leaveRecord(o, w)
	}
}

// foreignGone forgets the request of somebody who may not speak for its TES-ID.
func (e *Edge) foreignGone(k foreignKey) {
	if o := e.refused[k]; o != nil {
		delete(e.refused, k)
		e.unsay(o)
	}
}

func (o *offer) dryRun() bool { return o.request.Flags&evpn.FlagDryRun != 0 }

// contentOf is the request's content, to compare with another one of the same NLRI: label and all communities of type 0x88 but ECHO, reserved bits
// cleared (SPEC §2, sequence).
func contentOf(r *evpn.Route) string {
	var room [16]evpn.ExtendedCommunity
	b := make([]byte, 3, 3+8*len(room))
	b[0], b[1], b[2] = byte(r.Label>>16), byte(r.Label>>8), byte(r.Label)
	for _, c := range evpn.AppendContent(room[:0], r.Communities) {
		b = append(b, c[:]...)
	}
	return string(b)
}

// parameters is the part of a request that makes it "the same" or "changed" (§3.3.2): what is provisioned, not what is asked for. What is not there is zero.
type parameters struct {
	label    evpn.VNI
	policy   evpn.Policy
	name     evpn.VNName
	proposal evpn.LocalTag
	has      struct{ policy, name, proposal bool }
}

func (o *offer) parameters() (p parameters) {
	p.label = o.route.Label
	if q := o.request.Policy; q != nil {
		p.policy, p.has.policy = *q, true
	}
	if n := o.request.VNName; n != nil {
		p.name, p.has.name = *n, true
	}
	if t := o.request.Proposal; t != nil {
		p.proposal, p.has.proposal = *t, true
	}
	return p
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
