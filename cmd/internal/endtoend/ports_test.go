package endtoend

import (
	"strings"
	"syscall"
	"testing"
)

// bridgeOf is the bridge that a port of the edge is in; empty: none.
func (w *world) bridgeOf(port string) string {
	w.t.Helper()
	_, rest, _ := strings.Cut(run(w.t, "ip", "-n", w.nve, "-o", "link", "show", "dev", port), " master ")
	bridge, _, _ := strings.Cut(rest, " ")
	return bridge
}

// A port goes to another VN, or gets tagged: by a reload, by one that fails halfway and is taken back, and by a start with another file.
func TestPortsMove(t *testing.T) {
	w := newWorld(t)
	w.join("vm2", "eth2")
	w.join("vm3", "eth3")
	w.change("nved.yaml", "  - {address: 198.51.100.11, as: 65000}\n", "  - {address: 198.51.100.11, as: 65000}\n  - {address: 198.51.100.12}\n")
	const blue = "  - {port: eth2, vn: blue, tes: [198.51.100.12]}\n"
	const red = "  - {port: eth2, vn: red, tes: [198.51.100.12]}\n"
	const tagged = "  - {port: eth2, mode: ebpf, vns: [{name: red, vid: 200}], tes: [198.51.100.12]}\n"
	w.change("nved.yaml", "ports:\n", "ports:\n"+blue)
	w.change("nved.yaml", "  - {name: blue, vni: 10100}\n", "  - {name: blue, vni: 10100}\n  - {name: red, vni: 10200}\n")
	nved := w.start("nved")
	w.start("tesd")
	w.established()
	w.operate("associate", "--nic", nic)
	in := func(want string) {
		t.Helper()
		w.becomes("nved", "associated", "")
		if bridge := w.bridgeOf("eth2"); bridge != want {
			t.Errorf("eth2 is in %q, want %q", bridge, want)
		}
		if !w.forwards(mac) {
			t.Error("the kernel lost the VM's entry")
		}
	}
	in("tnsbr10100")

	// eth3 is somebody else's: the next engine fails when eth2 has moved.
	run(t, "ip", "-n", w.nve, "link", "add", "theirs", "type", "bridge")
	run(t, "ip", "-n", w.nve, "link", "set", "eth3", "master", "theirs")
	w.notReloaded(blue, red+"  - {port: eth3, vn: red, tes: [198.51.100.11]}\n", "the engine did not start with it, and runs with the one before")
	in("tnsbr10100")

	for _, step := range []struct{ from, to, bridge string }{{blue, red, "tnsbr10200"}, {red, tagged, ""}, {tagged, blue, "tnsbr10100"}} {
		w.change("nved.yaml", step.from, step.to)
		if r := w.reload(0); !r.Changed || len(r.Problems) > 0 {
			t.Errorf("reload: %+v", r)
		}
		in(step.bridge)
	}
	for _, step := range []struct{ from, to, bridge string }{{blue, tagged, ""}, {tagged, red, "tnsbr10200"}} {
		nved.end(syscall.SIGTERM)
		w.change("nved.yaml", step.from, step.to)
		nved = w.start("nved")
		in(step.bridge)
	}
}
