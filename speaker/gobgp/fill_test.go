package gobgp

import (
	"context"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tns-project/tns/evpn"
)

// busySource announces every route that it is asked for, and is quiet or not.
type busySource struct {
	Source
	quiet atomic.Int64
}

func (s *busySource) Route(k evpn.RouteKey) (evpn.Route, bool) {
	return evpn.Route{RouteKey: k, NextHop: netip.MustParseAddr("192.0.2.1")}, true
}
func (s *busySource) Keys() []evpn.RouteKey { return nil }
func (s *busySource) Show(bool)             {}
func (s *busySource) Quiet() time.Duration  { return time.Duration(s.quiet.Load()) }

// The table is filled when there is time, and after a while where there is none.
func TestFillingWaitsForQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &busySource{}
		s.quiet.Store(int64(time.Minute))
		m, err := NewMirror(Config{AS: 65000, RouterID: 0xc0000201, ListenPort: -1}, s)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go m.fill(ctx)
		if err := m.show(ctx); err != nil {
			t.Fatal(err)
		}
		filled := func() int { return len(m.table.snapshot()) }
		change := func(n byte) {
			m.Changed(evpn.RouteKey{Type: evpn.MACIPAdvertisement, RD: evpn.NewRD(1, 1), MAC: evpn.MAC{2, 0, 0, 0, 0, n}})
		}
		change(1)
		synctest.Wait()
		if filled() != 1 {
			t.Error("at rest nothing is filled in")
		}
		s.quiet.Store(0)
		change(2)
		change(3)
		time.Sleep(fillLate - time.Millisecond)
		synctest.Wait()
		if n := filled(); n != 1 {
			t.Errorf("%d are filled in while others wait", n-1)
		}
		time.Sleep(2 * fillQuiet)
		synctest.Wait()
		if n := filled(); n != 3 {
			t.Errorf("%d are filled in after %v", n-1, fillLate)
		}
		change(4)
		time.Sleep(fillQuiet)
		s.quiet.Store(int64(fillQuiet))
		time.Sleep(fillQuiet)
		synctest.Wait()
		if n := filled(); n != 4 {
			t.Errorf("%d are filled in once there is quiet", n-3)
		}
		cancel()
	})
}
