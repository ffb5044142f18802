package linux

import (
	"slices"
	"strings"
	"testing"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/dataplane/dataplanetest"
)

// exists reports whether a device is there, and in which bridge.
func (w world) exists(t *testing.T, device string) (there bool, master string) {
	t.Helper()
	out, err := w.try("ip -o link show dev " + device)
	if err != nil {
		return false, ""
	}
	if _, rest, in := strings.Cut(out, " master "); in {
		master, _, _ = strings.Cut(rest, " ")
	}
	return true, master
}

func TestLeave(t *testing.T) {
	blueAndRed := dataplanetest.Networks()
	red := blueAndRed[1:]
	changed := func(f func(*dataplane.Network)) []dataplane.Network {
		n := slices.Clone(blueAndRed)
		n[0].Ports = slices.Clone(n[0].Ports)
		f(&n[0])
		return n
	}
	for _, c := range []struct {
		name  string
		make  []string // before nved comes
		then  []string // after that
		next  []dataplane.Network
		gone  []string
		there map[string]string // device: its bridge
	}{
		{"a VN that goes takes its devices along, and leaves its ports alone", nil, nil, red, []string{"br10100", "vx10100"},
			map[string]string{"blue1": "", "blue2": "", "br10200": "", "vx10200": "br10200", "red1": "br10200"}},
		{"what stays is not touched", nil, nil, blueAndRed, nil, map[string]string{"blue1": "br10100", "vx10100": "br10100", "vx10200": "br10200"}},
		{"what somebody else made stays", []string{"ip link add br10100 type bridge"}, nil, red, []string{"vx10100"}, map[string]string{"br10100": "", "blue1": ""}},
		{"a bridge that somebody else uses stays", nil, []string{"ip link add their type veth", "ip link set their master br10100"}, red, []string{"vx10100"},
			map[string]string{"br10100": "", "their": "br10100", "blue1": ""}},
		{"a port that moves can", nil, nil, changed(func(n *dataplane.Network) { n.Ports = n.Ports[:1] }), nil, map[string]string{"blue1": "br10100", "blue2": ""}},
		{"devices with other names are made anew", nil, nil, changed(func(n *dataplane.Network) { n.Bridge, n.VXLAN = "br-blue", "vx-blue" }), []string{"br10100", "vx10100"},
			map[string]string{"br-blue": "", "vx-blue": "br-blue", "blue1": "br-blue", "blue2": "br-blue"}},
		{"another number is another device", nil, nil, changed(func(n *dataplane.Network) { n.VNI = 7; n.Bridge, n.VXLAN = "br7", "vx7" }), []string{"br10100", "vx10100"},
			map[string]string{"vx7": "br7", "blue1": "br7"}},
		{"nothing is left", nil, nil, nil, []string{"br10100", "vx10100", "br10200", "vx10200"}, map[string]string{"blue1": "", "red1": ""}},
		{"a VN whose devices have gone already", nil, []string{"ip link del br10100", "ip link del vx10100", "ip link del blue1"}, red, []string{"br10100"}, map[string]string{"blue2": ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t).(world)
			for _, line := range c.make {
				w.run(t, "%s", line)
			}
			if err := w.k.Ensure(t.Context(), blueAndRed); err != nil {
				t.Fatal(err)
			}
			for _, line := range c.then {
				w.run(t, "%s", line)
			}
			next := w.kernel(t) // of the next process
			for range 2 {       // once more changes nothing
				if err := next.Leave(t.Context(), blueAndRed, c.next); err != nil {
					t.Fatal(err)
				}
				if err := next.Ensure(t.Context(), c.next); err != nil {
					t.Fatal(err)
				}
			}
			for _, device := range c.gone {
				if there, _ := w.exists(t, device); there {
					t.Errorf("%s is left", device)
				}
			}
			for device, want := range c.there {
				if there, master := w.exists(t, device); !there || master != want {
					t.Errorf("%s is there: %v, in %q, want %q", device, there, master, want)
				}
			}
		})
	}
}
