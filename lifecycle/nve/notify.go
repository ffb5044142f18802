package nve

import (
	"net/netip"
	"slices"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle"
	"github.com/tns-project/tns/lifecycle/history"
)

// When middleboxes are told (§3.3.6). A request that was decided before a restart, and stands still, was told of then.

// notable is what a procedure that went through is, for middleboxes; 0: nothing to them.
func (p *procedure) notable() Notable {
	if p.replay {
		return 0
	}
	switch p.event {
	case lifecycle.PreAssociateSame, lifecycle.PreAssociateChanged, lifecycle.AssociateSame, lifecycle.AssociateChanged:
		switch {
		case asks(&p.set.request).Immigrates():
			return Immigration
		case p.event == lifecycle.PreAssociateChanged, p.event == lifecycle.AssociateChanged:
			return Association
		}
	case lifecycle.Suspend:
		return Suspension
	case lifecycle.Resume, lifecycle.Reinstated:
		return Resumption
	case lifecycle.Emigrate:
		return Emigration
	case lifecycle.Terminate, lifecycle.AgedOut:
		return Termination
	case lifecycle.Outranked:
		return Displacement
	}
	return 0
}

// tell tells of a procedure that went through. From is where an Immigration came from: it was looked for before the place was taken.
func (e *Edge) tell(p *procedure, before lifecycle.Association, from End) {
	r := p.record
	what := p.notable()
	if what == 0 || !before.State.Alive() && !r.alive() {
		return
	}
	n := Notice{Event: what, Reason: r.reason}
	bs := r.bindings
	switch what {
	case Immigration:
		n.From, n.To = from, e.here(r)
	case Emigration:
		n.From, n.To = e.here(r), e.elsewhere(r)
		r.departed = n.To != End{}
		if !r.departed {
			n.Outcome = Started
		}
	case Displacement:
		n.From, n.To = e.here(r), e.elsewhere(r)
		r.departed = true
	case Termination:
		n.From, bs = e.here(r), p.old
	default:
		n.To = e.here(r)
	}
	if what == Association || what == Resumption {
		r.departed = false
	}
	e.notify(r, n, bs)
}

// departed tells that an Emigrating VM is seen elsewhere: where it went is known now.
func (e *Edge) departed(r *record) {
	if !r.State.Emigrating() || r.departed {
		return
	}
	to := e.elsewhere(r)
	if to == (End{}) {
		return
	}
	r.departed = true
	e.notify(r, Notice{Event: Emigration, From: e.here(r), To: to}, r.bindings)
}

// tellRefused tells of an Immigration or Emigration that is not to be.
func (e *Edge) tellRefused(r *record, s *set, v Verdict) {
	n := Notice{Outcome: Refused}
	switch ask := asks(&s.request); {
	case ask.Immigrates():
		n.Event, n.To = Immigration, e.here(r)
	case ask.Op == lifecycle.OpEmigrate && !ask.KeepAlive:
		n.Event, n.From = Emigration, e.here(r)
	default:
		return
	}
	var bs bindings
	for _, o := range s.offers {
		if n.Reason == evpn.ReasonNone {
			n.Reason = v[o.route.RouteKey]
		}
		if o.vn != nil {
			bs = append(bs, &binding{key: o.route.RouteKey, vn: o.vn})
		}
	}
	e.notify(r, n, bs)
}

// notify completes a notice and gives it to the middleboxes and, of moves, to people.
func (e *Edge) notify(r *record, n Notice, bs bindings) {
	move := n.Event == Immigration || n.Event == Emigration
	if e.Middleboxes == nil && !move {
		return
	}
	n.At, n.VM, n.TES, n.Sequence, n.State = e.now, r.key.VM, r.key.TES, r.sequence, wireState(r.State)
	n.Attachments = attachments(bs)
	n.ID = noticeID(e.config.ID, &n)
	if e.Middleboxes != nil {
		e.Middleboxes.Tell(n)
	}
	if !move {
		return
	}
	status := evpn.Success
	if n.Outcome == Refused {
		status = failStatus(r)
	}
	ev := history.Event{
		Kind: history.KindMove, VM: n.VM.String(), TES: n.TES.String(), Op: n.Event.String(), State: n.State.String(), Status: status.String(), Reason: reasonText(n.Reason),
		Sequence: n.Sequence,
	}
	ev.Move = &history.Move{ID: n.IDText(), Outcome: n.Outcome.String(), From: endText(n.From), To: endText(n.To)}
	for _, a := range n.Attachments {
		ev.Move.Attachments = append(ev.Move.Attachments, history.Attachment{VN: a.VN, VNI: uint32(a.VNI), MAC: a.MAC.String(), IPs: addrTexts(a.IPs)})
	}
	e.note(ev)
}

// here is this edge as the end that a record is at.
func (e *Edge) here(r *record) End {
	return End{TES: r.key.TES, NVE: e.config.ID, VTEP: e.config.VTEP}
}

// elsewhere is where else the VM of a record is: at another TES of this edge, or behind the edge whose route for one of its MACs wins.
func (e *Edge) elsewhere(r *record) End {
	for st := range stationsOf(r.bindings) {
		if a := st.active(); a != nil && a != r && a.key.VM == r.key.VM {
			return e.here(a)
		}
	}
	for st := range stationsOf(r.bindings) {
		if a := st.active(); (a == nil || a == r) && st.outranked() {
			return st.best.end()
		}
	}
	return End{}
}

// origin is where a VM that a procedure brings was until now: at another TES of this edge, else behind the edge whose route stands.
func (e *Edge) origin(p *procedure) End {
	for st := range stationsOf(p.bindings) {
		if h := st.holder; h != nil && h != p.record && h.key.VM == p.record.key.VM {
			return e.here(h)
		}
	}
	for st := range stationsOf(p.bindings) {
		for _, other := range st.records {
			if other != p.record && other.key.VM == p.record.key.VM && other.alive() && !(other.Outranked && st.best != nil) {
				return e.here(other)
			}
		}
	}
	for st := range stationsOf(p.bindings) {
		if st.best != nil {
			return st.best.end()
		}
	}
	return End{}
}

// end is the edge that a route is of; its NVE-ID is in the RD, where that is of type 1.
func (r *remote) end() End {
	nve, _, _ := r.key.RD.Split()
	return End{NVE: nve, VTEP: r.VTEP}
}

// attachments sorts bindings by (VN, MAC).
func attachments(bs bindings) []Attachment {
	list := make([]Attachment, 0, 1)
	for _, b := range bs {
		i := slices.IndexFunc(list, func(a Attachment) bool { return a.VNI == b.vn.VNI && a.MAC == b.key.MAC })
		if i < 0 {
			i, list = len(list), append(list, Attachment{VN: b.vn.Name, VNI: b.vn.VNI, MAC: b.key.MAC})
		}
		if b.key.IP.IsValid() {
			list[i].IPs = append(list[i].IPs, b.key.IP)
		}
	}
	for _, a := range list {
		slices.SortFunc(a.IPs, netip.Addr.Compare)
	}
	slices.SortFunc(list, func(a, b Attachment) int {
		return compareStations(StationKey{a.VNI, a.MAC}, StationKey{b.VNI, b.MAC})
	})
	return list
}

// endText is an end in words; nil: nothing is known of it.
func endText(n End) *history.End {
	if n == (End{}) {
		return nil
	}
	text := &history.End{VTEP: addrText(n.VTEP)}
	if n.TES != 0 {
		text.TES = n.TES.String()
	}
	if n.NVE != 0 {
		text.NVE = n.NVE.String()
	}
	return text
}

func addrTexts(list []netip.Addr) []string {
	texts := make([]string, len(list))
	for i, a := range list {
		texts[i] = a.String()
	}
	return texts
}
