package flat

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
)

type key struct {
	link int32
	vlan uint16
	mac  [6]byte
}

type place [20]byte

func keyOf(i int) key {
	return key{1, 0, [6]byte{2, 0, byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}}
}

// TestAsAMap: after any changes it holds what a map holds.
func TestAsAMap(t *testing.T) {
	for _, keys := range []int{1, 7, 100, 5000} {
		var m Map[key, int]
		want := make(map[key]int)
		for i := range 100 * keys {
			k := keyOf(rand.IntN(keys))
			// Waves, so that it grows and shrinks.
			if rand.IntN(10) < 5+4*(1-2*(i/(25*keys)%2)) {
				m.Set(k, i)
				want[k] = i
			} else {
				m.Delete(k)
				delete(want, k)
			}
			if k := keyOf(rand.IntN(keys)); m.Get(k) != want[k] {
				t.Fatalf("%d keys, after %d changes: %v is %d, want %d", keys, i, k, m.Get(k), want[k])
			}
		}
		if m.Len() != len(want) || !maps.Equal(maps.Collect(m.All()), want) {
			t.Errorf("%d keys: %d are left, want %d, or not the same", keys, m.Len(), len(want))
		}
		for k := range want {
			m.Delete(k)
		}
		if m.Len() != 0 {
			t.Errorf("%d keys: %d are left, want none", keys, m.Len())
		}
	}
}

func TestZeroKey(t *testing.T) {
	var m Map[key, int]
	m.Set(keyOf(1), 1)
	m.Delete(key{})
	if m.Get(key{}) != 0 || m.Len() != 1 {
		t.Error("it has the zero key")
	}
	defer func() {
		if recover() == nil {
			t.Error("it took the zero key")
		}
	}()
	m.Set(key{}, 1)
}

// BenchmarkGet looks for keys while something else uses the caches, as the kernel does between two batches.
func BenchmarkGet(b *testing.B) {
	other := make([]byte, 1<<20)
	run := func(b *testing.B, n int, get func(key) place) {
		for b.Loop() {
			for i := 0; i < n; i += 128 {
				for j := range 128 {
					get(keyOf((i + j) % n))
				}
				b.StopTimer()
				for at := 0; at < len(other); at += 64 {
					other[at]++
				}
				b.StartTimer()
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/key")
	}
	for _, n := range []int{1000, 10000, 100000} {
		var m Map[key, place]
		plain := make(map[key]place)
		for i := range n {
			m.Set(keyOf(i), place{})
			plain[keyOf(i)] = place{}
		}
		b.Run(fmt.Sprintf("flat-%d", n), func(b *testing.B) { run(b, n, m.Get) })
		b.Run(fmt.Sprintf("map-%d", n), func(b *testing.B) { run(b, n, func(k key) place { return plain[k] }) })
	}
}
