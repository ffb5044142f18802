// Package manager is a VM manager beside a lab: a client of the daemons' control API, as tnsctl is, without a process for each step.
package manager

import (
	"context"
	"fmt"
	"math"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/durationpb"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	"github.com/tns-project/tns/labs/internal/clab"
)

// Patience is how long it waits for an answer.
const Patience = 15 * time.Second

// window is how many octets of answers may be on their way: fixed, so that no ping goes with each message.
const window = 1 << 20

// Manager is connected to one daemon. Its methods may be called by several goroutines.
type Manager struct {
	node       string
	connection *grpc.ClientConn
	client     tnsv1.ControlClient
}

// New connects to the daemon (tesd or nved) of a node, through the file system that the node has.
func New(l *clab.Lab, node, daemon string) (*Manager, error) {
	connection, err := grpc.NewClient("unix://"+l.Path(node, "/run/tns/"+daemon+".sock"),
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32)),
		grpc.WithStaticStreamWindowSize(window), grpc.WithStaticConnWindowSize(window))
	if err != nil {
		return nil, fmt.Errorf("%s of %s: %w", daemon, node, err)
	}
	return &Manager{node, connection, tnsv1.NewControlClient(connection)}, nil
}

// Close ends the connection.
func (m *Manager) Close() error { return m.connection.Close() }

// Operation is what a manager asks of tesd.
type Operation struct {
	VM          string
	Op          tnsv1.Op
	Immigration bool
	VN, MAC     string // with OP_ASSOCIATE and OP_PRE_ASSOCIATE: the card
}

// Do asks for an operation. What is not a success is an error.
func (m *Manager) Do(ctx context.Context, o Operation) error {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	q := &tnsv1.OperateRequest{Vmid: o.VM, Op: o.Op, Immigration: o.Immigration, Timeout: durationpb.New(Patience)}
	if o.Op == tnsv1.Op_OP_ASSOCIATE || o.Op == tnsv1.Op_OP_PRE_ASSOCIATE {
		q.Nics = []*tnsv1.NIC{{Vn: &tnsv1.VN{Id: &tnsv1.VN_Name{Name: o.VN}}, Mac: o.MAC}}
	}
	r, err := m.client.Operate(ctx, q)
	if err != nil {
		return fmt.Errorf("%s of %s at %s: %w", o.Op, o.VM, m.node, err)
	}
	if r.Status != tnsv1.Status_STATUS_SUCCESS {
		return fmt.Errorf("%s of %s at %s: %v, want success", o.Op, o.VM, m.node, r)
	}
	return nil
}

// Reload has nved take what its configuration is by now. That nothing has changed is an error, too.
func (m *Manager) Reload(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	r, err := m.client.Reload(ctx, &tnsv1.ReloadRequest{})
	if err != nil {
		return fmt.Errorf("reload at %s: %w", m.node, err)
	}
	if !r.Changed {
		return fmt.Errorf("reload at %s: nothing has changed: %v", m.node, r.Problems)
	}
	return nil
}

// Established returns an error unless the daemon has so many sessions that are established, and taken over by its engine.
func (m *Manager) Established(ctx context.Context, count int) error {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	r, err := m.client.ListSessions(ctx, &tnsv1.ListSessionsRequest{})
	if err != nil {
		return fmt.Errorf("sessions of %s: %w", m.node, err)
	}
	up := 0
	var others []string
	for _, s := range r.Sessions {
		if s.State == "established" && (s.Engine == "" || s.Engine == "established") {
			up++
			continue
		}
		others = append(others, fmt.Sprintf("%s is %s, its engine %s: %s", s.Peer, s.State, s.Engine, s.LastFailure))
	}
	if up < count {
		return fmt.Errorf("%d of %d sessions of %s are up: %v", up, count, m.node, others)
	}
	return nil
}
