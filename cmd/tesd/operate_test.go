package main

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"google.golang.org/protobuf/types/known/durationpb"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	"github.com/tns-project/tns/cmd/internal/control"
	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/history"
	"github.com/tns-project/tns/lifecycle/tes"
	"github.com/tns-project/tns/lifecycle/tes/store"
	"github.com/tns-project/tns/speaker"
)

// lonely is a speaker without peers.
type lonely struct{}

func (lonely) Announce(evpn.Route) error     { return nil }
func (lonely) Withdraw(evpn.RouteKey) error  { return nil }
func (lonely) Open(context.Context) error    { return nil }
func (lonely) Resend(netip.Addr) error       { return nil }
func (lonely) Own() ([]evpn.RouteKey, error) { return nil, nil }
func (lonely) OwnChanges() <-chan struct{}   { return nil }

// aloneWith serves the file of a hypervisor whose edge is not there.
func aloneWith(t *testing.T, more string) *backend {
	t.Helper()
	c := load(t, `
tes_id: 198.51.100.11
as: 65000
nves:
  - {address: 192.0.2.1, as: 65000, nve_id: 192.0.2.1}
vns:
  - {name: blue, vni: 10100}
state: /var/lib/tns/tesd.db
`+more)
	state, err := store.Open(filepath.Join(t.TempDir(), "tesd.db"), c.ID)
	if err != nil {
		t.Fatal(err)
	}
	log, events := logrus.New(), history.New(16, 16)
	log.SetLevel(logrus.PanicLevel)
	b := &backend{config: c, events: events, agent: tes.New(agentConfig(c), lonely{}, state, events, logrus.NewEntry(log))}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.agent.Run(ctx, make(chan speaker.Event)) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("agent: %v", err)
		}
		state.Close()
	})
	return b
}

func nic(mac string) []*tnsv1.NIC {
	return []*tnsv1.NIC{{Vn: &tnsv1.VN{Id: &tnsv1.VN_Name{Name: "blue"}}, Mac: mac}}
}

// What is said of an edge that does not answer tells the time-out that was asked for, not the nanoseconds that it took.
func TestNoAnswerTellsTheTimeOut(t *testing.T) {
	b := aloneWith(t, "response_time: 100ms\n")
	for name, c := range map[string]struct {
		q    *tnsv1.OperateRequest
		want string
	}{
		"asked for": {&tnsv1.OperateRequest{Vmid: vmid, Op: tnsv1.Op_OP_ASSOCIATE, Nics: nic("02:00:00:00:00:01"), Timeout: durationpb.New(20 * time.Millisecond)},
			"no session to the NVE 192.0.2.1 within 20ms"},
		"the file's": {&tnsv1.OperateRequest{Vmid: vmid[:len(vmid)-1] + "0", Op: tnsv1.Op_OP_ASSOCIATE, Nics: nic("02:00:00:00:00:02")},
			"no session to the NVE 192.0.2.1 within 100ms"},
		"of a dry run": {&tnsv1.OperateRequest{Vmid: vmid[:len(vmid)-1] + "1", Op: tnsv1.Op_OP_ASSOCIATE, Nics: nic("02:00:00:00:00:03"), DryRun: true,
			Timeout: durationpb.New(20 * time.Millisecond)}, "no session to the NVE 192.0.2.1 within 20ms"},
	} {
		r, err := b.Operate(t.Context(), c.q)
		if err != nil || r.Status != tnsv1.Status_STATUS_NO_SESSION || r.Reason != c.want {
			t.Errorf("%s: %v, %v; want no session, %q", name, r, err, c.want)
		}
	}
}

// A VM's cards are given once; for a VM that nobody has told of, they are asked for.
func TestCardsAreGivenOnce(t *testing.T) {
	for _, op := range []tnsv1.Op{tnsv1.Op_OP_PRE_ASSOCIATE, tnsv1.Op_OP_ASSOCIATE} {
		b := aloneWith(t, "")
		bare := &tnsv1.OperateRequest{Vmid: vmid, Op: op, NoWait: true}
		_, err := b.Operate(t.Context(), bare)
		if want := "VM " + vmid + " is not known here: its network cards are needed, --nic at least once"; !errors.Is(err, control.ErrRefused) || err.Error() != want {
			t.Errorf("%v of an unknown VM without cards: %v; want it refused, %q", op, err, want)
		}
		told := &tnsv1.OperateRequest{Vmid: vmid, Op: tnsv1.Op_OP_PRE_ASSOCIATE, NoWait: true, Nics: nic("02:00:00:00:00:01")}
		for _, q := range []*tnsv1.OperateRequest{told, bare} {
			if r, err := b.Operate(t.Context(), q); err != nil || r.Status != tnsv1.Status_STATUS_ACCEPTED {
				t.Fatalf("%v: %v, %v; want it accepted", q, r, err)
			}
		}
		vms := b.vms()
		if len(vms) != 1 || len(vms[0].Routes) != 1 || vms[0].Routes[0].Mac != "02:00:00:00:00:01" {
			t.Errorf("%v without cards: %v, want the VM with the card it had", op, vms)
		}
	}
}
