package endtoend

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// binaries is where the programs were built.
var binaries string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "endtoend")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		binaries = dir
		build := exec.Command("go", append(append([]string{"build", "-o", dir + "/"}, raceFlags...), "../../tesd", "../../nved", "../../tnsctl")...)
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// world is a hypervisor and an edge, each in a namespace:
//
//	tes 198.51.100.11 ── underlay ── 192.0.2.1 nve
//	        vm ── the VM's port ── eth1
type world struct {
	t        *testing.T
	dir      string // configurations, state, sockets, logs
	tes, nve string // namespaces
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir, err := os.MkdirTemp("", "tns")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	w := &world{t: t, dir: dir, tes: fmt.Sprintf("endtoend%d-tes", os.Getpid()), nve: fmt.Sprintf("endtoend%d-nve", os.Getpid())}
	for _, ns := range []string{w.tes, w.nve} {
		run(t, "ip", "netns", "add", ns)
		t.Cleanup(func() { run(t, "ip", "netns", "del", ns) })
		run(t, "ip", "-n", ns, "link", "set", "lo", "up")
	}
	w.join("underlay", "underlay")
	w.join("vm", "eth1")
	run(t, "ip", "-n", w.tes, "addr", "add", "198.51.100.11/32", "dev", "underlay")
	run(t, "ip", "-n", w.nve, "addr", "add", "192.0.2.1/32", "dev", "underlay")
	run(t, "ip", "-n", w.tes, "route", "add", "192.0.2.1/32", "dev", "underlay", "src", "198.51.100.11")
	run(t, "ip", "-n", w.nve, "route", "add", "198.51.100.11/32", "dev", "underlay", "src", "192.0.2.1")
	w.write("tesd.yaml", `
tes_id: 198.51.100.11
as: 65000
nves:
  - {address: 192.0.2.1, as: 65000, nve_id: 192.0.2.1}
vns:
  - {name: blue, vni: 10100}
state: DIR/tesd.db
control: unix://DIR/tesd.sock
gobgp: unix://DIR/tesd-gobgp.sock
metrics: 127.0.0.1:9480
`)
	w.write("nved.yaml", `
nve_id: 192.0.2.1
as: 65000
vtep: 192.0.2.1
fabric: []
tes:
  - {address: 198.51.100.11, as: 65000}
vns:
  - {name: blue, vni: 10100}
ports:
  - {port: eth1, vn: blue, tes: [198.51.100.11]}
state: DIR/nved.db
control: unix://DIR/nved.sock
gobgp: {fabric: unix://DIR/nved-gobgp.sock, tes: unix://DIR/nved-tes-gobgp.sock}
metrics: 127.0.0.1:9479
`)
	return w
}

// join links the two namespaces.
func (w *world) join(atTES, atNVE string) {
	w.t.Helper()
	run(w.t, "ip", "link", "add", atTES, "netns", w.tes, "type", "veth", "peer", "name", atNVE, "netns", w.nve)
	run(w.t, "ip", "-n", w.tes, "link", "set", atTES, "up")
	run(w.t, "ip", "-n", w.nve, "link", "set", atNVE, "up")
}

func (w *world) write(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(strings.ReplaceAll(text, "DIR", w.dir)), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// change replaces a part of a file that is there.
func (w *world) change(name, old, text string) {
	w.t.Helper()
	b, err := os.ReadFile(filepath.Join(w.dir, name))
	if err != nil {
		w.t.Fatal(err)
	}
	if !strings.Contains(string(b), old) {
		w.t.Fatalf("%s has no %q", name, old)
	}
	w.write(name, strings.Replace(string(b), old, text, 1))
}

// run runs a command that must succeed and returns its output.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// in is a command in a namespace; a program of ours by its name.
func (w *world) in(namespace, name string, args ...string) *exec.Cmd {
	if path := filepath.Join(binaries, name); fileExists(path) {
		name = path
	}
	c := exec.Command("ip", append([]string{"netns", "exec", namespace, name}, args...)...)
	c.Dir = w.dir
	return c
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// daemon is a running tesd or nved.
type daemon struct {
	*exec.Cmd
	t    *testing.T
	name string
	log  *written
	done chan error // its end, once
}

// start starts a daemon; at the end of the test it is killed if it still runs, and its log shown if the test failed.
func (w *world) start(name string) *daemon {
	w.t.Helper()
	namespace := w.tes
	if name == "nved" {
		namespace = w.nve
	}
	d := &daemon{Cmd: w.in(namespace, name, "--config", name+".yaml"), t: w.t, name: name, log: &written{}, done: make(chan error, 1)}
	d.Stdout, d.Stderr = d.log, d.log
	if err := d.Start(); err != nil {
		w.t.Fatal(err)
	}
	go func() { d.done <- d.Wait() }()
	w.t.Cleanup(func() {
		if d.ProcessState == nil {
			d.Process.Kill()
			<-d.done
		}
		if strings.Contains(d.log.String(), "DATA RACE") {
			w.t.Errorf("%s has a data race", name)
		}
		if w.t.Failed() {
			w.t.Logf("%s said:\n%s", name, d.log)
		}
	})
	return d
}

// end sends a signal and waits for the end; it returns the exit status, -1 for a signal that kills.
func (d *daemon) end(s syscall.Signal) int {
	d.t.Helper()
	if err := d.Process.Signal(s); err != nil {
		d.t.Fatal(err)
	}
	select {
	case err := <-d.done:
		d.done <- err
		return d.ProcessState.ExitCode()
	case <-time.After(15 * time.Second):
		d.t.Fatalf("%s has not ended 15 s after %v", d.name, s)
		return 0
	}
}

// said is what a command printed.
type said struct {
	out, errs string
	status    int
}

// tnsctl asks a daemon.
func (w *world) tnsctl(daemon string, args ...string) said {
	w.t.Helper()
	return w.do(w.in(w.tes, "tnsctl", append([]string{"--api", "unix://" + filepath.Join(w.dir, daemon+".sock")}, args...)...))
}

func (w *world) do(c *exec.Cmd) said {
	w.t.Helper()
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		w.t.Fatal(err)
	}
	return said{out.String(), errs.String(), c.ProcessState.ExitCode()}
}

// decode reads what was printed with --json.
func decode[T any](t *testing.T, s said) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(s.out), &v); err != nil {
		t.Fatalf("%v in %q (standard error %q)", err, s.out, s.errs)
	}
	return v
}

// eventually waits until f finds nothing wrong.
func eventually(t *testing.T, what string, f func() error) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for tick := time.NewTicker(50 * time.Millisecond); ; {
		err := f()
		if err == nil {
			tick.Stop()
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: %v", what, err)
		}
	}
}

// forwards reports whether the kernel has the MAC on the VM's port.
func (w *world) forwards(mac string) bool {
	w.t.Helper()
	return strings.Contains(run(w.t, "bridge", "-n", w.nve, "fdb", "show", "dev", "eth1"), mac)
}
