package nve

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/history"
	"github.com/tns-project/tns/lifecycle/tag"
	"github.com/tns-project/tns/speaker"
)

// rush is an edge whose surroundings cost next to nothing, so that what is measured is its own: the loop as Run has it, with the queues in front of it.
type rush struct {
	edge        *Edge
	tes, fabric *speaker.Queue
	reading     reading
	kernel      *obedient
	tess        int
}

// newRush is an edge that has started, with that many TESs and one other edge.
func newRush(tb testing.TB, tess int) *rush {
	f := &rush{tes: speaker.NewQueue(), fabric: speaker.NewQueue(), kernel: &obedient{}, tess: tess}
	var ports []Port
	c := Config{ID: id("192.0.2.1"), AS: 65000, VTEP: nveID, FabricPeers: []netip.Addr{names["frr"]}}
	for i := range tess {
		c.Neighbors = append(c.Neighbors, Neighbor{Prefix: netip.PrefixFrom(f.peer(i), 32)})
		ports = append(ports, Port{Name: fmt.Sprintf("eth%d", i), TES: []evpn.RouterID{id(f.peer(i).String())}})
	}
	c.VNs = []VN{{Name: "blue", VNI: vnis["blue"], Ports: ports}}
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)
	e, err := New(c, Parts{
		TES: forgetful{}, Fabric: forgetful{}, Forwarder: f.kernel, Store: forgetful{},
		History: history.New(65536, 256), Log: logrus.NewEntry(quiet),
	})
	if err != nil {
		tb.Fatal(err)
	}
	f.edge, f.reading = e, reading{tes: inlet{Inbox: f.tes}, fabric: inlet{Inbox: f.fabric}, results: f.kernel}
	e.turn(time.Now(), e.start)
	f.say(f.fabric, speaker.Event{Kind: speaker.SessionUp, Peer: names["frr"]})
	f.say(f.fabric, speaker.Event{Kind: speaker.EndOfRIB, Peer: names["frr"]})
	for i := range tess {
		f.say(f.tes, speaker.Event{Kind: speaker.SessionUp, Peer: f.peer(i)})
		f.say(f.tes, speaker.Event{Kind: speaker.EndOfRIB, Peer: f.peer(i)})
	}
	f.drain(tb)
	return f
}

func (f *rush) peer(i int) netip.Addr { return netip.AddrFrom4([4]byte{198, 51, 100, byte(1 + i)}) }

func (f *rush) say(q *speaker.Queue, ev speaker.Event) {
	ev.Epoch, ev.At = 1, time.Now()
	q.Put(ev)
}

// drain is the loop until nothing is left to do.
func (f *rush) drain(tb testing.TB) {
	for more := true; more || f.kernel.pending != nil; {
		var err error
		if more, err = f.edge.read(&f.reading); err != nil {
			tb.Fatal(err)
		}
	}
}

// ask has the TES of the i-th VM ask for something: a MAC, and it with an IPv4 address.
func (f *rush) ask(i int, seq uint32, op evpn.Op, base evpn.State) {
	vm := evpn.VMID{0: 0xbb}
	mac := evpn.MAC{2, 1}
	ip := [4]byte{10}
	binary.BigEndian.PutUint32(vm[12:], uint32(i))
	binary.BigEndian.PutUint32(mac[2:], uint32(i))
	binary.BigEndian.PutUint32(ip[:], uint32(10<<24+i))
	peer := f.peer(i % f.tess)
	tes := id(peer.String())
	for n, a := range []netip.Addr{{}, netip.AddrFrom4(ip)} {
		q := evpn.Request{Op: op, Base: base, Sequence: seq, VM: vm, Index: uint8(1 + n), Count: 2}
		f.say(f.tes, speaker.Event{Kind: speaker.Announced, Peer: peer, Route: evpn.Route{
			RouteKey: evpn.RouteKey{Type: evpn.MACIPAdvertisement, RD: evpn.NewRD(tes, 1), MAC: mac, IP: a},
			Label:    vnis["blue"], NextHop: peer, Communities: append([]evpn.ExtendedCommunity{evpn.ExtendedCommunity(evpn.RequestTarget(f.edge.config.ID))}, q.Communities()...),
		}})
	}
}

// remote is the i-th VM behind another edge: both its routes.
func (f *rush) remote(i int, withdraw bool) {
	mac := evpn.MAC{2, 2}
	ip := [4]byte{}
	binary.BigEndian.PutUint32(mac[2:], uint32(i))
	binary.BigEndian.PutUint32(ip[:], uint32(11<<24+i))
	for _, a := range []netip.Addr{{}, netip.AddrFrom4(ip)} {
		key := evpn.RouteKey{Type: evpn.MACIPAdvertisement, RD: evpn.NewRD(id("192.0.2.2"), 2), MAC: mac, IP: a}
		if withdraw {
			f.say(f.fabric, speaker.Event{Kind: speaker.Withdrawn, Peer: names["frr"], Key: key})
			continue
		}
		f.say(f.fabric, speaker.Event{Kind: speaker.Announced, Peer: names["frr"], Route: evpn.Route{
			RouteKey: key, Label: vnis["blue"], NextHop: names["edge2"],
			Communities: []evpn.ExtendedCommunity{evpn.ExtendedCommunity(evpn.AutoRouteTarget(65000, vnis["blue"])), evpn.EncapsulationVXLAN},
		}})
	}
}

// spent is what a program has used of memory: what it has asked for since it began, and what it holds.
type spent struct{ allocations, octets, held uint64 }

func spentBy() spent {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what a sync.Pool had goes with the second
	runtime.ReadMemStats(&m)
	return spent{m.Mallocs, m.TotalAlloc, m.HeapAlloc}
}

// rushSize is how many VMs come at once.
const rushSize = 10000

// each does something of each VM, and has the edge do what comes of it; what that took of time and memory is reported for a VM.
func (f *rush) each(b *testing.B, do func(i int)) {
	held := spentBy().held // without what waits in the queue
	for i := range rushSize {
		do(i)
	}
	before := spentBy()
	b.StartTimer()
	began := time.Now()
	f.drain(b)
	took := time.Since(began)
	b.StopTimer()
	after := spentBy()
	b.ReportMetric(float64(took.Nanoseconds())/rushSize, "ns/VM")
	b.ReportMetric(float64(after.allocations-before.allocations)/rushSize, "allocs/VM")
	b.ReportMetric(float64(after.octets-before.octets)/rushSize, "B/VM")
	b.ReportMetric((float64(after.held)-float64(held))/rushSize, "held-B/VM")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkRush is 10,000 VMs that come at once: two requests, two responses, a kernel entry and two fabric routes each; then all are suspended. Held is all that the edge has more of afterwards,
// history and the requests' routes included.
func BenchmarkRush(b *testing.B) {
	associate := func(f *rush) func(int) { return func(i int) { f.ask(i, 1, evpn.Associate, evpn.StateNull) } }
	suspend := func(f *rush) func(int) { return func(i int) { f.ask(i, 2, evpn.Suspend, evpn.StateAssociated) } }
	announce := func(f *rush) func(int) { return func(i int) { f.remote(i, false) } }
	withdraw := func(f *rush) func(int) { return func(i int) { f.remote(i, true) } }
	for _, test := range []struct {
		name         string
		before, then func(*rush) func(int)
	}{
		{"associate", nil, associate},
		{"suspend", associate, suspend},
		{"fabric-announced", nil, announce},
		{"fabric-withdrawn", announce, withdraw},
	} {
		b.Run(test.name, func(b *testing.B) {
			b.StopTimer()
			for range b.N {
				f := newRush(b, 100)
				f.ask(rushSize, 1, evpn.Associate, evpn.StateNull) // so that the edge is in the VN
				f.drain(b)
				if test.before != nil {
					for i := range rushSize {
						test.before(f)(i)
					}
					f.drain(b)
				}
				asked := f.kernel.generation
				f.each(b, test.then(f))
				if n := f.kernel.generation - asked; n < rushSize {
					b.Fatalf("%d VMs, and %d entries for the kernel", rushSize, n)
				}
			}
		})
	}
}

// obedient is a kernel that has done what it is asked when it is asked again.
type obedient struct {
	generation dataplane.Generation
	pending    []dataplane.Result
}

func (k *obedient) put(key dataplane.Key, removed bool) dataplane.Generation {
	k.generation++
	k.pending = append(k.pending, dataplane.Result{Generation: k.generation, Key: key, Removed: removed})
	return k.generation
}

func (k *obedient) Set(e dataplane.Entry) dataplane.Generation   { return k.put(e.Key, false) }
func (k *obedient) Unset(key dataplane.Key) dataplane.Generation { return k.put(key, true) }
func (k *obedient) Hold()                                        {}
func (k *obedient) Release()                                     {}
func (k *obedient) Complete()                                    {}
func (k *obedient) Ready() <-chan struct{}                       { return nil }

func (k *obedient) Take(into []dataplane.Result, most int) ([]dataplane.Result, bool) {
	n := min(most, len(k.pending))
	into = append(into, k.pending[:n]...)
	if k.pending = k.pending[n:]; len(k.pending) == 0 {
		k.pending = nil
	}
	return into, true
}

// forgetful is planes and a disk that keep nothing.
type forgetful struct{}

func (forgetful) Announce(evpn.Route) error    { return nil }
func (forgetful) Withdraw(evpn.RouteKey) error { return nil }

func (forgetful) Load() (Memory, error)                        { return Memory{}, nil }
func (forgetful) PutNumber(evpn.VNI, uint16)                   {}
func (forgetful) PutTES(evpn.RouterID)                         {}
func (forgetful) DropTES(evpn.RouterID)                        {}
func (forgetful) PutSequence(evpn.VMID, evpn.RouterID, uint32) {}
func (forgetful) DropSequence(evpn.VMID, evpn.RouterID)        {}
func (forgetful) PutMobility(evpn.VNI, evpn.MAC, Mobility)     {}
func (forgetful) DropMobility(evpn.VNI, evpn.MAC)              {}
func (forgetful) PutAcceptance(VMKey, BindingKey, Acceptance)  {}
func (forgetful) DropAcceptance(VMKey, BindingKey)             {}
func (forgetful) PutHolding(VMKey, Holding)                    {}
func (forgetful) PutTag(tag.Key, *tag.Tag)                     {}
func (forgetful) PutTold(VMKey, StationKey, *Told)             {}
func (forgetful) PutDraining(evpn.VNI, bool)                   {}
