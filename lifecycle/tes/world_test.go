package tes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/history"
	"github.com/tns-project/tns/lifecycle/tes/store"
	"github.com/tns-project/tns/speaker"
)

// epoch is when every test begins; the first sequence of a VM in it.
var epoch = time.Unix(1_700_000_000, 0)

const (
	tesID  evpn.RouterID = 198<<24 | 51<<16 | 100<<8 | 11
	edgeID evpn.RouterID = 192<<24 | 2<<8 | 1
	farID  evpn.RouterID = 192<<24 | 2<<8 | 2
)

var (
	edgePeer = netip.MustParseAddr("192.0.2.1")
	farPeer  = netip.MustParseAddr("192.0.2.2")
)

func testConfig() Config {
	return Config{
		ID: tesID, AS: 65000,
		NVEs: []NVE{{ID: edgeID, Address: edgePeer}, {ID: farID, Address: farPeer}},
		VNs: []VN{
			{Name: "blue", VNI: 10100},
			{Name: "red", VNI: 10200},
			{Name: "named"},
			{Name: "slow", VNI: 10300, PerVMKeepAlive: true},
			{Name: "far", VNI: 20100, NVE: farID},
		},
	}
}

// world is a core with a clock, a disk, a table of announced routes, and scripted NVEs that read it.
type world struct {
	t       testing.TB
	now     time.Time
	cfg     Config
	core    *core
	disk    *disk
	table   *table
	edges   map[evpn.RouterID]*edge
	log     *history.Log
	replies map[uint64]outcome
	number  uint64
	trace   strings.Builder
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, now: epoch, cfg: testConfig(), disk: newDisk(), replies: map[uint64]outcome{}}
	w.edges = map[evpn.RouterID]*edge{edgeID: newEdge(edgeID, edgePeer), farID: newEdge(farID, farPeer)}
	w.boot()
	return w
}

// boot starts the core from the disk, with an empty table, as after a start of the daemon.
func (w *world) boot() {
	w.table = &table{world: w, routes: map[evpn.RouteKey]evpn.Route{}}
	w.log = history.New(1000, 1000)
	w.core = newCore(w.cfg, w.table, w.disk, w.log, quiet())
	w.core.reply = func(number uint64, r Result, err error) {
		w.replies[number] = outcome{r, err}
		w.print("reply %d: %s", number, sayOutcome(r, err))
	}
	w.core.start(w.now)
	for _, e := range w.edges {
		e.up = false
		e.said = map[evpn.RouteKey]evpn.Route{}
	}
}

func quiet() *logrus.Entry {
	l := logrus.New()
	l.SetOutput(io.Discard)
	return logrus.NewEntry(l)
}

// in gives the core an input, then lets the NVEs answer until all is quiet.
func (w *world) in(i input) {
	w.core.handle(w.now, i)
	w.quiesce()
}

func (w *world) quiesce() {
	for range 100 {
		events := w.react()
		if len(events) == 0 {
			return
		}
		for _, e := range events {
			e.At = w.now
			w.core.handle(w.now, heard{e})
		}
	}
	w.t.Fatal("the core and the NVEs never come to rest")
}

func (w *world) react() []speaker.Event {
	var events []speaker.Event
	for _, id := range slices.Sorted(maps.Keys(w.edges)) {
		events = append(events, w.edges[id].react(w.table.routes)...)
	}
	return events
}

// do asks for an operation and returns its number.
func (w *world) do(o Operation) uint64 {
	w.number++
	w.in(asked{w.number, o})
	return w.number
}

// outcome is what the caller with that number was told.
func (w *world) outcome(number uint64) (outcome, bool) {
	out, ok := w.replies[number]
	return out, ok
}

// must does an operation that is to succeed at once.
func (w *world) must(o Operation) Result {
	w.t.Helper()
	out, ok := w.outcome(w.do(o))
	if !ok {
		w.t.Fatalf("%v %v: no answer yet", o.Op, o.VM)
	}
	if out.err != nil || out.result.Status != evpn.Success {
		w.t.Fatalf("%v %v: %s", o.Op, o.VM, sayOutcome(out.result, out.err))
	}
	return out.result
}

// wait lets time pass, tick by tick as the core asks for it.
func (w *world) wait(d time.Duration) {
	end := w.now.Add(d)
	for range 10_000 {
		next := w.core.wake()
		if next.After(end) {
			w.now = end
			return
		}
		if next.After(w.now) {
			w.now = next
		}
		w.in(tick{})
	}
	w.t.Fatal("the clock spins: something is always due and never done")
}

func (w *world) up(id evpn.RouterID) {
	e := w.edges[id]
	e.up = true
	e.epoch++
	w.core.handle(w.now, heard{speaker.Event{Kind: speaker.SessionUp, At: w.now, Peer: e.peer, Epoch: e.epoch, RouterID: id, AS: 65000}})
	w.quiesce()
	w.in(heard{speaker.Event{Kind: speaker.EndOfRIB, At: w.now, Peer: e.peer, Epoch: e.epoch}})
}

func (w *world) down(id evpn.RouterID) {
	e := w.edges[id]
	e.up = false
	e.said = map[evpn.RouteKey]evpn.Route{}
	w.in(heard{speaker.Event{Kind: speaker.SessionDown, At: w.now, Peer: e.peer, Epoch: e.epoch, Text: "hold time over"}})
}

func (w *world) vm(id evpn.VMID) *VM {
	w.t.Helper()
	v := w.core.snapshot().VM(id)
	if v == nil {
		w.t.Fatalf("VM %v is not known", id)
	}
	return v
}

// requests reads what the table says for a VM, in order of index.
func (w *world) requests(id evpn.VMID) []evpn.Request {
	var rs []evpn.Request
	for _, r := range w.table.routes {
		if request, err := evpn.DecodeRequest(r.Communities); err == nil && request.VM == id {
			rs = append(rs, request)
		}
	}
	slices.SortFunc(rs, func(a, b evpn.Request) int { return int(a.Index) - int(b.Index) })
	return rs
}

// request is the one request that all routes of the VM in the table carry.
func (w *world) request(id evpn.VMID) evpn.Request {
	w.t.Helper()
	rs := w.requests(id)
	if len(rs) == 0 {
		w.t.Fatalf("VM %v has no request in the table", id)
	}
	for _, r := range rs {
		if r.Op != rs[0].Op || r.Base != rs[0].Base || r.Flags != rs[0].Flags || r.Sequence != rs[0].Sequence {
			w.t.Fatalf("VM %v: its routes carry different OPs: %+v, %+v", id, rs[0], r)
		}
	}
	return rs[0]
}

func (w *world) print(format string, args ...any) { fmt.Fprintf(&w.trace, format+"\n", args...) }

// table is the speaker: what is announced, with a trace of what is done to it.
type table struct {
	world  *world
	routes map[evpn.RouteKey]evpn.Route
	failed error // what Announce returns
	resent []netip.Addr
}

func (t *table) Announce(r evpn.Route) error {
	if t.failed != nil {
		return t.failed
	}
	if old, there := t.routes[r.RouteKey]; there && sameRoute(old, r) {
		return nil
	}
	t.routes[r.RouteKey] = r
	if r.Type == evpn.MACIPAdvertisement {
		t.world.checkStored(r)
		t.world.print("  announce %s", sayRequest(r))
	}
	return nil
}

func (t *table) Withdraw(k evpn.RouteKey) error {
	if r, there := t.routes[k]; there {
		t.world.print("  withdraw %s", sayPlace(r))
	}
	delete(t.routes, k)
	return nil
}

func (t *table) Open(context.Context) error    { return nil }
func (t *table) Resend(peer netip.Addr) error  { t.resent = append(t.resent, peer); return nil }
func (t *table) Own() ([]evpn.RouteKey, error) { return slices.Collect(maps.Keys(t.routes)), nil }
func (t *table) OwnChanges() <-chan struct{}   { return nil }

func sameRoute(a, b evpn.Route) bool {
	return a.Label == b.Label && slices.Equal(a.Communities, b.Communities) && slices.Equal(a.LargeCommunities, b.LargeCommunities)
}

// checkStored fails the test when something is announced that is not on disk.
func (w *world) checkStored(r evpn.Route) {
	request, err := evpn.DecodeRequest(r.Communities)
	if err != nil {
		w.t.Errorf("malformed request announced: %v", err)
		return
	}
	if request.Flags&evpn.FlagDryRun != 0 {
		return
	}
	for _, s := range w.disk.image.VMs[request.VM].Standing {
		if s.MAC == r.MAC && s.IP == r.IP && s.Sequence == request.Sequence && s.Op == request.Op {
			return
		}
	}
	w.t.Errorf("announced before it was on disk: %s", sayRequest(r))
}

// disk is the store in memory; it can be full.
type disk struct {
	image struct {
		VMs       map[evpn.VMID]store.VM
		Sequences map[evpn.VMID]uint32
		Numbers   map[string]uint16
		Rebuilt   map[evpn.RouterID]bool
	}
	full   bool
	writes int // that succeeded
}

var errFull = errors.New("no space left on device")

func newDisk() *disk {
	d := &disk{}
	d.image.VMs = map[evpn.VMID]store.VM{}
	d.image.Sequences = map[evpn.VMID]uint32{}
	d.image.Numbers = map[string]uint16{}
	d.image.Rebuilt = map[evpn.RouterID]bool{}
	return d
}

func (d *disk) Load() store.Image {
	vms := slices.SortedFunc(maps.Values(d.image.VMs), func(a, b store.VM) int { return slices.Compare(a.ID[:], b.ID[:]) })
	return store.Image{VMs: vms, Sequences: d.image.Sequences, Numbers: d.image.Numbers, Rebuilt: d.image.Rebuilt}
}

func (d *disk) Put(v store.VM) error {
	if d.full {
		return errFull
	}
	d.writes++
	d.image.VMs[v.ID], d.image.Sequences[v.ID] = v, v.Request.Sequence
	return nil
}

func (d *disk) Forget(id evpn.VMID) error {
	if d.full {
		return errFull
	}
	d.writes++
	delete(d.image.VMs, id)
	return nil
}

func (d *disk) Number(vn string) (uint16, error) {
	if d.full {
		return 0, errFull
	}
	if d.image.Numbers[vn] == 0 {
		d.image.Numbers[vn] = uint16(len(d.image.Numbers) + 1)
	}
	return d.image.Numbers[vn], nil
}

func (d *disk) SetRebuilt(nve evpn.RouterID) error {
	if d.full {
		return errFull
	}
	d.image.Rebuilt[nve] = true
	return nil
}
