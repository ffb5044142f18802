package endtoend

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// reload is what tnsctl tells of a reload.
type reload struct {
	Changed  bool
	Problems []string
}

// reload reloads; the answer must have that exit status.
func (w *world) reload(status int) reload {
	w.t.Helper()
	s := w.tnsctl("nved", "--json", "reload")
	if s.status != status {
		w.t.Fatalf("reload: exit status %d, want %d: %s%s", s.status, status, s.out, s.errs)
	}
	return decode[reload](w.t, s)
}

// device tells whether the edge has a device.
func (w *world) device(name string) bool {
	w.t.Helper()
	return w.do(w.in(w.nve, "ip", "link", "show", "dev", name)).status == 0
}

// notReloaded has a reload refused with just these problems, after a change of the file that is taken back.
func (w *world) notReloaded(old, text string, problems ...string) {
	w.t.Helper()
	path := filepath.Join(w.dir, "nved.yaml")
	whole, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer w.write("nved.yaml", string(whole))
	w.change("nved.yaml", old, text)
	r := w.reload(1)
	if r.Changed || len(r.Problems) != len(problems) {
		w.t.Errorf("reload: %+v, want problems with %q", r, problems)
		return
	}
	for i, want := range problems {
		if !strings.Contains(r.Problems[i], want) {
			w.t.Errorf("reload: problem %q, want one with %q", r.Problems[i], want)
		}
	}
}

func TestReload(t *testing.T) {
	w := newWorld(t)
	w.join("vm2", "eth2")
	w.change("tesd.yaml", "  - {name: blue, vni: 10100}\n", "  - {name: blue, vni: 10100}\n  - {name: red, vni: 10200}\n")
	nved := w.start("nved")
	w.start("tesd")
	w.established()
	w.operate("associate", "--nic", nic)
	_, since := w.since()
	guard, engine := nved.process("guard"), nved.process("engine")
	kept := func(t *testing.T) {
		t.Helper()
		if state, now := w.since(); state != "established" || now != since {
			t.Errorf("the session is %s since %s, was since %s", state, now, since)
		}
		if !w.forwards(mac) {
			t.Error("the kernel lost the entry")
		}
		if now := nved.process("guard"); now != guard {
			t.Errorf("the guard was %d and is %d", guard, now)
		}
	}

	t.Run("nothing has changed", func(t *testing.T) {
		if r := w.reload(0); r.Changed || len(r.Problems) > 0 {
			t.Errorf("reload: %+v", r)
		}
		if now := nved.process("engine"); now != engine {
			t.Errorf("the engine was %d and is %d", engine, now)
		}
	})

	t.Run("what cannot be taken over leaves all as it is", func(t *testing.T) {
		w.notReloaded("nve_id: 192.0.2.1\nas: 65000", "nve_id: 192.0.2.9\nas: 65001", "nve_id: cannot change", "as: cannot change")
		w.notReloaded("{address: 198.51.100.11, as: 65000}", "{address: 198.51.100.11, as: 65000, password: other}", "tes: neighbour 198.51.100.11 cannot be changed")
		w.notReloaded("vns:", "colour: blue\nvns:", "colour: unknown key")
		w.notReloaded("vni: 10100}", "vni: ten}\n", `vns[0].vni: value "ten"`)
		w.notReloaded("nve_id", "{", "not YAML")
		w.notReloaded("port: eth1", "port: eth7", `"eth7": no such device on this machine`)
		if now := nved.process("engine"); now != engine {
			t.Errorf("the engine was %d and is %d", engine, now)
		}
		kept(t)
	})

	t.Run("a VN with a VM is neither renumbered nor deleted, nor its port taken away", func(t *testing.T) {
		w.notReloaded("vni: 10100}", "vni: 10101}", "VN blue cannot be renumbered from 10100 to 10101 while VMs are in it: "+vmid+" at TES 198.51.100.11")
		w.notReloaded("- {name: blue, vni: 10100}\nports:\n  - {port: eth1, vn: blue, tes: [198.51.100.11]}", "- {name: red, vni: 10200}\nports: []",
			"VN blue (10100) cannot be deleted while VMs are in it: "+vmid)
		w.notReloaded("ports:\n  - {port: eth1, vn: blue, tes: [198.51.100.11]}\n", "", "TES 198.51.100.11 cannot lose its port in VN blue while VMs of it are there: "+vmid)
		w.notReloaded("{name: blue, vni: 10100}", "{name: blue, vni: 10100, bridge: br-blue}", "VN blue cannot have other devices than tnsbr10100 and tnsvx10100 while VMs are in it: "+vmid)
		if now := nved.process("engine"); now != engine {
			t.Errorf("the engine was %d and is %d", engine, now)
		}
		kept(t)
	})

	t.Run("an engine that cannot start with it is started as it was", func(t *testing.T) {
		run(t, "ip", "-n", w.nve, "link", "add", "theirs", "type", "bridge")
		run(t, "ip", "-n", w.nve, "link", "set", "eth2", "master", "theirs")
		w.notReloaded("  - {name: blue, vni: 10100}\nports:\n", "  - {name: blue, vni: 10100}\n  - {name: red, vni: 10200}\nports:\n  - {port: eth2, vn: red, tes: [198.51.100.11]}\n",
			"the engine did not start with it, and runs with the one before: make the devices of the VNs: enslave eth2 to tnsbr10200: its master is theirs, none is needed")
		run(t, "ip", "-n", w.nve, "link", "del", "theirs")
		w.becomes("nved", "associated", "")
		kept(t)
		if r := w.reload(0); r.Changed {
			t.Errorf("nved says that it runs with another configuration than before: %+v", r)
		}
	})

	t.Run("a VN comes", func(t *testing.T) {
		w.change("nved.yaml", "  - {name: blue, vni: 10100}\nports:\n", "  - {name: blue, vni: 10100, max_vms: 5}\n  - {name: red, vni: 10200}\nports:\n  - {port: eth2, vn: red, tes: [198.51.100.11]}\n")
		if r := w.reload(0); !r.Changed || len(r.Problems) > 0 {
			t.Errorf("reload: %+v", r)
		}
		w.becomes("nved", "associated", "")
		kept(t)
		w.operate("associate", "--nic", nic, "--nic", "vn=red,mac="+mac)
		if out := w.tnsctl("nved", "vn", "list").out; !strings.Contains(out, "tnsbr10200") || !strings.Contains(out, "1/5") {
			t.Errorf("vn list says\n%s", out)
		}
	})

	t.Run("a VN that drains takes nobody, and can go when it is empty", func(t *testing.T) {
		drained := w.tnsctl("nved", "vn", "drain", "red").out
		if !strings.Contains(drained, "1 are left") || !strings.Contains(drained, vmid) {
			t.Errorf("vn drain says\n%s", drained)
		}
		eventually(t, "wait for the hypervisor to hear of it", func() error {
			if s := w.tnsctl("tesd", "vm", "explain", vmid); !strings.Contains(s.out, "NVE draining") {
				return fmt.Errorf("the story is\n%s", s.out)
			}
			return nil
		})
		other := w.tnsctl("tesd", "--json", "vm", "associate", "--vm", "6f1c2b3a-4d5e-4f60-8192-0a1b2c3d4e60", "--nic", "vn=red,mac=02:00:00:00:00:02")
		if r := decode[result](t, other); other.status != 1 || r.ReasonCode != 17 {
			t.Errorf("a new VM: exit status %d, %+v", other.status, r)
		}
		w.tnsctl("tesd", "vm", "terminate", "--vm", "6f1c2b3a-4d5e-4f60-8192-0a1b2c3d4e60")
		w.operate("associate", "--nic", nic)
		eventually(t, "wait for the VN to be empty", func() error {
			if s := w.tnsctl("nved", "vn", "drain", "red"); !strings.Contains(s.out, "is empty") {
				return fmt.Errorf("vn drain says\n%s", s.out)
			}
			return nil
		})
		w.change("nved.yaml", "  - {name: red, vni: 10200}\nports:\n  - {port: eth2, vn: red, tes: [198.51.100.11]}\n", "ports:\n")
		if !w.device("tnsbr10200") || !w.device("tnsvx10200") {
			t.Error("red has no devices")
		}
		// a signal does the same
		if err := nved.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		eventually(t, "wait for the VN's devices to go", func() error {
			if w.device("tnsbr10200") || w.device("tnsvx10200") {
				return fmt.Errorf("they are there; nved says\n%s", nved.log)
			}
			return nil
		})
		w.becomes("nved", "associated", "")
		kept(t)
		if s := w.tnsctl("nved", "vn", "list"); strings.Contains(s.out, "red") {
			t.Errorf("vn list says\n%s", s.out)
		}
	})

	t.Run("the next engine and the next guard have what was reloaded", func(t *testing.T) {
		nved.kill("engine")
		eventually(t, "ask the next engine", func() error {
			if s := w.tnsctl("nved", "--json", "vn", "list"); s.status != 0 || strings.Contains(s.out, "red") || !strings.Contains(s.out, `"limit": 5`) {
				return fmt.Errorf("vn list says\n%s%s", s.out, s.errs)
			}
			return nil
		})
		w.becomes("nved", "associated", "")
		kept(t)
		nved.kill("guard")
		w.becomes("nved", "associated", "")
	})
}
