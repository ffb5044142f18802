package endtoend

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const (
	vmid = "6f1c2b3a-4d5e-4f60-8192-0a1b2c3d4e5f"
	mac  = "02:00:00:00:00:01"
	nic  = "vn=blue,mac=" + mac + ",ip=10.1.0.1"
)

// result and vm have the keys that SPEC §5 names.
type result struct {
	VMID       string
	Op         string
	Status     string
	Reason     string
	ReasonCode int `json:"reason_code"`
	State      string
	Sequence   uint32
	ElapsedMS  float64 `json:"elapsed_ms"`
}

type vm struct {
	VMID   string
	TES    string
	NVE    string
	State  string
	Mark   string
	Routes []struct {
		VN     string
		VNI    int
		MAC    string
		IP     string
		Active bool
		Reason string
	}
	Tag *struct{ Type string }
}

// operate does one step of the VM's life, which must succeed.
func (w *world) operate(op string, args ...string) result {
	w.t.Helper()
	s := w.tnsctl("tesd", append([]string{"--json", "vm", op, "--vm", vmid}, args...)...)
	if s.status != 0 {
		w.t.Fatalf("%s: exit status %d: %s%s", op, s.status, s.out, s.errs)
	}
	r := decode[result](w.t, s)
	if r.VMID != vmid || r.Op != op || r.Status != "success" || r.ReasonCode != 0 || r.Sequence == 0 || r.ElapsedMS <= 0 {
		w.t.Errorf("%s: %+v, want success with a sequence and a time", op, r)
	}
	return r
}

// established waits for the session.
func (w *world) established() {
	w.t.Helper()
	eventually(w.t, "wait for the session", func() error {
		s := w.tnsctl("tesd", "sessions")
		if !strings.Contains(s.out, " established ") {
			return fmt.Errorf("exit status %d: %s%s", s.status, s.out, s.errs)
		}
		return nil
	})
}

// becomes waits until a daemon has the VM in a state, with a mark.
func (w *world) becomes(daemon, state, mark string) {
	w.t.Helper()
	eventually(w.t, fmt.Sprintf("wait until %s has the VM as %s %s", daemon, state, mark), func() error {
		s := w.tnsctl(daemon, "--json", "vm", "show", vmid)
		if s.status != 0 {
			return fmt.Errorf("exit status %d: %s", s.status, s.errs)
		}
		if v := decode[vm](w.t, s); v.State != state || v.Mark != mark {
			return fmt.Errorf("it is %s %s", v.State, v.Mark)
		}
		return nil
	})
}

func TestLifeOfAVM(t *testing.T) {
	w := newWorld(t)
	nved, tesd := w.start("nved"), w.start("tesd")
	w.established()

	if r := w.operate("associate", "--nic", nic); r.State != "associated" {
		t.Errorf("associate: state %s", r.State)
	}
	if !w.forwards(mac) {
		t.Error("SUCCESS to ASSOCIATE, and the kernel has no entry")
	}
	for _, daemon := range []string{"tesd", "nved"} {
		vms := decode[[]vm](t, w.tnsctl(daemon, "--json", "vm", "list"))
		if len(vms) != 1 || vms[0].TES != "198.51.100.11" || vms[0].NVE != "192.0.2.1" || len(vms[0].Routes) != 2 || !vms[0].Routes[0].Active {
			t.Errorf("%s lists %+v, want the VM with two active routes", daemon, vms)
		}
	}
	story := w.tnsctl("nved", "vm", "explain", vmid).out
	for _, kind := range []string{"request", "state", "fdb", "fabric", "response"} {
		if !strings.Contains(story, " "+kind+" ") {
			t.Errorf("the VM's story has no %s:\n%s", kind, story)
		}
	}

	t.Run("what is refused", func(t *testing.T) {
		for _, c := range []struct {
			args   string
			status int
			errs   string
		}{
			{"vm suspend --vm 00000000-0000-4000-8000-000000000001", 1, "not known here"},
			{"vm associate --vm 00000000-0000-4000-8000-000000000001 --nic vn=red,mac=02:00:00:00:00:02", 1, "red"},
			{"vm associate --vm 00000000-0000-4000-8000-000000000001 --nic vn=blue", 2, "vn and mac are needed"},
			{"fdb", 1, "ask nved"},
		} {
			if s := w.tnsctl("tesd", strings.Fields(c.args)...); s.status != c.status || !strings.Contains(s.errs, c.errs) {
				t.Errorf("tnsctl %s: exit status %d, %q; want %d with %q", c.args, s.status, s.errs, c.status, c.errs)
			}
		}
	})

	t.Run("a dry run changes nothing", func(t *testing.T) {
		if r := w.operate("suspend", "--dry-run"); r.State != "suspended" {
			t.Errorf("suspend --dry-run: state %s, want what would be", r.State)
		}
		w.becomes("nved", "associated", "")
	})

	t.Run("suspend, keep-alive and resume", func(t *testing.T) {
		w.operate("suspend")
		if w.forwards(mac) {
			t.Error("a suspended VM's MAC is in the kernel")
		}
		if r := w.operate("keep-alive"); r.State != "suspended" {
			t.Errorf("keep-alive: state %s, want that it stays suspended", r.State)
		}
		if r := w.operate("resume"); r.State != "associated" {
			t.Errorf("resume: state %s", r.State)
		}
		if !w.forwards(mac) {
			t.Error("a resumed VM's MAC is not in the kernel")
		}
	})

	t.Run("a stock gobgp reads all tables and is refused writes", func(t *testing.T) {
		for _, c := range []struct{ socket, args, want string }{
			{"tesd-gobgp", "global rib -a evpn", mac},
			{"tesd-gobgp", "neighbor", "192.0.2.1"},
			{"nved-gobgp", "global rib -a evpn", mac},
			{"nved-tes-gobgp", "neighbor", "198.51.100.11"},
			{"nved-tes-gobgp", "neighbor 198.51.100.11 adj-in -a evpn", mac},
		} {
			s := w.do(w.in(w.tes, "gobgp", append([]string{"--target", "unix://" + filepath.Join(w.dir, c.socket+".sock")}, strings.Fields(c.args)...)...))
			if s.status != 0 || !strings.Contains(s.out, c.want) {
				t.Errorf("gobgp %s at %s: exit status %d, %s%s; want %s in it", c.args, c.socket, s.status, s.out, s.errs, c.want)
			}
		}
		s := w.do(w.in(w.tes, "gobgp", "--target", "unix://"+filepath.Join(w.dir, "tesd-gobgp.sock"), "global", "rib", "del", "-a", "evpn",
			"macadv", mac, "10.1.0.1", "etag", "0", "label", "10100", "rd", "198.51.100.11:1"))
		if !strings.Contains(s.out+s.errs, "read-only") {
			t.Errorf("gobgp global rib del: %s%s, want that it is refused", s.out, s.errs)
		}
		routes := w.in(w.tes, "gobgp", "--target", "unix://"+filepath.Join(w.dir, "nved-tes-gobgp.sock"), "neighbor", "198.51.100.11", "adj-in", "-a", "evpn", "-j")
		words := w.in(w.tes, "tnsctl", "decode")
		words.Stdin = strings.NewReader(w.do(routes).out)
		if s := w.do(words); s.status != 0 || !strings.Contains(s.out, "VM "+vmid) || !strings.Contains(s.out, "OP resume base suspended") {
			t.Errorf("decode: exit status %d, %s%s; want the VM's request in words", s.status, s.out, s.errs)
		}
	})

	t.Run("metrics and health", func(t *testing.T) {
		for _, c := range []struct{ namespace, url, want string }{
			{w.nve, "http://127.0.0.1:9479/metrics", `tns_nve_vms{state="associated"} 1`},
			{w.nve, "http://127.0.0.1:9479/metrics", `tns_fdb_entries{kind="local"} 1`},
			{w.tes, "http://127.0.0.1:9480/metrics", `tns_tes_requests_total{op="associate"} 1`},
			{w.tes, "http://127.0.0.1:9480/metrics", `tns_bgp_session_up{peer="192.0.2.1",plane="nve"} 1`},
			{w.nve, "http://127.0.0.1:9479/healthz", "ok"},
			{w.nve, "http://127.0.0.1:9479/readyz", "ok"},
			{w.tes, "http://127.0.0.1:9480/readyz", "ok"},
		} {
			if s := w.do(w.in(c.namespace, "curl", "-sf", c.url)); !strings.Contains(s.out, c.want) {
				t.Errorf("%s: %q is missing in\n%s", c.url, c.want, s.out)
			}
		}
	})

	t.Run("a second daemon on the same socket leaves the first alone", func(t *testing.T) {
		if s := w.do(w.in(w.nve, "nved", "--config", "nved.yaml")); s.status != 1 || !strings.Contains(s.errs, "another daemon is running") {
			t.Errorf("second nved: exit status %d, %s", s.status, s.errs)
		}
		w.becomes("nved", "associated", "")
	})

	t.Run("tesd is killed: forwarding goes on, and what was is there again", func(t *testing.T) {
		tesd.end(syscall.SIGKILL)
		w.becomes("nved", "associated", "orphaned")
		if !w.forwards(mac) {
			t.Error("the kernel lost the entry with tesd")
		}
		if s := w.tnsctl("tesd", "vm", "list"); s.status != 3 {
			t.Errorf("no daemon: exit status %d, want 3", s.status)
		}
		tesd = w.start("tesd")
		w.becomes("nved", "associated", "")
	})

	t.Run("nved is stopped: forwarding goes on, and what was is there again", func(t *testing.T) {
		if status := nved.end(syscall.SIGTERM); status != 0 {
			t.Errorf("exit status %d after SIGTERM, want 0", status)
		}
		if !w.forwards(mac) {
			t.Error("the kernel lost the entry with nved")
		}
		s := w.tnsctl("tesd", "--json", "vm", "keep-alive", "--vm", vmid, "--timeout", "500ms")
		if r := decode[result](t, s); s.status != 3 || r.Status != "no-session" || r.Reason == "" || !strings.Contains(s.errs, r.Reason) {
			t.Errorf("keep-alive: exit status %d, %+v, standard error %q; want 3 and no session, with the reason in both", s.status, r, s.errs)
		}
		nved = w.start("nved")
		w.becomes("nved", "associated", "")
		w.becomes("tesd", "associated", "")
		if !w.forwards(mac) {
			t.Error("the kernel lost the entry when nved came back")
		}
	})

	t.Run("terminate", func(t *testing.T) {
		if r := w.operate("terminate"); r.State != "terminated" {
			t.Errorf("terminate: state %s", r.State)
		}
		if w.forwards(mac) {
			t.Error("a terminated VM's MAC is in the kernel")
		}
	})

	if status := tesd.end(syscall.SIGTERM); status != 0 {
		t.Errorf("tesd: exit status %d after SIGTERM, want 0", status)
	}
	if status := nved.end(syscall.SIGINT); status != 0 {
		t.Errorf("nved: exit status %d after SIGINT, want 0", status)
	}
}

// An unfit host is found before anything is made.
func TestCheck(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		namespace, program string
		status             int
		want               string
	}{
		{w.nve, "nved", 0, "nved.yaml: fine"},
		{w.tes, "nved", 2, `"eth1": no such device`},
		{w.tes, "tesd", 0, "tesd.yaml: fine"},
	} {
		s := w.do(w.in(c.namespace, c.program, "--config", c.program+".yaml", "--check"))
		if s.status != c.status || !strings.Contains(s.out+s.errs, c.want) {
			t.Errorf("%s --check in %s: exit status %d, %s%s; want %d with %q", c.program, c.namespace, s.status, s.out, s.errs, c.status, c.want)
		}
	}
	if links := run(t, "ip", "-n", w.nve, "-o", "link", "show", "type", "vxlan"); links != "" {
		t.Errorf("--check made devices: %s", links)
	}
}
