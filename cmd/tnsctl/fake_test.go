package main

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	"github.com/tns-project/tns/cmd/internal/control"
)

// fake is a backend with a story: a VM that is associated, and one that comes over from another edge. What an operation ends in depends on
// the last digit of the VM's UUID.
type fake struct {
	control.Unsupported
}

const (
	firstVM  = "6f1c2b3a-4d5e-4f60-8192-0a1b2c3d4e5f"
	secondVM = "b5e0ff2e-0000-4000-8000-000000000002"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func (fake) Operate(ctx context.Context, q *tnsv1.OperateRequest) (*tnsv1.OperateResponse, error) {
	r := &tnsv1.OperateResponse{
		Vmid: q.Vmid, Op: q.Op, Status: tnsv1.Status_STATUS_SUCCESS, State: tnsv1.State_STATE_ASSOCIATED, Sequence: 1767355200,
		Elapsed: durationpb.New(12345 * time.Microsecond),
	}
	if len(q.Nics) == 0 && (q.Op == tnsv1.Op_OP_ASSOCIATE || q.Op == tnsv1.Op_OP_PRE_ASSOCIATE) && q.Vmid != firstVM && q.Vmid != secondVM {
		return nil, control.Errorf(control.ErrRefused, "VM %s is not known here: its network cards are needed, --nic at least once", q.Vmid)
	}
	if q.NoWait {
		r.Status = tnsv1.Status_STATUS_ACCEPTED
	}
	switch q.Vmid[len(q.Vmid)-1] {
	case '1':
		r.Status, r.State, r.Reason, r.ReasonCode = tnsv1.Status_STATUS_FAIL, tnsv1.State_STATE_NULL, "duplicate VM, MAC or IP", 14
	case '2':
		r.Status, r.Reason, r.ReasonCode = tnsv1.Status_STATUS_FAIL_KEPT, "wrong state", 9
	case '3':
		r.Status, r.State, r.Elapsed, r.Reason = tnsv1.Status_STATUS_NO_ANSWER, tnsv1.State_STATE_NULL, q.Timeout, "no answer from the NVE"
	case '4':
		r.Status, r.State, r.Reason = tnsv1.Status_STATUS_NO_SESSION, tnsv1.State_STATE_NULL, "no session to the NVE"
	case '5':
		r.Status, r.State = tnsv1.Status_STATUS_PENDING, tnsv1.State_STATE_NULL
	case '6':
		<-ctx.Done()
		return nil, ctx.Err()
	case '7':
		return nil, control.Errorf(control.ErrFailed, "VM %s: write it to disk: no space left on device", q.Vmid)
	case '8':
		return nil, control.Errorf(control.ErrInvalid, "VM %s: VN %q is not configured", q.Vmid, q.Nics[0].Vn.GetName())
	case '9':
		// says what arrived, so that a script sees that all flags do
		r.Reason = arrived(q)
	}
	return r, nil
}

// arrived is a request in one line.
func arrived(q *tnsv1.OperateRequest) string {
	s := ""
	for _, n := range q.Nics {
		s += words(vnWords(n.Vn.GetName(), n.Vn.GetVni()), n.Mac, join(n.Ips), policyWords(n.Policy)) + "; "
	}
	for _, c := range q.Credentials {
		s += words("credential", vnWords(c.Vn.GetName(), c.Vn.GetVni()), c.Mac, c.Ip) + "; "
	}
	return s + words("immigration", yes(q.Immigration), "dry-run", yes(q.DryRun), "timeout", q.Timeout.AsDuration().String())
}

func (fake) vms() []*tnsv1.VM {
	return []*tnsv1.VM{
		{
			Vmid: firstVM, Tes: "198.51.100.11", Nve: "192.0.2.1", State: tnsv1.State_STATE_ASSOCIATED, Sequence: 1767355200,
			Lifetime: durationpb.New(287 * time.Second), Tag: &tnsv1.Tag{},
			Routes: []*tnsv1.Route{
				{Vn: "blue", Vni: 10100, Mac: "02:00:00:00:00:01", Active: true, Policy: &tnsv1.Policy{Id: 17, Version: 3}, Enforced: "profile web (17:3), in force"},
				{Vn: "blue", Vni: 10100, Mac: "02:00:00:00:00:01", Ip: "10.1.0.1", Active: true, Policy: &tnsv1.Policy{Id: 17, Version: 3}, Enforced: "profile web (17:3), in force"},
			},
		},
		{
			Vmid: secondVM, Tes: "198.51.100.11", Nve: "192.0.2.1", State: tnsv1.State_STATE_EMIGRATING, Mark: tnsv1.Mark_MARK_OUTRANKED, Sequence: 7,
			Tag:    &tnsv1.Tag{Type: 1, Vid: 100, Pcp: 3},
			Routes: []*tnsv1.Route{{Vn: "blue", Vni: 10100, Mac: "02:00:00:00:00:02", Reason: "duplicate VM, MAC or IP"}},
		},
		{
			Vmid: secondVM, Tes: "198.51.100.12", Nve: "192.0.2.1", State: tnsv1.State_STATE_PRE_ASSOCIATED, Sequence: 9,
			Lifetime: durationpb.New(time.Minute), Tag: &tnsv1.Tag{},
			Routes: []*tnsv1.Route{{Vn: "blue", Vni: 10100, Mac: "02:00:00:00:00:02"}},
		},
	}
}

func (f fake) DrainVN(_ context.Context, q *tnsv1.DrainVNRequest) (*tnsv1.DrainVNResponse, error) {
	switch {
	case q.Vn.GetName() == "blue":
		return &tnsv1.DrainVNResponse{Vn: "blue", Vni: 10100, Draining: !q.Undo, Left: f.vms()}, nil
	case q.Vn.GetVni() == 10200:
		return &tnsv1.DrainVNResponse{Vn: "red", Vni: 10200, Draining: !q.Undo}, nil
	}
	return nil, control.Errorf(control.ErrNotFound, "VN %q is not configured here", q.Vn.GetName())
}

// reloads is an nved that is replaced when it reloads: what it says to one question after the other.
type reloads struct {
	fake
	says *[]any // a response, or an error
}

func (f reloads) Reload(context.Context, *tnsv1.ReloadRequest) (*tnsv1.ReloadResponse, error) {
	next := (*f.says)[0]
	if len(*f.says) > 1 {
		*f.says = (*f.says)[1:]
	}
	if err, ok := next.(error); ok {
		return nil, err
	}
	return next.(*tnsv1.ReloadResponse), nil
}

// whatReloads is what the daemons of the scripts say, by the variable that has their address.
func whatReloads() map[string][]any {
	before := &tnsv1.ReloadResponse{Number: 4, Changed: true, Elapsed: durationpb.New(time.Second)}
	gone := control.Errorf(control.ErrNoDaemon, "the transport is closing")
	return map[string][]any{
		"RELOADED": {before, gone, gone, &tnsv1.ReloadResponse{Number: 5, Running: true}, &tnsv1.ReloadResponse{Number: 5, Changed: true, Elapsed: durationpb.New(120 * time.Millisecond)}},
		"SAME":     {before, &tnsv1.ReloadResponse{Number: 5}},
		"REFUSED":  {before, &tnsv1.ReloadResponse{Number: 5, Problems: []string{"nved.yaml: as: cannot change", "VN blue (10100) cannot be deleted while VMs are in it: " + firstVM}}},
		"REVERTED": {before, gone, &tnsv1.ReloadResponse{Number: 5, Problems: []string{"the engine did not start with it"}}},
		"CRASHED":  {before, gone, before},
	}
}

func (f fake) ListVMs(context.Context, *tnsv1.ListVMsRequest) (*tnsv1.ListVMsResponse, error) {
	return &tnsv1.ListVMsResponse{Vms: f.vms()}, nil
}

func (f fake) GetVM(_ context.Context, q *tnsv1.GetVMRequest) (*tnsv1.GetVMResponse, error) {
	r := &tnsv1.GetVMResponse{}
	for _, v := range f.vms() {
		if v.Vmid == q.Vmid {
			r.Vms = append(r.Vms, v)
		}
	}
	if len(r.Vms) == 0 {
		return nil, control.Errorf(control.ErrNotFound, "VM %s is not known here", q.Vmid)
	}
	return r, nil
}

func (fake) events() []*tnsv1.Event {
	return []*tnsv1.Event{
		{Number: 1, At: timestamppb.New(noon), Kind: "session", Peer: "198.51.100.11", Detail: "up"},
		{Number: 2, At: timestamppb.New(noon.Add(time.Millisecond)), Kind: "request", Vmid: firstVM, Tes: "198.51.100.11", Vn: "blue", Vni: 10100,
			Mac: "02:00:00:00:00:01", Ip: "10.1.0.1", Op: "associate", State: "null", Sequence: 1767355200},
		{Number: 3, At: timestamppb.New(noon.Add(4 * time.Millisecond)), Kind: "fdb", Vmid: firstVM, Vn: "blue", Vni: 10100, Mac: "02:00:00:00:00:01",
			Detail: "installed on eth1"},
		{Number: 4, At: timestamppb.New(noon.Add(5 * time.Millisecond)), Kind: "response", Vmid: firstVM, Tes: "198.51.100.11", Status: "success",
			State: "associated", Sequence: 1767355200},
		{Number: 5, At: timestamppb.New(noon.Add(6 * time.Millisecond)), Kind: "move", Vmid: firstVM, Tes: "198.51.100.11", Op: "immigration", Status: "success",
			State: "associated", Sequence: 1767355200, Move: &tnsv1.Move{
				Id: "356cbe4c-5772-8029-9c42-a8459f5761fb", Outcome: "completed",
				From:        &tnsv1.Move_End{Nve: "192.0.2.2", Vtep: "192.0.2.102"},
				To:          &tnsv1.Move_End{Tes: "198.51.100.11", Nve: "192.0.2.1", Vtep: "192.0.2.1"},
				Attachments: []*tnsv1.Move_Attachment{{Vn: "blue", Vni: 10100, Mac: "02:00:00:00:00:01", Ips: []string{"10.1.0.1"}}, {Vn: "red", Vni: 10200, Mac: "02:00:00:00:00:01"}},
			}},
	}
}

func (f fake) ExplainVM(ctx context.Context, q *tnsv1.ExplainVMRequest) (*tnsv1.ExplainVMResponse, error) {
	got, err := f.GetVM(ctx, &tnsv1.GetVMRequest{Vmid: q.Vmid})
	if err != nil {
		return nil, err
	}
	r := &tnsv1.ExplainVMResponse{Vms: got.Vms}
	for _, e := range f.events() {
		if e.Vmid == q.Vmid {
			r.Events = append(r.Events, e)
		}
	}
	return r, nil
}

// WatchEvents ends also when it is asked to follow, as a daemon that stops does.
func (f fake) WatchEvents(q *tnsv1.WatchEventsRequest, out grpc.ServerStreamingServer[tnsv1.Event]) error {
	for _, e := range f.events() {
		if q.Vmid != "" && e.Vmid != q.Vmid {
			continue
		}
		if err := out.Send(e); err != nil {
			return err
		}
	}
	return nil
}

func (fake) ListVNs(context.Context, *tnsv1.ListVNsRequest) (*tnsv1.ListVNsResponse, error) {
	return &tnsv1.ListVNsResponse{Networks: []*tnsv1.Network{
		{
			Name: "blue", Vni: 10100, Nve: "192.0.2.1", Bridge: "tnsbr10100", Vxlan: "tnsvx10100", Ports: []string{"eth1", "eth2"}, Imports: []string{"65000:10100"},
			Exports: []string{"65000:10100"}, FloodList: []string{"192.0.2.2", "192.0.2.3"}, Vms: 2, Active: 1,
			Tenant: "acme", Draining: true, Reservations: []*tnsv1.Reservation{
				{Resource: "vms", Used: 2, Limit: 10}, {Resource: "vms", Tes: "198.51.100.11", Used: 2}, {Resource: "macs", Tenant: "acme", Used: 3, Limit: 4},
				{Resource: "macs", Used: 3},
			},
			Tags: []*tnsv1.NetworkTag{
				{Segment: "eth1", Ports: []string{"eth1"}, Vid: 100, Sent: 100, Applied: 2},
				{Segment: "rack7", Ports: []string{"eth2"}, Vid: 200, Sent: 100, Also: 200, Next: 300, Changing: true, Applied: 1, Waiting: 1, Failed: 1},
			},
		},
		{Name: "red", Vni: 10200, Nve: "192.0.2.1", Bridge: "tnsbr10200", Vxlan: "tnsvx10200"},
	}}, nil
}

func (fake) RetagVN(_ context.Context, q *tnsv1.RetagVNRequest) (*tnsv1.RetagVNResponse, error) {
	if q.Vn.GetName() != "blue" && q.Vn.GetVni() != 10100 {
		return nil, control.Errorf(control.ErrNotFound, "change the VID of VN 10200 on %s: frames of the VN bear no VID there", q.Port)
	}
	if q.Vid == 0 {
		q.Vid = 101
	}
	return &tnsv1.RetagVNResponse{Tag: &tnsv1.NetworkTag{Segment: q.Port, Ports: []string{q.Port}, Vid: q.Vid, Sent: 100, Also: q.Vid, Changing: true, Waiting: 2}}, nil
}

func (fake) ListFDB(_ context.Context, q *tnsv1.ListFDBRequest) (*tnsv1.ListFDBResponse, error) {
	if q.Vn.GetName() == "red" || q.Vn.GetVni() == 10200 {
		return &tnsv1.ListFDBResponse{}, nil
	}
	installed := tnsv1.FDBEntry_STATE_INSTALLED
	return &tnsv1.ListFDBResponse{Entries: []*tnsv1.FDBEntry{
		{Vn: "blue", Vni: 10100, Kind: tnsv1.FDBEntry_KIND_LOCAL, Mac: "02:00:00:00:00:01", Port: "eth1", State: installed},
		{Vn: "blue", Vni: 10100, Kind: tnsv1.FDBEntry_KIND_REMOTE, Mac: "02:00:00:00:00:03", Vtep: "192.0.2.2", State: tnsv1.FDBEntry_STATE_FAILED,
			Error: "no space left on device"},
		{Vn: "blue", Vni: 10100, Kind: tnsv1.FDBEntry_KIND_REMOTE, Mac: "02:00:00:00:00:04", State: tnsv1.FDBEntry_STATE_DUPLICATE},
		{Vn: "blue", Vni: 10100, Kind: tnsv1.FDBEntry_KIND_FLOOD, Vtep: "192.0.2.2", State: installed},
		{Vn: "blue", Vni: 10100, Kind: tnsv1.FDBEntry_KIND_NEIGHBOR, Mac: "02:00:00:00:00:03", Ip: "10.1.0.3", State: tnsv1.FDBEntry_STATE_PENDING},
		{Vn: "blue", Vni: 10100, Kind: tnsv1.FDBEntry_KIND_PORT, Port: "eth1", Open: true, Drops: 12, State: installed},
	}}, nil
}

func (fake) ListSessions(context.Context, *tnsv1.ListSessionsRequest) (*tnsv1.ListSessionsResponse, error) {
	return &tnsv1.ListSessionsResponse{Sessions: []*tnsv1.Session{
		{
			Plane: "fabric", Peer: "192.0.2.254", LocalAddress: "192.0.2.1", As: 65000, RouterId: "192.0.2.254", State: "established",
			Since: timestamppb.New(noon), Age: durationpb.New(51*time.Hour + 59*time.Second), HoldTime: durationpb.New(90 * time.Second),
			MessagesReceived: 6131, MessagesSent: 6126, Received: 12, Sent: 7, Routes: 5, RoutesSent: 3, Waiting: 1,
			Filtered: 3, Refused: 2, Refusals: map[string]uint64{"EVPN route type 9": 2, "AIGP": 1}, Sessions: 2,
			Engine: "established", EngineSince: timestamppb.New(noon.Add(50 * time.Hour)), EngineRestarts: 4, Renewing: true, Description: "spine 1",
		},
		{
			Plane: "tes", Peer: "192.0.2.254", LocalAddress: "192.0.2.10", As: 65000, RouterId: "192.0.2.254", State: "established",
			Since: timestamppb.New(noon), Age: durationpb.New(51*time.Hour + 59*time.Second), HoldTime: durationpb.New(90 * time.Second),
			MessagesReceived: 6122, MessagesSent: 6121, Received: 3, Sent: 2, Routes: 2, RoutesSent: 2, Sessions: 1, Engine: "established",
			EngineSince: timestamppb.New(noon),
		},
		{
			Plane: "tes", Peer: "198.51.100.11", As: 65000, State: "active", Dynamic: true, Description: "rack 3", Sessions: 1, Engine: "idle",
			LastFailure: "the hold time ran out",
		},
		// of a daemon that is older than the guard
		{Plane: "tes", Peer: "2001:db8:100:200::11", As: 4200000000, State: "connect", Since: timestamppb.New(noon)},
	}}, nil
}

func (fake) ListPolicies(context.Context, *tnsv1.ListPoliciesRequest) (*tnsv1.ListPoliciesResponse, error) {
	policy := &tnsv1.Policy{Id: 17, Version: 3}
	return &tnsv1.ListPoliciesResponse{
		Policies: []*tnsv1.PolicyUse{{
			Policy: policy, Vmid: firstVM, Tes: "198.51.100.11", Vn: "blue", Vni: 10100, Mac: "02:00:00:00:00:01", Active: true,
		}},
		Profiles: []*tnsv1.PolicyProfile{
			{
				Policy: policy, Name: "web", Vns: []string{"blue", "red"}, Rules: 2, RateFromVm: 100e6, RateToVm: 1500e3, Guaranteed: 10e6, Dscp: proto.Uint32(10), Pcp: proto.Uint32(0),
				Macs: 2, Active: 1,
			},
			{Policy: &tnsv1.Policy{Id: 18}, Name: "mail", Conflicts: []string{"VN blue: it allows what is denied", "VN red: pcp 5 is above 3"}},
		},
		Rules: []*tnsv1.PolicyRule{
			{Vn: "blue", Vni: 10100, Name: "no-mail", Action: "deny", Match: "protocol tcp destination_ports 25", Of: "VN blue"},
			{Policy: policy, Vn: "blue", Vni: 10100, Name: "no-mail", Action: "deny", Match: "protocol tcp destination_ports 25", Of: "VN blue", Frames: 3, Octets: 222},
			{Policy: policy, Vn: "blue", Vni: 10100, ToVm: true, Name: "default", Action: "deny", Match: "any", Of: "profile web (17:3)", Frames: 12345, Octets: 9876543210},
		},
	}, nil
}

func (fake) Resync(context.Context, *tnsv1.ResyncRequest) (*tnsv1.ResyncResponse, error) {
	return &tnsv1.ResyncResponse{Set: 2, Removed: 1}, nil
}

func (fake) ClearDuplicate(_ context.Context, q *tnsv1.ClearDuplicateRequest) (*tnsv1.ClearDuplicateResponse, error) {
	return &tnsv1.ClearDuplicateResponse{Cleared: q.Mac == "02:00:00:00:00:04"}, nil
}

func (fake) Version(context.Context, *tnsv1.VersionRequest) (*tnsv1.VersionResponse, error) {
	return &tnsv1.VersionResponse{Daemon: "nved", Id: "192.0.2.1", Version: "v1.2.3", GoVersion: "go1.26", Started: timestamppb.New(noon)}, nil
}
