package live

import (
	"encoding/binary"
	"net/netip"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tns-project/tns/evpn"
)

const (
	AS       = 65000
	Port     = 1790            // without privileges, and at addresses of a test's own
	Patience = 2 * time.Minute // of a test that waits for what must happen, on a machine that does other things too
)

var addresses atomic.Uint32

// Address is a loopback address that nothing else of this or another run has: in 127.16.0.0/12.
func Address() netip.Addr {
	pid := os.Getpid()
	return netip.AddrFrom4([4]byte{127, byte(16 + pid>>8%16), byte(pid), byte(addresses.Add(1))})
}

// RouterID is an IPv4 address as the BGP identifier.
func RouterID(a netip.Addr) evpn.RouterID { return evpn.RouterID(binary.BigEndian.Uint32(a.AsSlice())) }

// Eventually tests until it holds.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(Patience)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("never: %s", what)
		}
	}
}
