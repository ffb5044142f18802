package main

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	api "github.com/tns-project/tns/cmd/internal/backend"
	"github.com/tns-project/tns/cmd/internal/bgp"
	"github.com/tns-project/tns/cmd/internal/control"
	"github.com/tns-project/tns/config"
	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/history"
	"github.com/tns-project/tns/lifecycle/nve"
	"github.com/tns-project/tns/lifecycle/nve/hook"
	"github.com/tns-project/tns/lifecycle/nve/store"
)

// backend answers nved's control API from the edge's snapshot and the forwarding table.
type backend struct {
	control.Unsupported
	config      *config.NVE
	edge        *nve.Edge
	table       *dataplane.Reconciler
	state       *store.Store
	hooks       *hook.Poster
	tes, fabric *bgp.Speaker
	events      *history.Log
	started     time.Time

	reload func(context.Context, supervisorQuestion) (outcome, error) // asks the supervisor
}

func (b *backend) Version(context.Context, *tnsv1.VersionRequest) (*tnsv1.VersionResponse, error) {
	return api.Version(control.NVE, b.config.ID, b.started), nil
}

func (b *backend) ListVMs(ctx context.Context, _ *tnsv1.ListVMsRequest) (*tnsv1.ListVMsResponse, error) {
	vms, err := b.vms(ctx, nil)
	return &tnsv1.ListVMsResponse{Vms: vms}, err
}

func (b *backend) GetVM(ctx context.Context, q *tnsv1.GetVMRequest) (*tnsv1.GetVMResponse, error) {
	id, err := api.VMID(q.Vmid)
	if err != nil {
		return nil, err
	}
	vms, err := b.vms(ctx, &id)
	if err == nil && len(vms) == 0 {
		err = api.UnknownVM(id)
	}
	return &tnsv1.GetVMResponse{Vms: vms}, err
}

func (b *backend) ExplainVM(ctx context.Context, q *tnsv1.ExplainVMRequest) (*tnsv1.ExplainVMResponse, error) {
	id, err := api.VMID(q.Vmid)
	if err != nil {
		return nil, err
	}
	vms, err := b.vms(ctx, &id)
	events := api.Story(b.events, id.String())
	if err == nil && len(vms) == 0 && len(events) == 0 {
		err = api.UnknownVM(id)
	}
	return &tnsv1.ExplainVMResponse{Vms: vms, Events: events}, err
}

func (b *backend) ListSessions(ctx context.Context, _ *tnsv1.ListSessionsRequest) (*tnsv1.ListSessionsResponse, error) {
	r := &tnsv1.ListSessionsResponse{}
	for _, p := range b.planes() {
		sessions, err := api.Sessions(ctx, p.name, p.speaker)
		if err != nil {
			return nil, err
		}
		r.Sessions = append(r.Sessions, sessions...)
	}
	return r, nil
}

func (b *backend) WatchEvents(q *tnsv1.WatchEventsRequest, out grpc.ServerStreamingServer[tnsv1.Event]) error {
	return api.WatchEvents(b.events, q, out)
}

func (b *backend) Resync(ctx context.Context, _ *tnsv1.ResyncRequest) (*tnsv1.ResyncResponse, error) {
	set, removed, err := b.table.Resync(ctx)
	return &tnsv1.ResyncResponse{Set: uint32(set), Removed: uint32(removed)}, err
}

// plane is one of the two speakers.
type plane struct {
	name    string
	speaker *bgp.Speaker
}

func (b *backend) planes() []plane { return []plane{{"fabric", b.fabric}, {"tes", b.tes}} }

// vms is the records, of one VM or all.
func (b *backend) vms(ctx context.Context, only *evpn.VMID) ([]*tnsv1.VM, error) {
	s, err := b.edge.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	var vms []*tnsv1.VM
	for _, v := range s.VMs {
		if only == nil || v.VM == *only {
			vms = append(vms, viewVM(b.config.ID, v))
		}
	}
	return vms, nil
}

func viewVM(id evpn.RouterID, v nve.VMView) *tnsv1.VM {
	view := &tnsv1.VM{
		Vmid: v.VM.String(), Tes: v.TES.String(), Server: v.Server, Nve: id.String(), State: api.State(v.State), Mark: mark(v), Sequence: v.Sequence,
	}
	if v.Lifetime > 0 {
		view.Lifetime = durationpb.New(v.Lifetime)
	}
	if v.State != evpn.StateNull && v.State != evpn.StateTerminated {
		view.Tag = api.Tag(v.Tag)
		for _, r := range v.Routes {
			if r.Tag != nil {
				view.Tag = tagOf(r.Tag)
				break
			}
		}
	}
	for _, r := range v.Routes {
		view.Routes = append(view.Routes, &tnsv1.Route{
			Tag: tagOf(r.Tag),
			Vn:  r.VN, Vni: uint32(r.VNI), Mac: r.MAC.String(), Ip: api.Addr(r.IP), Policy: api.Policy(r.Policy), Active: r.Active,
			Reason: api.Reason(r.Reason), Enforced: r.Enforced,
		})
	}
	return view
}

// mark is what an edge can say beside the state; that a record is orphaned matters more than why it was outranked.
func mark(v nve.VMView) tnsv1.Mark {
	switch {
	case v.Orphaned:
		return tnsv1.Mark_MARK_ORPHANED
	case v.State == evpn.StateEmigrating && v.Reason == evpn.Duplicate:
		return tnsv1.Mark_MARK_OUTRANKED
	}
	return tnsv1.Mark_MARK_NONE
}
