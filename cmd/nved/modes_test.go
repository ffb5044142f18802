package main

import (
	"context"
	"errors"
	"testing"

	"github.com/tns-project/tns/config"
	"github.com/tns-project/tns/dataplane"
)

func TestModesThatTheKernelCannotAreNamed(t *testing.T) {
	tried := 0
	try := func(context.Context) map[dataplane.Mode]error {
		tried++
		return map[dataplane.Mode]error{
			dataplane.Access: nil, dataplane.EBPF: nil,
			dataplane.Dot1Q: errors.New("make a VLAN device: operation not supported"), dataplane.VLANAware: errors.New("no"),
		}
	}
	err := checkModes(t.Context(), &config.NVE{Ports: []config.Port{{Name: "eth1"}, {Name: "eth2", Mode: config.EBPF}, {Name: "eth3", Mode: config.Dot1Q}}}, try)
	want := "ports[2].mode: dot1q: this kernel cannot: make a VLAN device: operation not supported; want one that it can: access, ebpf"
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	if err := checkModes(t.Context(), &config.NVE{Ports: []config.Port{{Name: "eth1"}}}, try); err != nil || tried != 1 {
		t.Errorf("untagged ports: %v, and modes were tried %d times, want once, for the tagged ones", err, tried)
	}
}
