package labs_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/durationpb"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	"github.com/tns-project/tns/labs/internal/fdb"
)

// rounds of the measured migration: there and back again.
const rounds = 10

// TestMigrationMeasured moves a silent VM between two edges under a probe a millisecond, as a VM manager would: prepare
// the target, let go at the source, take over at the target. It prints what the move cost with FRR's reflector, which
// holds each best path for 50 ms, and with one that does not.
func TestMigrationMeasured(t *testing.T) {
	for _, c := range []struct{ reflector, topology string }{
		{"FRR", "migration/topology.clab.yml"},
		{"GoBGP", "migration/reflector.clab.yml"},
	} {
		t.Run(c.reflector, func(t *testing.T) {
			l := deploy(t, c.topology)
			l.ready()
			v := newVM(1)
			managers := []*manager{l.manager("tes1"), l.manager("tes2")}
			places, edges := []string{"vm1", "vm2"}, []string{edge1, edge2}
			managers[0].does(v, tnsv1.Op_OP_ASSOCIATE, false)
			l.knows("vtep", v.mac, fdb.To(edges[0]))
			var moves []move
			for i := range rounds {
				source, target := i%2, (i+1)%2
				m := l.measure(v, managers[source], managers[target], places, places[target], edges[target])
				moves = append(moves, m)
				t.Logf("move %2d to %s: %s", i+1, edges[target], m)
				if m.lost >= 1000 || m.installed >= time.Second {
					t.Errorf("a move took too long: %s", m)
				}
			}
			t.Logf("reflector %s, median of %d moves: %s", c.reflector, len(moves), median(moves))
		})
	}
}

// move is what one migration cost.
type move struct {
	lost      int           // frames, one a millisecond
	answered  time.Duration // from the request to associate, at tesd, to SUCCESS
	installed time.Duration // from it to the entry in the plain VTEP's kernel
}

func (m move) String() string {
	return fmt.Sprintf("%d frames lost; associate answered after %.1f ms, in FRR's kernel after %.1f ms",
		m.lost, milliseconds(m.answered), milliseconds(m.installed))
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// median is the median of each number by itself.
func median(moves []move) move {
	var lost []int
	var answered, installed []time.Duration
	for _, m := range moves {
		lost, answered, installed = append(lost, m.lost), append(answered, m.answered), append(installed, m.installed)
	}
	slices.Sort(lost)
	slices.Sort(answered)
	slices.Sort(installed)
	n := len(moves) / 2
	return move{lost[n], answered[n], installed[n]}
}

// measure moves the VM once under a stream of probes.
func (l lab) measure(v vm, source, target *manager, places []string, place, vtep string) move {
	l.t.Helper()
	target.does(v, tnsv1.Op_OP_PRE_ASSOCIATE, true)
	changes, stop, err := fdb.Watch(l.Namespace("vtep"), device, v.mac)
	if err != nil {
		l.t.Fatal(err)
	}
	defer stop()
	s := l.stream(v.mac, places, nil)
	s.arrive(other(places, place), 100)

	source.does(v, tnsv1.Op_OP_EMIGRATE, false)
	asked := time.Now()
	target.does(v, tnsv1.Op_OP_ASSOCIATE, true)
	m := move{answered: time.Since(asked)}
	source.does(v, tnsv1.Op_OP_TERMINATE, false)

	timeout := time.After(patience)
	for m.installed == 0 {
		select {
		case c := <-changes:
			if !c.Gone && c.VTEP.String() == vtep {
				m.installed = c.At.Sub(asked)
			}
		case <-timeout:
			l.t.Fatalf("the plain VTEP's kernel has not got %s behind %s", v.mac, vtep)
		}
	}
	s.arrive(place, 100)
	report := s.stop(places...)
	m.lost = report.Lost
	if report.Duplicated > 0 {
		l.t.Errorf("frames arrived at both places: %s", report)
	}
	l.knows("vtep", v.mac, fdb.To(vtep))
	return m
}

func other(places []string, place string) string {
	return places[1-slices.Index(places, place)]
}

// manager is a VM manager at one TES: a client of the control API, as tnsctl is, without a process for each step.
type manager struct {
	l       lab
	node    string
	client  tnsv1.ControlClient
	slowest atomic.Int64 // operation so far, in ns
}

// manager connects to a node's tesd, through the file system that process 1 of the node has.
func (l lab) manager(node string) *manager {
	l.t.Helper()
	connection, err := grpc.NewClient("unix://"+l.Path(node, "/run/tns/tesd.sock"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { connection.Close() })
	return &manager{l: l, node: node, client: tnsv1.NewControlClient(connection)}
}

// does asks for an operation that must succeed.
func (m *manager) does(v vm, op tnsv1.Op, immigration bool) {
	m.l.t.Helper()
	if err := m.asks(m.l.ctx, v, op, immigration); err != nil {
		m.l.t.Fatal(err)
	}
}

// asks for an operation. What is not a success is an error.
func (m *manager) asks(ctx context.Context, v vm, op tnsv1.Op, immigration bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	request := &tnsv1.OperateRequest{Vmid: v.id, Op: op, Immigration: immigration, Timeout: durationpb.New(patience)}
	if op == tnsv1.Op_OP_ASSOCIATE || op == tnsv1.Op_OP_PRE_ASSOCIATE {
		request.Nics = []*tnsv1.NIC{{Vn: &tnsv1.VN{Id: &tnsv1.VN_Name{Name: "blue"}}, Mac: v.mac.String()}}
	}
	began := time.Now()
	r, err := m.client.Operate(ctx, request)
	took := int64(time.Since(began))
	for old := m.slowest.Load(); took > old && !m.slowest.CompareAndSwap(old, took); old = m.slowest.Load() {
	}
	if err != nil {
		return failure{fmt.Errorf("%s of %s at %s: %w", op, v.id, m.node, err), v}
	}
	if r.Status != tnsv1.Status_STATUS_SUCCESS {
		return failure{fmt.Errorf("%s of %s at %s: %v, want success", op, v.id, m.node, r), v}
	}
	return nil
}
