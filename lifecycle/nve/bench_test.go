package nve

import (
	"fmt"
	"testing"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker"
)

// crowd is an edge with n associated VMs of tes1 in blue.
func crowd(b *testing.B, n int) *world {
	w := newWorld(b)
	w.mute = true
	for i := range n {
		w.request(i, 1, evpn.Associate, evpn.StateNull)
	}
	if got := len(w.edge.records); got != n {
		b.Fatalf("%d of %d VMs", got, n)
	}
	return w
}

// request is one request of the i-th VM of a crowd, from the route to the kernel's answer.
func (w *world) request(i int, seq uint32, op evpn.Op, base evpn.State) {
	q := evpn.Request{Op: op, Base: base, Sequence: seq, VM: evpn.VMID{0: 0xbb, 13: byte(i >> 16), 14: byte(i >> 8), 15: byte(i)}, Index: 1, Count: 1}
	r := w.requestRoute("tes1", where{vn: "blue", mac: evpn.MAC{2, 1, 0, byte(i >> 16), byte(i >> 8), byte(i)}}, false)
	r.Communities = append([]evpn.ExtendedCommunity{evpn.ExtendedCommunity(evpn.RequestTarget(w.config.ID))}, q.Communities()...)
	w.hear(names["tes1"], r)
}

// BenchmarkRequest is one request and its response, with other VMs around.
func BenchmarkRequest(b *testing.B) {
	for _, others := range []int{1, 1000, 10000} {
		b.Run(fmt.Sprintf("others=%d", others), func(b *testing.B) {
			w := crowd(b, others)
			ops := []evpn.Op{evpn.Associate, evpn.Suspend}
			b.ReportAllocs()
			seq := uint32(1)
			for b.Loop() {
				seq++
				w.request(0, seq, ops[seq%2], evpn.StateAssociated)
			}
		})
	}
}

// BenchmarkFabricRoute is another edge's MAC that moves between two VTEPs.
func BenchmarkFabricRoute(b *testing.B) {
	for _, others := range []int{1, 10000} {
		b.Run(fmt.Sprintf("others=%d", others), func(b *testing.B) {
			w := crowd(b, others)
			seq := uint32(0)
			b.ReportAllocs()
			for b.Loop() {
				seq++
				r := w.remoteRoute([]string{"edge2", "edge3"}[seq%2], "blue/m9")
				r.Communities = append(r.Communities, evpn.MACMobility{Sequence: seq}.Community())
				w.fabricEvent(speaker.Event{Kind: speaker.Announced, Peer: names["frr"], Epoch: 1, Route: r})
			}
		})
	}
}

// BenchmarkBeacon is a beacon of a TES with a thousand VMs, digest and all.
func BenchmarkBeacon(b *testing.B) {
	w := crowd(b, 1000)
	b.ReportAllocs()
	for b.Loop() {
		w.now = w.now.Add(time.Second)
		w.beacon("tes1", false, nil)
	}
}
