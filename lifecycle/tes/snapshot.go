package tes

import (
	"net/netip"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/tes/store"
)

// Snapshot is the agent's state for people. It is a value of its own that nobody changes.
type Snapshot struct {
	TES      evpn.RouterID
	VMs      []*VM // by VMID
	Sessions []Session
	Stats    Stats
}

// VM is a VM as seen from its TES.
type VM struct {
	ID          evpn.VMID
	NVE         evpn.RouterID
	Wanted      evpn.Op
	Immigration bool
	Phase       string     // how far the wish is: waiting, asked, again, done, refused
	State       evpn.State // acknowledged
	Sequence    uint32     // of the current request
	Acked       uint32     // acknowledged sequence
	Waiting     bool       // the current request is not answered yet
	Silent      bool       // nor was it in the response time
	Reason      evpn.Reason
	Lifetime    time.Duration // granted by the NVE; 0: none told
	Routes      []Route
	Tag         *evpn.LocalTag // of the first route that has one
}

// Route is one binding of a VM.
type Route struct {
	VN     string
	VNI    evpn.VNI // 0: named by VN-NAME
	MAC    evpn.MAC
	IP     netip.Addr
	Policy *evpn.Policy
	Active bool           // the NVE says that frames are forwarded for it
	Reason evpn.Reason    // of the last response to it
	Tag    *evpn.LocalTag // of its VN and MAC; nil: none is told

	TagAnswer string // what became of the tag: applied, failed, waiting
}

// Session is a BGP peer.
type Session struct {
	Peer     netip.Addr
	NVEs     []evpn.RouterID // heard through it
	Up       bool
	Synced   bool // it has told all that it has
	RouterID evpn.RouterID
	AS       uint32
	Since    time.Time
	Text     string // why it is down
}

// VM finds a VM; nil if it is not known.
func (s *Snapshot) VM(id evpn.VMID) *VM {
	for _, v := range s.VMs {
		if v.ID == id {
			return v
		}
	}
	return nil
}

// snapshot builds what is published. Only VMs that changed are built again.
func (c *core) snapshot() *Snapshot {
	c.stale = false
	s := &Snapshot{TES: c.cfg.ID, VMs: make([]*VM, 0, len(c.order)), Stats: c.stats}
	for _, v := range c.order {
		if v.view == nil {
			v.view = c.view(v)
		}
		s.VMs = append(s.VMs, v.view)
	}
	for _, n := range c.cfg.NVEs {
		s.addSession(n, c.peers[n.Address])
	}
	return s
}

func (s *Snapshot) addSession(n NVE, p *peer) {
	for i := range s.Sessions {
		if s.Sessions[i].Peer == n.Address {
			s.Sessions[i].NVEs = append(s.Sessions[i].NVEs, n.ID)
			return
		}
	}
	session := Session{Peer: n.Address, NVEs: []evpn.RouterID{n.ID}}
	if p != nil {
		session.Up, session.Synced, session.RouterID, session.AS, session.Since, session.Text = p.up, p.synced, p.routerID, p.as, p.since, p.text
	}
	s.Sessions = append(s.Sessions, session)
}

func (c *core) view(v *vm) *VM {
	view := &VM{
		ID: v.ID, NVE: v.NVE, Wanted: v.Wish.Op, Immigration: v.Wish.Immigration, Phase: v.Wish.Phase.String(),
		State: v.Acked.State, Sequence: v.Request.Sequence, Acked: v.Acked.Sequence, Waiting: !v.Answer.Answered, Silent: v.silent,
		Reason: v.Answer.Told, Lifetime: time.Duration(v.Answer.Lifetime) * time.Second,
	}
	for _, r := range v.Current() {
		route := Route{VN: r.VN, VNI: r.VNI, MAC: r.MAC, IP: r.IP, Policy: r.Policy}
		route.Tag, route.TagAnswer = tagOf(v.Tags, r.VN, r.MAC)
		if said := c.responseTo(v.ID, v.NVE, r, false); said != nil {
			route.Reason = said.said.Reason
		}
		route.Active = v.Acked.State == evpn.StateAssociated && isAcked(v.VM, r.Binding)
		if view.Tag == nil {
			view.Tag = route.Tag
		}
		view.Routes = append(view.Routes, route)
	}
	return view
}

func isAcked(v store.VM, b store.Binding) bool {
	for _, acked := range v.Acked.Bindings {
		if sameNLRI(acked, b) {
			return true
		}
	}
	return false
}

// tagOf is the tag of a MAC in a VN, and what became of it.
func tagOf(tags []store.Tag, vn string, mac evpn.MAC) (tag *evpn.LocalTag, answer string) {
	for _, t := range tags {
		if t.VN != vn || t.MAC != mac {
			continue
		}
		switch {
		case t.Applied:
			answer = "applied"
		case t.Echo != nil && t.Echo.Failed && t.Echo.Change == t.Change, t.Change == 0:
			answer = "failed"
		default:
			answer = "waiting"
		}
		return &t.LocalTag, answer
	}
	return nil, ""
}
