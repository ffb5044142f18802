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

// A port that goes keeps neither limits nor guarantees, and one that moves to another VN keeps no limits of the VMs that it had.
func TestLeaveTakesRatesAlong(t *testing.T) {
	w := newWorld(t).(world)
	before := dataplanetest.Networks()
	before[0].Ports = slices.Clone(before[0].Ports)
	for i := range before[0].Ports {
		before[0].Ports[i].Bandwidth = 1e9
	}
	if err := w.k.Ensure(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	mac1, mac2 := dataplane.MAC{2, 0, 0, 0, 0, 1}, dataplane.MAC{2, 0, 0, 0, 0, 2}
	p := dataplane.VMPolicy{From: dataplane.Direction{Limit: dataplane.Limit{Rate: 1e6}}, To: dataplane.Direction{Limit: dataplane.Limit{Rate: 1e6}}, Guarantee: 1e6}
	dataplanetest.Apply(t, w.k, []dataplane.Entry{dataplanetest.Policed(10100, mac1, "blue1", p), dataplanetest.Policed(10100, mac2, "blue2", p)}, nil)
	rates := func(port string) string {
		return w.run(t, "tc filter show dev %s ingress", port) + w.run(t, "tc filter show dev %s egress", port) + w.run(t, "tc qdisc show dev %s root", port)
	}
	for _, port := range []string{"blue1", "blue2"} {
		if have := rates(port); strings.Count(have, "tns_limit_") < 2 || !strings.Contains(have, "htb") {
			t.Fatalf("%s has no limits or no guarantees: this tests nothing:\n%s", port, have)
		}
	}
	moved := slices.Clone(before)
	moved[0].Ports = before[0].Ports[2:]
	moved[1].Ports = append(slices.Clone(before[1].Ports), before[0].Ports[1])
	next := w.kernel(t)
	for range 2 {
		if err := next.Leave(t.Context(), before, moved); err != nil {
			t.Fatal(err)
		}
		for _, port := range []string{"blue1", "blue2"} {
			if have := rates(port); strings.Contains(have, "tns_limit_") {
				t.Errorf("%s has limits still:\n%s", port, have)
			}
		}
		if err := next.Ensure(t.Context(), moved); err != nil {
			t.Fatal(err)
		}
		left, err := next.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, del := dataplane.Diff(nil, left) // the policy of the VM that was on the port that moved
		dataplanetest.Apply(t, next, nil, del)
		for _, port := range []string{"blue1", "blue2"} {
			if have := rates(port); strings.Contains(have, "htb") {
				t.Errorf("%s has guarantees still:\n%s", port, have)
			}
		}
	}
}

// A VN that leaves a trunk takes what stood for it there along; the others of the trunk go on, and their devices are the same.
func TestLeaveATrunk(t *testing.T) {
	for _, m := range modes {
		t.Run(m.String(), func(t *testing.T) { leaveATrunk(t, m) })
	}
}

func leaveATrunk(t *testing.T, m dataplane.Mode) {
	w := newWorldBy(t, m).(world)
	both := w.Networks()
	red := both[1:]
	if err := w.k.Ensure(t.Context(), both); err != nil {
		t.Fatal(err)
	}
	mine := []dataplane.Entry{dataplanetest.Tagged(10200, "trunk", 200, 0), dataplanetest.Opened(10200, "trunk"), dataplanetest.Local(10200, dataplane.MAC{2, 0, 0, 0, 0, 3}, "trunk")}
	dataplanetest.Apply(t, w.k, append([]dataplane.Entry{
		dataplanetest.Tagged(10100, "trunk", 100, 101), dataplanetest.Opened(10100, "trunk"), dataplanetest.Local(10100, dataplane.MAC{2, 0, 0, 0, 0, 3}, "trunk"),
	}, mine...), nil)
	indexes := func() map[string]string {
		all := make(map[string]string)
		for line := range strings.Lines(w.run(t, "ip -o link")) {
			if f := strings.SplitN(line, ": ", 3); len(f) == 3 {
				name, _, _ := strings.Cut(f[1], "@")
				all[name] = f[0]
			}
		}
		return all
	}
	had := indexes()
	next := w.kernel(t)
	for range 2 {
		if err := next.Leave(t.Context(), both, red); err != nil {
			t.Fatal(err)
		}
		if err := next.Ensure(t.Context(), red); err != nil {
			t.Fatal(err)
		}
		dataplanetest.Listed(t, next, mine...)
		now := indexes()
		for _, gone := range []string{"trunk.v10100", "trunk.c10100", "tns-v10100"} {
			if now[gone] != "" {
				t.Errorf("%s is left", gone)
			}
		}
		for _, stays := range []string{red[0].Bridge, red[0].VXLAN, "trunk", "trunk.v10200", "tns-v10200"} {
			if now[stays] != had[stays] {
				t.Errorf("%s is device %q, was %q", stays, now[stays], had[stays])
			}
		}
	}

	if m == dataplane.VLANAware {
		return // the VLAN in the bridge that another VN gets has entries still, which the reconciler prunes
	}

	// Another VN may have what it had; its VIDs are nobody's.
	green := red[0]
	green.VNI, green.Name, green.Ports, green.Bridge, green.VXLAN = 10300, "green", red[0].Ports[1:], "br10300", "vx10300"
	three := append(slices.Clone(red), green)
	if err := next.Ensure(t.Context(), three); err != nil {
		t.Fatal(err)
	}
	dataplanetest.Listed(t, next, mine...)
	theirs := dataplanetest.Tagged(10300, "trunk", 101, 0)
	dataplanetest.Apply(t, next, []dataplane.Entry{theirs}, nil)
	dataplanetest.Listed(t, next, append(mine, theirs)...)

	if err := next.Leave(t.Context(), three, nil); err != nil {
		t.Fatal(err)
	}
	if err := next.Ensure(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	for name := range indexes() {
		if strings.HasPrefix(name, "br") || strings.HasPrefix(name, "vx") || strings.HasPrefix(name, "tns-v") || strings.Contains(name, ".v") {
			t.Errorf("%s is left", name)
		}
	}
	if left := w.run(t, "tc filter show dev trunk ingress") + w.run(t, "tc filter show dev trunk egress"); left != "" {
		t.Errorf("left at the trunk: %s", left)
	}
}
