package nve

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle"
	"github.com/tns-project/tns/lifecycle/quota"
)

// Snapshot is what people and the control API see: a copy, sorted.
type Snapshot struct {
	VMs   []VMView
	VNs   []VNView
	FDB   []StationView
	TESs  []TESView
	Used  []quota.Usage // what is reserved
	Ready bool          // requests are answered; stale entries may still wait for End-of-RIB
}

// VMView is one record.
type VMView struct {
	VM       evpn.VMID
	TES      evpn.RouterID // the NVE-ID of a server
	Server   string        // its name; empty: it is a VM
	State    evpn.State
	Before   evpn.State // Emigrating: the state before
	Orphaned bool
	Reason   evpn.Reason // 14 when outranked or taken over
	Sequence uint32
	Lifetime time.Duration // left; 0 = none runs
	Since    time.Time
	Tag      evpn.LocalTag // of its first (VN, MAC)
	Routes   []RouteView
}

// RouteView is one binding of a record.
type RouteView struct {
	VN       string
	VNI      evpn.VNI
	MAC      evpn.MAC
	IP       netip.Addr
	Policy   *evpn.Policy
	Enforced string // what the kernel has for the MAC, for people: "profile web (5), in force", or prepared
	Port     string
	Active   bool
	Reason   evpn.Reason // of the last answer
	Tag      *Told       // what it was told; nil: nothing yet
}

// VNView is one VN.
type VNView struct {
	Name    string
	VNI     evpn.VNI
	Members int // records that hold it
	Active  int // MACs active here
	Remote  int // MACs of other edges
	Flood   []netip.Addr
	Ports   []Port
	Tags    []TagView

	Draining bool // it takes nobody new
}

// StationView is a (VN, MAC) as the edge sees it.
type StationView struct {
	VN         string
	VNI        evpn.VNI
	MAC        evpn.MAC
	IPs        []netip.Addr
	Port       string     // local
	VTEP       netip.Addr // remote
	Sequence   uint32
	Advertised bool
	Sticky     bool
	Duplicate  bool
	VM         *VMKey // the active record
}

// TESView is one TES.
type TESView struct {
	ID         evpn.RouterID
	Peer       netip.Addr
	Alive      bool
	LastBeacon time.Time
	Requests   int
}

// Snapshot asks the loop for a copy of what it knows.
func (e *Edge) Snapshot(ctx context.Context) (*Snapshot, error) {
	s := &Snapshot{}
	if err := e.ask(ctx, func() { e.fill(s) }); err != nil {
		return nil, err
	}
	return s, nil
}

// ClearDuplicate ends the block of a duplicate MAC by hand; found is false when it was none.
func (e *Edge) ClearDuplicate(ctx context.Context, vni evpn.VNI, mac evpn.MAC) (found bool, err error) {
	err = e.ask(ctx, func() {
		if st := e.stations[StationKey{vni, mac}]; st != nil && st.duplicate {
			found = true
			e.recover(st)
		}
	})
	return found, err
}

func (e *Edge) fill(s *Snapshot) {
	s.Ready, s.Used = e.fabricDone, e.ledger.Usage()
	for _, r := range e.records {
		if r.State != lifecycle.Null {
			s.VMs = append(s.VMs, e.viewVM(r))
		}
	}
	slices.SortFunc(s.VMs, func(a, b VMView) int { return compareVMKeys(VMKey{a.VM, a.TES}, VMKey{b.VM, b.TES}) })
	for _, v := range e.vns {
		view := VNView{Name: v.Name, VNI: v.VNI, Members: len(v.members), Ports: v.Ports, Draining: e.draining(v)}
		for vtep, f := range v.floods {
			if e.floods(f) {
				view.Flood = append(view.Flood, vtep)
			}
		}
		slices.SortFunc(view.Flood, netip.Addr.Compare)
		for _, st := range v.stations {
			if st.active() != nil {
				view.Active++
			} else if st.best != nil {
				view.Remote++
			}
		}
		view.Tags = e.viewTags(v)
		s.VNs = append(s.VNs, view)
	}
	slices.SortFunc(s.VNs, func(a, b VNView) int { return cmp.Compare(a.VNI, b.VNI) })
	for _, st := range e.stations {
		if st.active() != nil || st.best != nil || st.duplicate || len(st.advertised) > 0 {
			s.FDB = append(s.FDB, e.viewStation(st))
		}
	}
	slices.SortFunc(s.FDB, func(a, b StationView) int {
		return compareStations(StationKey{a.VNI, a.MAC}, StationKey{b.VNI, b.MAC})
	})
	for _, t := range e.tess {
		view := TESView{ID: t.id, Peer: t.speaker, Requests: t.offers}
		if t.beacon != nil {
			view.LastBeacon, view.Alive = t.beacon.at, !t.beacon.isOverdue
		}
		s.TESs = append(s.TESs, view)
	}
	slices.SortFunc(s.TESs, func(a, b TESView) int { return cmp.Compare(a.ID, b.ID) })
}

func (e *Edge) viewVM(r *record) VMView {
	view := VMView{VM: r.key.VM, TES: r.key.TES, Server: e.serverName(r), State: wireState(r.State), Orphaned: r.Orphaned, Reason: r.reason, Sequence: r.sequence, Since: r.since}
	switch r.State {
	case lifecycle.EmigratingPreAssociated:
		view.Before = evpn.StatePreAssociated
	case lifecycle.EmigratingAssociated:
		view.Before = evpn.StateAssociated
	case lifecycle.EmigratingSuspended:
		view.Before = evpn.StateSuspended
	}
	if d := e.lifetimeOf(r); d > 0 {
		view.Lifetime = max(e.freshest(r).Add(d).Sub(e.now), 0)
	}
	for _, b := range r.bindings {
		route := RouteView{VN: b.vn.Name, VNI: b.vn.VNI, MAC: b.key.MAC, IP: b.key.IP, Policy: b.policy, Port: b.vn.portOf(r.key.TES, b.key.MAC), Reason: r.reason}
		if o := r.offers.get(b.key); o != nil && o.told {
			route.Reason = o.stands.reason
		}
		if st := b.vn.stations[b.key.MAC]; st != nil {
			route.Active = st.active() == r
			route.Enforced = e.enforcedText(r, st)
		}
		if told, ok := e.memory.Told[r.key].Get(b.station()); ok {
			route.Tag = &told
		}
		view.Routes = append(view.Routes, route)
	}
	slices.SortFunc(view.Routes, func(a, b RouteView) int {
		return cmp.Or(compareStations(StationKey{a.VNI, a.MAC}, StationKey{b.VNI, b.MAC}), a.IP.Compare(b.IP))
	})
	for _, route := range view.Routes {
		if route.Tag != nil {
			view.Tag = route.Tag.LocalTag
			break
		}
	}
	return view
}

func (e *Edge) viewStation(st *station) StationView {
	v := StationView{VN: st.vn.Name, VNI: st.key.VNI, MAC: st.key.MAC, Sequence: st.own, Advertised: len(st.advertised) > 0, Duplicate: st.duplicate}
	ips := map[netip.Addr]struct{}{}
	switch {
	case st.active() != nil:
		v.Port = st.local()
		v.VM = &VMKey{st.active().key.VM, st.active().key.TES}
		for _, ip := range st.advertised {
			ips[ip] = struct{}{}
		}
	case st.best != nil:
		v.VTEP, v.Sequence, v.Sticky = st.best.VTEP, st.best.Sequence, st.best.Sticky
		for _, r := range st.remotes {
			if !e.overruled(r.from, r.key.RD) {
				ips[r.key.IP] = struct{}{}
			}
		}
	}
	for ip := range ips {
		if ip.IsValid() {
			v.IPs = append(v.IPs, ip)
		}
	}
	slices.SortFunc(v.IPs, netip.Addr.Compare)
	return v
}
