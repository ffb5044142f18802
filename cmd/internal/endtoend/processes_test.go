package endtoend

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// process is the process id of one of nved's processes.
func (d *daemon) process(name string) int {
	d.t.Helper()
	pid := 0
	eventually(d.t, "find the process "+name, func() error {
		lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", d.Process.Pid)) // each thread has its own
		if err != nil {
			return err
		}
		var children []string
		for _, list := range lists {
			text, _ := os.ReadFile(list) // of a thread that has ended meanwhile there is nothing
			children = append(children, strings.Fields(string(text))...)
		}
		for _, c := range children {
			line, err := os.ReadFile("/proc/" + c + "/cmdline")
			if words := strings.Split(string(line), "\x00"); err == nil && len(words) > 1 && words[1] == name {
				pid, err = strconv.Atoi(c)
				return err
			}
		}
		return fmt.Errorf("nved's children are %s", children)
	})
	return pid
}

// since is what tesd tells of its session with nved.
func (w *world) since() (state, since string) {
	w.t.Helper()
	sessions := decode[[]struct{ State, Since string }](w.t, w.tnsctl("tesd", "--json", "sessions"))
	if len(sessions) != 1 {
		w.t.Fatalf("tesd has the sessions %+v", sessions)
	}
	return sessions[0].State, sessions[0].Since
}

// engines is how often nved tells that the engine behind the session was replaced; fewer than none if it does not answer.
func (w *world) engines() int {
	s := w.tnsctl("nved", "--json", "sessions")
	var sessions []struct {
		Restarts int `json:"engine_restarts"`
	}
	if s.status != 0 || json.Unmarshal([]byte(s.out), &sessions) != nil || len(sessions) != 1 {
		return -1
	}
	return sessions[0].Restarts
}

// kill ends one of nved's processes and waits until another has taken its place.
func (d *daemon) kill(name string) {
	d.t.Helper()
	before := d.process(name)
	if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
		d.t.Fatal(err)
	}
	eventually(d.t, "wait for another "+name, func() error {
		if d.process(name) == before {
			return fmt.Errorf("%s is still there", name)
		}
		return nil
	})
}

// upgrade puts another version into nved's place, and returns how the old one comes back.
func upgrade(t *testing.T) (old func()) {
	t.Helper()
	program := filepath.Join(binaries, "nved")
	version := "-X github.com/tns-project/tns/cmd/internal/build.version=upgraded"
	run(t, "go", append(append([]string{"build", "-ldflags", version, "-o", program + ".new"}, raceFlags...), "../../nved")...)
	if err := os.Link(program, program+".old"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(program+".new", program); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Rename(program+".old", program); err != nil {
			t.Error(err)
		}
	}
}

func TestProcesses(t *testing.T) {
	w := newWorld(t)
	w.write("password", "between-tes-and-edge\n")
	w.change("nved.yaml", "{address: 198.51.100.11, as: 65000}", "{address: 198.51.100.11, as: 65000, password_file: DIR/password}")
	w.change("tesd.yaml", "nve_id: 192.0.2.1}", "nve_id: 192.0.2.1, password: between-tes-and-edge}")
	nved, tesd := w.start("nved"), w.start("tesd")
	w.established()
	w.operate("associate", "--nic", nic)

	t.Run("the guard has no privileges", func(t *testing.T) {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", nved.process("guard")))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"Uid:\t65534\t65534\t65534\t65534\n", "Gid:\t65534\t65534\t65534\t65534\n", "Groups:\t \n", "CapEff:\t0000000000000000\n",
			"CapPrm:\t0000000000000000\n", "NoNewPrivs:\t1\n"} {
			if !strings.Contains(string(status), want) {
				t.Errorf("%q is missing in\n%s", want, status)
			}
		}
		for name, mode := range map[string]os.FileMode{"nved-guard-tes.sock": 0o600, "nved-guard-fabric.sock": 0o600, "nved.lock": 0o600} {
			if info, err := os.Stat(filepath.Join(w.dir, name)); err != nil || info.Mode().Perm() != mode {
				t.Errorf("%s: %v, %v, want mode %o", name, info, err, mode)
			}
		}
	})

	t.Run("no secret is in arguments or environment", func(t *testing.T) {
		for _, name := range []string{"guard", "engine"} {
			for _, file := range []string{"cmdline", "environ"} {
				text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", nved.process(name), file))
				if err != nil {
					t.Fatal(err)
				}
				if strings.Contains(string(text), "between-tes-and-edge") {
					t.Errorf("%s of %s has the password", file, name)
				}
			}
		}
	})

	whole, err := os.ReadFile(filepath.Join(w.dir, "nved.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	// From here on the files are of no use: what nved was started with counts.
	w.write("nved.yaml", "nve_id: nonsense\n")
	if err := os.Remove(filepath.Join(w.dir, "password")); err != nil {
		t.Fatal(err)
	}

	t.Run("the engine is killed: no session notices, and what is asked meanwhile is done", func(t *testing.T) {
		_, before := w.since()
		for n := range 3 {
			nved.kill("engine")
			if r := w.operate("suspend"); r.State != "suspended" {
				t.Errorf("suspend: %+v", r)
			}
			if r := w.operate("resume"); r.State != "associated" {
				t.Errorf("resume: %+v", r)
			}
			w.becomes("nved", "associated", "")
			if state, since := w.since(); state != "established" || since != before {
				t.Errorf("the session is %s since %s, was since %s", state, since, before)
			}
			if !w.forwards(mac) {
				t.Error("the kernel lost the entry")
			}
			eventually(t, "wait for nved's count", func() error {
				if got := w.engines(); got != n+1 {
					return fmt.Errorf("nved tells of %d restarts, want %d", got, n+1)
				}
				return nil
			})
		}
	})

	t.Run("the next engine knows the story", func(t *testing.T) {
		// three suspensions by three engines, and the association before them
		story := w.tnsctl("nved", "vm", "explain", vmid).out
		if n := strings.Count(story, "suspended"); n < 3 || !strings.Contains(story, " fdb ") {
			t.Errorf("%d times suspended, want three in\n%s", n, story)
		}
	})

	t.Run("the program is replaced and the engine ended: an upgrade that no session notices", func(t *testing.T) {
		_, before := w.since()
		old := upgrade(t)
		defer old()
		if err := syscall.Kill(nved.process("engine"), syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		eventually(t, "wait for the new program", func() error {
			if s := w.tnsctl("nved", "version"); !strings.Contains(s.out, "upgraded") {
				return fmt.Errorf("tnsctl version: %s%s", s.out, s.errs)
			}
			return nil
		})
		w.becomes("nved", "associated", "")
		if state, since := w.since(); state != "established" || since != before {
			t.Errorf("the session is %s since %s, was since %s", state, since, before)
		}
	})

	t.Run("the guard is killed: the session comes back, forwarding goes on", func(t *testing.T) {
		engine := nved.process("engine")
		nved.kill("guard")
		w.becomes("nved", "associated", "")
		eventually(t, "wait for the session", func() error {
			if state, _ := w.since(); state != "established" {
				return fmt.Errorf("it is %s", state)
			}
			return nil
		})
		if !w.forwards(mac) {
			t.Error("the kernel lost the entry")
		}
		if r := w.operate("keep-alive"); r.State != "associated" {
			t.Errorf("keep-alive: %+v", r)
		}
		if now := nved.process("engine"); now != engine {
			t.Errorf("the engine was %d and is %d, want the same", engine, now)
		}
	})

	t.Run("nved itself is killed: its processes end, and another nved takes over", func(t *testing.T) {
		w.write("password", "between-tes-and-edge\n")
		children := []int{nved.process("guard"), nved.process("engine")}
		nved.end(syscall.SIGKILL)
		w.write("nved.yaml", string(whole))
		nved = w.start("nved")
		for _, pid := range children {
			eventually(t, "wait for the end of nved's processes", func() error {
				if syscall.Kill(pid, 0) == nil {
					return fmt.Errorf("process %d is still there", pid)
				}
				return nil
			})
		}
		w.becomes("nved", "associated", "")
		if !w.forwards(mac) {
			t.Error("the kernel lost the entry")
		}
	})

	t.Run("by hand they say whose they are", func(t *testing.T) {
		for _, name := range []string{"guard", "engine"} {
			if s := w.do(w.in(w.nve, "nved", name)); s.status != 2 || !strings.Contains(s.errs, name+": it is started by its daemon, not by hand: want nved --config FILE") {
				t.Errorf("nved %s: exit status %d, %s", name, s.status, s.errs)
			}
		}
		if s := w.do(w.in(w.nve, "nved", "--help")); strings.Contains(s.out, "guard") {
			t.Errorf("nved --help shows its processes:\n%s", s.out)
		}
	})

	if status := tesd.end(syscall.SIGTERM); status != 0 {
		t.Errorf("tesd: exit status %d after SIGTERM, want 0", status)
	}
	if status := nved.end(syscall.SIGTERM); status != 0 {
		t.Errorf("nved: exit status %d after SIGTERM, want 0", status)
	}
	if left, err := filepath.Glob(filepath.Join(w.dir, "nved-guard*.sock")); err != nil || len(left) > 0 {
		t.Errorf("nved left %v, %v", left, err)
	}
}
