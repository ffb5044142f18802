package labs_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tns-project/tns/labs/internal/clab"
	"github.com/tns-project/tns/labs/internal/fdb"
	"github.com/tns-project/tns/labs/internal/wait"
)

// patience is how long a lab waits for what should come: sessions after a start, routes through FRR's timers.
const patience = 15 * time.Second

// lab is a deployed lab with the words that its tests are written in. Each fails the test if what it asks for is not so.
type lab struct {
	*clab.Lab
	t   *testing.T
	ctx context.Context // ends with the deploying test, or when that has taken too long
}

// most is the longest time that one lab may take.
const most = 7 * time.Minute

// deploy brings a lab up for one test and takes it down with it. When the test has failed, what the daemons logged is shown.
func deploy(t *testing.T, topology string) lab {
	t.Helper()
	parsed, err := clab.Load(topology)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("%s-%d", parsed.Name, os.Getpid())
	ctx, cancel := context.WithTimeout(t.Context(), most)
	t.Cleanup(cancel)
	deployed, err := clab.Deploy(ctx, parsed, clab.Options{Name: name, State: t.TempDir(), Binaries: binaries})
	if err != nil {
		t.Fatal(err)
	}
	l := lab{deployed, t, ctx}
	t.Cleanup(func() {
		if t.Failed() {
			l.showLogs()
		}
		if err := deployed.Destroy(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// in is the lab for a subtest.
func (l lab) in(t *testing.T) lab { return lab{l.Lab, t, l.ctx} }

// showLogs prints the end of each daemon's log.
func (l lab) showLogs() {
	const tail = 6000
	for _, node := range l.Topology.NodeNames() {
		logs, _ := filepath.Glob(l.Dir(node) + "/*d.log")
		for _, name := range logs {
			text, _ := os.ReadFile(name)
			l.t.Logf("%s %s:\n%s", node, filepath.Base(name), text[max(0, len(text)-tail):])
		}
	}
}

// soon waits for a condition.
func (l lab) soon(what string, condition func() error) {
	l.t.Helper()
	if err := wait.Until(l.ctx, patience, what, condition); err != nil {
		l.t.Fatal(err)
	}
}

// run runs a command that must succeed.
func (l lab) run(node string, argv ...string) string {
	l.t.Helper()
	output, err := l.Output(l.ctx, node, argv...)
	if err != nil {
		l.t.Fatal(err)
	}
	return output
}

// result is what tnsctl says of an operation.
type result struct {
	Status     string
	Reason     string
	ReasonCode int `json:"reason_code"`
	State      string
	Sequence   uint32
	ElapsedMS  float64 `json:"elapsed_ms"`
}

// try asks a TES for an operation and returns the answer, whatever it is.
func (l lab) try(tes, op, vm string, flags ...string) result {
	l.t.Helper()
	text, err := l.Output(l.ctx, tes, append([]string{"tnsctl", "--json", "vm", op, "--vm", vm}, flags...)...)
	var r result
	if e := json.Unmarshal([]byte(text), &r); e != nil {
		l.t.Fatalf("%s at %s: %v, %v", op, tes, err, e)
	}
	return r
}

// does asks a TES for an operation that must succeed.
func (l lab) does(tes, op, vm string, flags ...string) result {
	l.t.Helper()
	r := l.try(tes, op, vm, flags...)
	if r.Status != "success" {
		l.t.Fatalf("%s of %s at %s: %+v, want success", op, vm, tes, r)
	}
	return r
}

// association is what tnsctl shows of a VM.
type association struct {
	TES, State, Mark string
	Sequence         uint32
	Routes           []struct {
		MAC    string
		Active bool
		Reason string
	}
}

// show reads the record of a VM that an edge or a TES has for a TES-ID.
func (l lab) show(node, vm, tes string) (a association, err error) {
	text, err := l.Output(l.ctx, node, "tnsctl", "--json", "vm", "show", vm, "--tes", tes)
	if err != nil {
		return a, err
	}
	return a, json.Unmarshal([]byte(text), &a)
}

// stands waits until an edge has a VM of a TES in a state and with a mark.
func (l lab) stands(edge, vm, tes, state, mark string) {
	l.t.Helper()
	l.soon("VM at "+edge, func() error {
		a, err := l.show(edge, vm, tes)
		if err != nil {
			return err
		}
		if a.State != state || a.Mark != mark {
			return fmt.Errorf("%s has %s of %s as %q, mark %q, want %q, %q", edge, vm, tes, a.State, a.Mark, state, mark)
		}
		return nil
	})
}

// session is what a daemon tells of one.
type session struct {
	Plane, Peer, State, Engine string
	Since                      time.Time
	Received                   int // UPDATEs
	Sessions                   int // that there have been
	Restarts                   int `json:"engine_restarts"`
	Renewing                   bool
}

// up reports whether the session stands.
func (s session) up() bool { return s.State == "established" }

// sessions are those of a daemon.
func (l lab) sessions(node string) (all []session, err error) {
	text, err := l.Output(l.ctx, node, "tnsctl", "--json", "sessions")
	if err != nil {
		return nil, err
	}
	return all, json.Unmarshal([]byte(text), &all)
}

// established waits until a daemon has so many sessions.
func (l lab) established(node string, count int) {
	l.t.Helper()
	l.soon("sessions of "+node, func() error {
		all, err := l.sessions(node)
		if err != nil {
			return err
		}
		up := 0
		for _, s := range all {
			if s.up() {
				up++
			}
		}
		if up < count {
			return fmt.Errorf("%d of %d sessions are established: %+v", up, count, all)
		}
		return nil
	})
}

// device is the VXLAN device of VN blue, at each edge and at the plain VTEP.
const device = "vx-blue"

// knows waits until a kernel holds what it should of a MAC, in both tables.
func (l lab) knows(node string, mac net.HardwareAddr, want fdb.Remote) {
	l.t.Helper()
	l.soon("the FDB of "+node, func() error { return fdb.Expect(l.Namespace(node), device, mac, want) })
}

// keeps checks that a kernel holds it for a while.
func (l lab) keeps(node string, mac net.HardwareAddr, want fdb.Remote) {
	l.t.Helper()
	err := wait.Throughout(l.ctx, 300*time.Millisecond, "the FDB of "+node, func() error {
		return fdb.Expect(l.Namespace(node), device, mac, want)
	})
	if err != nil {
		l.t.Error(err)
	}
}

// pings checks that an address answers, within a few requests.
func (l lab) pings(node, address string) {
	l.t.Helper()
	l.run(node, "ping", "-n", "-c", "1", "-i", "0.2", "-w", "5", address)
}

// vm is a VM of a test: its own VMID and MAC.
type vm struct {
	id  string
	mac net.HardwareAddr
	nic string // --nic
}

// newVM makes the n-th VM of a test.
func newVM(n int) vm {
	mac := net.HardwareAddr{2, 0, 0, byte(n >> 16), 1 + byte(n>>8), byte(n)}
	return vm{
		id:  fmt.Sprintf("11111111-0000-4000-8000-%012x", n),
		mac: mac,
		nic: fmt.Sprintf("vn=blue,mac=%s,ip=10.1.%d.%d", mac, byte(n>>8), byte(n)),
	}
}
