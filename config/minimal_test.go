package config

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tns-project/tns/evpn"
)

// The files are those of SPEC §5, word for word.

func TestMinimalNVE(t *testing.T) {
	got, err := LoadNVE("testdata/minimal/nved.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := &NVE{
		ID:         0xC0000201,
		AS:         65000,
		VTEP:       netip.MustParseAddr("192.0.2.1"),
		ListenPort: 179,
		Fabric: []FabricPeer{{
			Address: netip.MustParseAddr("192.0.2.254"), AS: 65000, Port: 179, HoldTime: 9 * time.Second, ConnectRetry: time.Second,
			MaxRoutes: 1_000_000,
		}},
		TES: []TESPeer{{
			Prefix: netip.MustParsePrefix("198.51.100.11/32"), AS: 65000, IDs: []evpn.RouterID{0xC633640B}, HoldTime: 9 * time.Second,
			MaxRoutes: 1_000_000,
		}},
		VNs:         []VN{{Name: "blue", VNI: 10100, Bridge: "tnsbr10100", VXLAN: "tnsvx10100"}},
		Ports:       []Port{{Name: "eth1", VNs: []PortVN{{Name: "blue"}}, TES: []evpn.RouterID{0xC633640B}}},
		RouteTarget: ASVNI,
		State:       "/var/lib/tns/nved.db",
		Control:     "unix:///run/tns/nved.sock",
		GoBGPFabric: "unix:///run/tns/nved-gobgp.sock",
		GoBGPTES:    "unix:///run/tns/nved-tes-gobgp.sock",
		Metrics:     "127.0.0.1:9479",
		Guard:       Guard{User: "nobody"},
		Engine:      Engine{MemoryLimit: 2 << 30},
		Lifetimes: Lifetimes{
			PreAssociated: 300 * time.Second, Associated: 300 * time.Second, Suspended: 3600 * time.Second,
			Emigrating: 120 * time.Second, Orphaned: 3600 * time.Second, Terminated: 60 * time.Second,
		},
		AssemblyTime: 2 * time.Second,
		WithdrawTime: 10 * time.Second,
		HoldOnLoss:   120 * time.Second,
		StartupHold:  120 * time.Second,
		Duplicate:    Duplicate{Moves: 5, Window: 180 * time.Second, Recovery: 9 * time.Minute},
		UDPPort:      4789,
		Log:          Log{Level: "info"},
	}
	if diff := cmp.Diff(want, got, equal...); diff != "" {
		t.Errorf("configuration differs (-want +got):\n%s", diff)
	}
}

func TestMinimalTES(t *testing.T) {
	got, err := LoadTES("testdata/minimal/tesd.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := &TES{
		ID:      0xC633640B,
		AS:      65000,
		NextHop: netip.MustParseAddr("198.51.100.11"),
		NVEs: []NVEPeer{{
			Address: netip.MustParseAddr("192.0.2.1"), AS: 65000, NVEID: 0xC0000201, Port: 179, HoldTime: 9 * time.Second, ConnectRetry: time.Second,
			MaxRoutes: 1_000_000,
		}},
		VNs:            []VN{{Name: "blue", VNI: 10100, NVE: 0xC0000201}},
		Tagging:        Tagging{Timeout: 5 * time.Second},
		State:          "/var/lib/tns/tesd.db",
		Control:        "unix:///run/tns/tesd.sock",
		GoBGP:          "unix:///run/tns/tesd-gobgp.sock",
		BeaconInterval: 30 * time.Second,
		BeaconLifetime: 90 * time.Second,
		ResponseTime:   5 * time.Second,
		RetryMax:       time.Minute,
		Log:            Log{Level: "info"},
	}
	if diff := cmp.Diff(want, got, equal...); diff != "" {
		t.Errorf("configuration differs (-want +got):\n%s", diff)
	}
}

// equal lets cmp compare addresses.
var equal = []cmp.Option{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
}
