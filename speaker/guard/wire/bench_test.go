package wire

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"
)

// macs are UPDATEs with a route of type 2 each, of n MAC addresses in networks that differ in their route target.
func macs(n, networks int) (msgs [][]byte) {
	for i := range n {
		nlri := cat(nlri2)
		binary.BigEndian.PutUint32(nlri[2+25:], uint32(i))
		rt := cat(target)
		rt[7] = byte(i % networks)
		msgs = append(msgs, update(nil, nil, reach(EVPN, hop, nlri), origin, emptyPath, localPref, extended(rt, vxlan)))
	}
	return msgs
}

func BenchmarkFilter(b *testing.B) {
	all := corpus()
	for _, name := range []string{"a TES's request", "an NVE's type 2", "FRR: router MAC/IP", "reflected"} {
		b.Run(name, func(b *testing.B) {
			f, msg := NewFilter(everyFamily), all[name]
			b.ReportAllocs()
			for b.Loop() {
				if v := f.Update(msg); len(v.Forward) != 1 {
					b.Fatal(v.Refusals)
				}
			}
		})
	}
}

func BenchmarkChanges(b *testing.B) {
	f, msg := NewFilter(everyFamily), corpus()["a TES's request"]
	b.ReportAllocs()
	for b.Loop() {
		if len(f.Update(msg).Changes()) != 1 {
			b.Fatal("no change")
		}
	}
}

// BenchmarkPack reads what GoBGP sends and packs it, 1000 routes at once, or one as it comes.
func BenchmarkPack(b *testing.B) {
	for _, n := range []int{1, 1000} {
		for _, networks := range []int{1, 50} {
			b.Run(fmt.Sprintf("%d of %d networks", n, networks), func(b *testing.B) {
				var changes []Change
				for _, msg := range macs(n, networks) {
					u, err := ParseUpdate(msg)
					if err != nil {
						b.Fatal(err)
					}
					changes = append(changes, u.Changes()...)
				}
				var msgs [][]byte
				b.ReportAllocs()
				for b.Loop() {
					msgs, _ = Pack(changes, everyFamily)
				}
				b.ReportMetric(float64(len(msgs)), "messages")
			})
		}
	}
}

func BenchmarkParseUpdate(b *testing.B) {
	msg := macs(1, 1)[0]
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseUpdate(msg); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkTable brings routes into a table; octets/route is what one takes of the heap, its attributes shared by a network or all its own.
func BenchmarkTable(b *testing.B) {
	const n = 100_000
	for _, networks := range []int{50, n} {
		b.Run(fmt.Sprintf("%d routes with %d attributes", n, networks), func(b *testing.B) {
			msgs := macs(n, min(networks, 50))
			if networks == n {
				for i, msg := range msgs {
					binary.BigEndian.PutUint32(msg[len(msg)-14:], uint32(i)) // the route target's
				}
			}
			f := NewFilter(everyFamily)
			for b.Loop() {
				before := heap()
				t := NewTable()
				for _, msg := range msgs {
					t.Apply(f.Update(msg).Changes())
				}
				b.ReportMetric(float64(heap()-before)/n, "octets/route")
				if t.Len(EVPN) != n {
					b.Fatal(t.Len(EVPN))
				}
			}
		})
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
