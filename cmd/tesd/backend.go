package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	api "github.com/tns-project/tns/cmd/internal/backend"
	"github.com/tns-project/tns/cmd/internal/bgp"
	"github.com/tns-project/tns/cmd/internal/control"
	"github.com/tns-project/tns/config"
	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/history"
	"github.com/tns-project/tns/lifecycle/tes"
)

// backend answers tesd's control API from the agent's snapshot.
type backend struct {
	control.Unsupported
	config  *config.TES
	agent   *tes.Agent
	speaker *bgp.Speaker
	events  *history.Log
	started time.Time
}

func (b *backend) Version(context.Context, *tnsv1.VersionRequest) (*tnsv1.VersionResponse, error) {
	return api.Version(control.TES, b.config.ID, b.started), nil
}

func (b *backend) ListVMs(context.Context, *tnsv1.ListVMsRequest) (*tnsv1.ListVMsResponse, error) {
	return &tnsv1.ListVMsResponse{Vms: b.vms()}, nil
}

func (b *backend) GetVM(_ context.Context, q *tnsv1.GetVMRequest) (*tnsv1.GetVMResponse, error) {
	id, err := api.VMID(q.Vmid)
	if err != nil {
		return nil, err
	}
	s := b.agent.Snapshot()
	v := s.VM(id)
	if v == nil {
		return nil, api.UnknownVM(id)
	}
	return &tnsv1.GetVMResponse{Vms: []*tnsv1.VM{viewVM(s.TES, v)}}, nil
}

func (b *backend) ExplainVM(_ context.Context, q *tnsv1.ExplainVMRequest) (*tnsv1.ExplainVMResponse, error) {
	id, err := api.VMID(q.Vmid)
	if err != nil {
		return nil, err
	}
	s := b.agent.Snapshot()
	r := &tnsv1.ExplainVMResponse{Events: api.Story(b.events, id.String())}
	if v := s.VM(id); v != nil {
		r.Vms = append(r.Vms, viewVM(s.TES, v))
	}
	if len(r.Vms) == 0 && len(r.Events) == 0 {
		return nil, api.UnknownVM(id)
	}
	return r, nil
}

func (b *backend) ListPolicies(context.Context, *tnsv1.ListPoliciesRequest) (*tnsv1.ListPoliciesResponse, error) {
	return &tnsv1.ListPoliciesResponse{Policies: api.Policies(b.vms())}, nil
}

func (b *backend) ListVNs(context.Context, *tnsv1.ListVNsRequest) (*tnsv1.ListVNsResponse, error) {
	vms, active := map[string]map[string]bool{}, map[string]uint32{}
	for _, v := range b.vms() {
		for _, r := range v.Routes {
			if vms[r.Vn] == nil {
				vms[r.Vn] = map[string]bool{}
			}
			vms[r.Vn][v.Vmid] = true
			if r.Active {
				active[r.Vn]++
			}
		}
	}
	r := &tnsv1.ListVNsResponse{}
	for _, v := range b.config.VNs {
		nve := v.NVE
		if nve == 0 {
			nve = b.config.NVEs[0].NVEID
		}
		r.Networks = append(r.Networks, &tnsv1.Network{
			Name: v.Name, Vni: uint32(v.VNI), Nve: nve.String(), Vms: uint32(len(vms[v.Name])), Active: active[v.Name],
		})
	}
	api.SortNetworks(r.Networks)
	return r, nil
}

func (b *backend) ListSessions(ctx context.Context, _ *tnsv1.ListSessionsRequest) (*tnsv1.ListSessionsResponse, error) {
	sessions, err := api.Sessions(ctx, "nve", b.speaker)
	if err != nil {
		return nil, err
	}
	return &tnsv1.ListSessionsResponse{Sessions: sessions}, nil
}

func (b *backend) WatchEvents(q *tnsv1.WatchEventsRequest, out grpc.ServerStreamingServer[tnsv1.Event]) error {
	return api.WatchEvents(b.events, q, out)
}

func (b *backend) Resync(ctx context.Context, _ *tnsv1.ResyncRequest) (*tnsv1.ResyncResponse, error) {
	if err := b.agent.Resync(ctx); err != nil {
		return nil, err
	}
	own, err := b.speaker.Own()
	if err != nil {
		return nil, err
	}
	return &tnsv1.ResyncResponse{Sent: uint32(len(own))}, nil
}

// vms is all VMs.
func (b *backend) vms() []*tnsv1.VM {
	var vms []*tnsv1.VM
	s := b.agent.Snapshot()
	for _, v := range s.VMs {
		vms = append(vms, viewVM(s.TES, v))
	}
	return vms
}

func viewVM(id evpn.RouterID, v *tes.VM) *tnsv1.VM {
	view := &tnsv1.VM{
		Vmid: v.ID.String(), Tes: id.String(), Nve: v.NVE.String(), State: api.State(v.State), Mark: mark(v), Sequence: v.Sequence,
	}
	if v.Lifetime > 0 {
		view.Lifetime = durationpb.New(v.Lifetime)
	}
	if v.Tag != nil {
		view.Tag = api.Tag(*v.Tag)
		for _, r := range v.Routes {
			if r.Tag != nil {
				view.Tag.Answer = r.TagAnswer
				break
			}
		}
	}
	for _, r := range v.Routes {
		route := &tnsv1.Route{
			Vn: r.VN, Vni: uint32(r.VNI), Mac: r.MAC.String(), Ip: api.Addr(r.IP), Policy: api.Policy(r.Policy), Active: r.Active,
			Reason: api.Reason(r.Reason),
		}
		if r.Tag != nil {
			route.Tag = api.Tag(*r.Tag)
			route.Tag.Answer = r.TagAnswer
		}
		view.Routes = append(view.Routes, route)
	}
	return view
}

// mark is what a TES can say beside the state.
func mark(v *tes.VM) tnsv1.Mark {
	switch {
	case v.Silent:
		return tnsv1.Mark_MARK_NO_ANSWER
	case v.Waiting:
		return tnsv1.Mark_MARK_WAITING
	case v.State == evpn.StateEmigrating && v.Reason == evpn.Duplicate:
		return tnsv1.Mark_MARK_OUTRANKED
	}
	return tnsv1.Mark_MARK_NONE
}

// Operate hands a wish to the agent. That the edge did not answer is a result too.
func (b *backend) Operate(ctx context.Context, q *tnsv1.OperateRequest) (*tnsv1.OperateResponse, error) {
	o, err := operation(q)
	if err != nil {
		return nil, control.Errorf(control.ErrInvalid, "%v", err)
	}
	result, err := b.agent.Do(ctx, o)
	r := &tnsv1.OperateResponse{
		Vmid: result.VM.String(), Op: q.Op, State: api.State(result.State), Sequence: result.Sequence, Elapsed: durationpb.New(result.Elapsed),
	}
	var input *tes.InputError
	switch {
	case errors.As(err, &input) && input.Key == "nic" && len(o.NICs) == 0:
		return nil, control.Errorf(control.ErrRefused, "VM %v is not known here: its network cards are needed, --nic at least once", o.VM)
	case errors.As(err, &input):
		return nil, control.Errorf(control.ErrRefused, "%v", err)
	case errors.Is(err, tes.ErrUnknownVM):
		return nil, api.UnknownVM(o.VM)
	case errors.Is(err, tes.ErrNoSession):
		r.Status, r.Reason = tnsv1.Status_STATUS_NO_SESSION, b.unanswered(err, tes.ErrNoSession, o)
	case errors.Is(err, tes.ErrNoAnswer) && result.Answered && result.Status == evpn.Pending:
		r.Status, r.Reason = tnsv1.Status_STATUS_PENDING, "the NVE is still at work"
	case errors.Is(err, tes.ErrNoAnswer):
		r.Status, r.Reason = tnsv1.Status_STATUS_NO_ANSWER, b.unanswered(err, tes.ErrNoAnswer, o)
	case errors.Is(err, tes.ErrSuperseded):
		r.Status, r.Reason = tnsv1.Status_STATUS_NO_ANSWER, err.Error()
	case err != nil:
		return nil, fmt.Errorf("%s %v: %w", o.Op, o.VM, err)
	case !result.Answered:
		r.Status = tnsv1.Status_STATUS_ACCEPTED
	default:
		r.Status, r.Reason, r.ReasonCode = api.Status(result.Status), api.Reason(result.Reason), uint32(result.Reason)
	}
	return r, nil
}

// unanswered says why an operation has no answer, with the time-out that was asked for: the agent tells the time that it measured, but for a VM
// that it does not know, whose dry run it was.
func (b *backend) unanswered(err, why error, o tes.Operation) string {
	v := b.agent.Snapshot().VM(o.VM)
	if v == nil {
		return err.Error()
	}
	timeout := o.Timeout
	if timeout == 0 {
		timeout = b.config.ResponseTime
	}
	return fmt.Sprintf("%v %v within %v", why, v.NVE, timeout)
}

// operation reads a request.
func operation(q *tnsv1.OperateRequest) (o tes.Operation, err error) {
	o = tes.Operation{
		Op: evpn.Op(q.Op), Immigration: q.Immigration, DryRun: q.DryRun, KeepAlive: q.Op == tnsv1.Op_OP_KEEP_ALIVE, NoWait: q.NoWait,
		Timeout: q.Timeout.AsDuration(),
	}
	if o.KeepAlive {
		o.Op = 0
	}
	if o.VM, err = evpn.ParseVMID(q.Vmid); err != nil {
		return o, err
	}
	for _, n := range q.Nics {
		nic, err := readNIC(n)
		if err != nil {
			return o, err
		}
		o.NICs = append(o.NICs, nic)
	}
	for _, c := range q.Credentials {
		credential, err := readCredential(c)
		if err != nil {
			return o, err
		}
		o.Credentials = append(o.Credentials, credential)
	}
	return o, nil
}

func readNIC(n *tnsv1.NIC) (nic tes.NIC, err error) {
	nic.VN = readVN(n.Vn)
	if nic.MAC, err = evpn.ParseMAC(n.Mac); err != nil {
		return nic, err
	}
	for _, s := range n.Ips {
		ip, err := netip.ParseAddr(s)
		if err != nil {
			return nic, fmt.Errorf("ip %q: want an IPv4 or IPv6 address", s)
		}
		nic.IPs = append(nic.IPs, ip)
	}
	if p := n.Policy; p != nil {
		if p.Id >= 1<<24 || p.Version > 255 {
			return nic, fmt.Errorf("policy %d:%d: want an id of 24 bits and a version of 8", p.Id, p.Version)
		}
		nic.Policy = &evpn.Policy{Type: p.Id, Version: uint8(p.Version), Format: evpn.FormatUUID}
	}
	return nic, nil
}

func readCredential(c *tnsv1.Credential) (credential tes.Credential, err error) {
	if len(c.Tag) != len(credential.Tag) || c.KeyId > 0xffff {
		return credential, fmt.Errorf("credential for %s: want a tag of %d octets and a key id of 16 bits", c.Mac, len(credential.Tag))
	}
	credential = tes.Credential{VN: readVN(c.Vn), KeyID: uint16(c.KeyId), Tag: [16]byte(c.Tag), Expiry: c.Expiry}
	if credential.MAC, err = evpn.ParseMAC(c.Mac); err != nil {
		return credential, err
	}
	if c.Ip != "" {
		if credential.IP, err = netip.ParseAddr(c.Ip); err != nil {
			return credential, fmt.Errorf("ip %q: want an IPv4 or IPv6 address", c.Ip)
		}
	}
	return credential, nil
}

// readVN is a VN as the agent takes it: its name, or its VNI in digits.
func readVN(v *tnsv1.VN) string {
	if v.GetVni() != 0 {
		return fmt.Sprint(v.GetVni())
	}
	return v.GetName()
}
