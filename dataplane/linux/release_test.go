package linux

import (
	"slices"
	"testing"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/dataplane/dataplanetest"
)

// A start with another configuration, without anybody who was there before to leave: ports are taken out of the bridges that we made, and back again.
func TestPortsThatHaveMoved(t *testing.T) {
	before := dataplanetest.Networks()
	moved := slices.Clone(before)
	moved[0].Ports = slices.Clone(before[0].Ports[1:])
	moved[1].Ports = append(slices.Clone(before[1].Ports), before[0].Ports[0])
	tagged := slices.Clone(before)
	tagged[0].Ports = slices.Clone(before[0].Ports)
	tagged[0].Ports[0].Mode = dataplane.EBPF
	for _, c := range []struct {
		name  string
		next  []dataplane.Network
		place map[string]string // device: its bridge
	}{
		{"to another VN", moved, map[string]string{"blue1": "br10200", "blue2": "br10100", "red1": "br10200"}},
		{"to be tagged", tagged, map[string]string{"blue1": "", "blue1.v10100": "br10100", "blue2": "br10100"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t).(world)
			for _, step := range []struct {
				networks []dataplane.Network
				place    map[string]string
			}{
				{before, map[string]string{"blue1": "br10100"}},
				{c.next, c.place},
				{before, map[string]string{"blue1": "br10100", "blue2": "br10100", "red1": "br10200"}},
			} {
				if err := w.k.Ensure(t.Context(), step.networks); err != nil {
					t.Fatal(err)
				}
				for device, want := range step.place {
					if there, master := w.exists(t, device); !there || master != want {
						t.Errorf("%s: there %v, in %q, want %q", device, there, master, want)
					}
				}
			}
		})
	}
}
