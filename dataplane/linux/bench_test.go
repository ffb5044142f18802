package linux

import (
	"context"
	"fmt"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/dataplane/dataplanetest"
)

// bulk is n remote MACs.
func bulk(n int) (all []dataplane.Entry) {
	for i := range n {
		mac := dataplane.MAC{2, 0, 1, byte(i >> 16), byte(i >> 8), byte(i)}
		all = append(all, dataplanetest.Remote(10100, mac, netip.MustParseAddr("192.0.2.2")))
	}
	return all
}

func benchWorld(b *testing.B) (space, *Kernel) {
	s := newSpace(b)
	s.ports(b)
	k := s.kernel(b)
	if err := k.Ensure(b.Context(), dataplanetest.Networks()); err != nil {
		b.Fatal(err)
	}
	if _, err := k.List(b.Context()); err != nil { // as at every start: from now on it knows what there is
		b.Fatal(err)
	}
	return s, k
}

// BenchmarkApply sets and deletes entries, in one Apply each.
func BenchmarkApply(b *testing.B) {
	for _, n := range []int{1, 100, 10000} {
		all := bulk(n)
		var keys []dataplane.Key
		for _, e := range all {
			keys = append(keys, e.Key)
		}
		b.Run(fmt.Sprintf("remote-%d", n), func(b *testing.B) {
			_, k := benchWorld(b)
			for b.Loop() {
				if err := errorIn(k.Apply(b.Context(), all, nil)); err != nil {
					b.Fatal(err)
				}
				if err := errorIn(k.Apply(b.Context(), nil, keys)); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "us/entry")
		})
	}
	local := []dataplane.Entry{dataplanetest.Local(10100, dataplane.MAC{2, 0, 0, 0, 0, 1}, "blue1")}
	b.Run("local-1", func(b *testing.B) {
		_, k := benchWorld(b)
		for b.Loop() {
			if err := errorIn(k.Apply(b.Context(), local, nil)); err != nil {
				b.Fatal(err)
			}
			if err := errorIn(k.Apply(b.Context(), nil, []dataplane.Key{local[0].Key})); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func errorIn(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkBatchAgainstPlain writes the same entries with our batches and one by one with the netlink library: the
// reason why the batches are there.
func BenchmarkBatchAgainstPlain(b *testing.B) {
	const n = 10000
	all := bulk(n)
	b.Run("batches", func(b *testing.B) {
		_, k := benchWorld(b)
		for b.Loop() {
			if err := errorIn(k.Apply(b.Context(), all, nil)); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			flush(b, k, all)
			b.StartTimer()
		}
	})
	b.Run("one by one", func(b *testing.B) {
		_, k := benchWorld(b)
		vxlan := k.networks[10100].vxlan
		for b.Loop() {
			for _, e := range all {
				inVXLAN := &netlink.Neigh{
					LinkIndex: vxlan, Family: unix.AF_BRIDGE, State: netlink.NUD_NOARP | netlink.NUD_PERMANENT,
					Flags: netlink.NTF_SELF | netlink.NTF_EXT_LEARNED, HardwareAddr: e.MAC[:], IP: e.VTEP.AsSlice(),
				}
				inBridge := &netlink.Neigh{
					LinkIndex: vxlan, Family: unix.AF_BRIDGE, State: netlink.NUD_NOARP,
					Flags: netlink.NTF_MASTER | netlink.NTF_EXT_LEARNED, HardwareAddr: e.MAC[:],
				}
				for _, n := range []*netlink.Neigh{inVXLAN, inBridge} {
					if err := k.links.NeighSet(n); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.StopTimer()
			flush(b, k, all)
			b.StartTimer()
		}
	})
}

func flush(b *testing.B, k *Kernel, all []dataplane.Entry) {
	var keys []dataplane.Key
	for _, e := range all {
		keys = append(keys, e.Key)
	}
	if err := errorIn(k.Apply(b.Context(), nil, keys)); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkSetToResult is what a role waits for: a local entry from Set to its Result, through the loop.
func BenchmarkSetToResult(b *testing.B) {
	_, k := benchWorld(b)
	r := dataplane.NewReconciler(k)
	ctx, stop := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	if _, _, err := r.Resync(b.Context()); err != nil {
		b.Fatal(err)
	}
	here := dataplanetest.Local(10100, dataplane.MAC{2, 0, 0, 0, 0, 1}, "blue1")
	there := dataplanetest.Remote(10100, here.MAC, netip.MustParseAddr("192.0.2.2"))
	for i := 0; b.Loop(); i++ {
		r.Set([]dataplane.Entry{here, there}[i%2])
		results(b, r, 1)
	}
	stop()
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
}

// BenchmarkList lists 10,000 entries.
func BenchmarkList(b *testing.B) {
	_, k := benchWorld(b)
	if err := errorIn(k.Apply(b.Context(), bulk(10000), nil)); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := k.List(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
