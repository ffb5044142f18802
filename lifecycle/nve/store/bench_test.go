package store_test

import (
	"context"
	"encoding/binary"
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/nve"
	"github.com/tns-project/tns/lifecycle/nve/store"
)

// BenchmarkRush is what is remembered of 10,000 VMs that come at once, from the first to the disk.
func BenchmarkRush(b *testing.B) {
	const vms = 10000
	log := logrus.New()
	log.SetOutput(io.Discard)
	for b.Loop() {
		s, _, err := store.Open(filepath.Join(b.TempDir(), "state"), logrus.NewEntry(log))
		if err != nil {
			b.Fatal(err)
		}
		for i := range vms {
			key := nve.VMKey{TES: evpn.RouterID(0xc6336401 + i%100)}
			at := nve.StationKey{VNI: 10100, MAC: evpn.MAC{2}}
			binary.BigEndian.PutUint32(key.VM[4:], uint32(i)*2654435761)
			binary.BigEndian.PutUint32(at.MAC[2:], uint32(i)*2654435761)
			s.PutSequence(key.VM, key.TES, 1)
			s.PutHolding(key, nve.Holding{{StationKey: at}})
			s.PutTold(key, at, &nve.Told{})
			s.PutMobility(at.VNI, at.MAC, nve.Mobility{Active: true})
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := s.Run(ctx); err != nil { // writes, and closes the file
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed())/float64(time.Microsecond)/float64(b.N)/vms, "µs/VM")
}
