package control

import (
	"context"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	"google.golang.org/grpc"
)

// Unsupported answers every method with the advice to ask the other daemon. Backends embed it.
type Unsupported struct {
	tnsv1.UnsafeControlServer
	// Daemon is which one this is: TES or NVE.
	Daemon string
}

// refuse is the answer to what this daemon does not serve.
func (u Unsupported) refuse(what string) error {
	other := NVE
	if u.Daemon == NVE {
		other = TES
	}
	return Errorf(ErrUnsupported, "%s: %s does not do this, ask %s", what, u.Daemon, other)
}

func (u Unsupported) Operate(context.Context, *tnsv1.OperateRequest) (*tnsv1.OperateResponse, error) {
	return nil, u.refuse("operate a VM")
}

func (u Unsupported) ListVMs(context.Context, *tnsv1.ListVMsRequest) (*tnsv1.ListVMsResponse, error) {
	return nil, u.refuse("list VMs")
}

func (u Unsupported) GetVM(context.Context, *tnsv1.GetVMRequest) (*tnsv1.GetVMResponse, error) {
	return nil, u.refuse("show a VM")
}

func (u Unsupported) ExplainVM(context.Context, *tnsv1.ExplainVMRequest) (*tnsv1.ExplainVMResponse, error) {
	return nil, u.refuse("explain a VM")
}

func (u Unsupported) ListVNs(context.Context, *tnsv1.ListVNsRequest) (*tnsv1.ListVNsResponse, error) {
	return nil, u.refuse("list VNs")
}

func (u Unsupported) RetagVN(context.Context, *tnsv1.RetagVNRequest) (*tnsv1.RetagVNResponse, error) {
	return nil, u.refuse("change the VID of a VN")
}

func (u Unsupported) ListFDB(context.Context, *tnsv1.ListFDBRequest) (*tnsv1.ListFDBResponse, error) {
	return nil, u.refuse("list the forwarding table")
}

func (u Unsupported) ListSessions(context.Context, *tnsv1.ListSessionsRequest) (*tnsv1.ListSessionsResponse, error) {
	return nil, u.refuse("list sessions")
}

func (u Unsupported) WatchEvents(*tnsv1.WatchEventsRequest, grpc.ServerStreamingServer[tnsv1.Event]) error {
	return u.refuse("watch events")
}

func (u Unsupported) Resync(context.Context, *tnsv1.ResyncRequest) (*tnsv1.ResyncResponse, error) {
	return nil, u.refuse("resync")
}

func (u Unsupported) ListPolicies(context.Context, *tnsv1.ListPoliciesRequest) (*tnsv1.ListPoliciesResponse, error) {
	return nil, u.refuse("list policies")
}

func (u Unsupported) ClearDuplicate(context.Context, *tnsv1.ClearDuplicateRequest) (*tnsv1.ClearDuplicateResponse, error) {
	return nil, u.refuse("clear a duplicate MAC")
}

func (u Unsupported) DrainVN(context.Context, *tnsv1.DrainVNRequest) (*tnsv1.DrainVNResponse, error) {
	return nil, u.refuse("drain a VN")
}

func (u Unsupported) Reload(context.Context, *tnsv1.ReloadRequest) (*tnsv1.ReloadResponse, error) {
	return nil, u.refuse("reload the configuration")
}

func (u Unsupported) Version(context.Context, *tnsv1.VersionRequest) (*tnsv1.VersionResponse, error) {
	return nil, u.refuse("tell the version")
}
