package guard_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker/gobgp"
	"github.com/tns-project/tns/speaker/guard"
)

// frr is FRR's bgpd as a reflector on a loopback address, without zebra and its kernel.
type frr struct {
	address netip.Addr
	dir     string
}

// startFRR runs one whose clients are a guard, with a password and TTL security, and another.
func startFRR(t *testing.T, guarded, other netip.Addr) *frr {
	t.Helper()
	f := &frr{address: address()}
	var err error
	if f.dir, err = os.MkdirTemp("", "frr"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(f.dir) })
	if err := os.Chmod(f.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf(`router bgp %[1]d
 bgp router-id %[2]v
 bgp cluster-id %[2]v
 no bgp default ipv4-unicast
 neighbor %[3]v remote-as %[1]d
 neighbor %[3]v password correct-horse
 neighbor %[3]v ttl-security hops 1
 neighbor %[3]v timers 1 3
 neighbor %[4]v remote-as %[1]d
 neighbor %[4]v passive
 address-family l2vpn evpn
  neighbor %[3]v activate
  neighbor %[3]v route-reflector-client
  neighbor %[4]v activate
  neighbor %[4]v route-reflector-client
`, as, f.address, guarded, other)
	file := filepath.Join(f.dir, "bgpd.conf")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	command := exec.Command("/usr/lib/frr/bgpd", "-f", file, "-i", filepath.Join(f.dir, "pid"), "-z", filepath.Join(f.dir, "none"), "-S", "-n",
		"-l", f.address.String(), "-p", fmt.Sprint(port), "-P", "0", "--vty_socket", f.dir, "--log", "file:"+filepath.Join(f.dir, "log"))
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	return f
}

// neighbour is what FRR tells of a session: since when it stands, and how many UPDATEs came.
func (f *frr) neighbour(t *testing.T, a netip.Addr) (since float64, updates int) {
	t.Helper()
	out, err := exec.Command("vtysh", "--vty_socket", f.dir, "-d", "bgpd", "-c", fmt.Sprintf("show bgp neighbors %v json", a)).Output()
	if err != nil {
		t.Fatalf("vtysh: %v: %s", err, out)
	}
	var answer map[string]json.RawMessage
	var v struct {
		Epoch float64 `json:"bgpTimerUpEstablishedEpoch"`
		Stats struct {
			Updates int `json:"updatesRecv"`
		} `json:"messageStats"`
	}
	if err = json.Unmarshal(out, &answer); err == nil {
		err = json.Unmarshal(answer[a.String()], &v)
	}
	if err != nil || v.Epoch == 0 {
		t.Fatalf("FRR says %s: %v", out, err)
	}
	return v.Epoch, v.Stats.Updates
}

// inNamespace runs the rest of the test in a network namespace that is gone with it: the test binary starts itself there. It returns false in the parent,
// where the child's result is the test's.
func inNamespace(t *testing.T) bool {
	t.Helper()
	const mark = "GUARD_TEST_NAMESPACE"
	if os.Getenv(mark) == "" {
		child := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
		child.Env = append(os.Environ(), mark+"=1")
		child.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
		if out, err := child.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return false
	}
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return true
}

// TestFRR has FRR as a reflector, with MD5, TTL security and a hold time of 3 s: routes pass both ways, and of engines that come and go it notices nothing.
func TestFRR(t *testing.T) {
	t.Parallel()
	if !inNamespace(t) {
		return
	}
	c := setting()
	b := address()
	f := startFRR(t, c.Listen[0].Addr(), b)
	p := static(f.address)
	p.LocalAddress, p.Password, p.SecurityHops = c.Listen[0].Addr(), "correct-horse", 1
	c.Peers = []guard.Peer{p}
	g := run(t, c)
	routes := []evpn.Route{request(1), request(2), request(3)}
	engine := talk(t, engineOf(c), routes...)
	other := talk(t, gobgp.Config{
		RouterID: id(b), AS: as, ListenPort: -1, Peers: []gobgp.Peer{{Prefix: netip.PrefixFrom(f.address, 32), AS: as, Port: port, LocalAddress: b}},
	}, request(9))
	engine.waitRoute(t, 0, request(9).RouteKey)
	next := 0
	for _, r := range routes {
		_, at := other.waitRoute(t, 0, r.RouteKey)
		next = max(next, at)
	}
	status := g.waitUp(t, f.address)
	eventually(t, "all is renewed", func() bool { return !g.status(t, f.address).Renewing })
	since, updates := f.neighbour(t, g.own())
	for range 5 {
		engine.end()
		engine = talk(t, engineOf(c), routes...)
		engine.waitRoute(t, 0, request(9).RouteKey)
		engine.waitEnd(t, 0)
		eventually(t, "all is renewed", func() bool {
			s := g.status(t, f.address)
			return s.Engine == guard.Established && !s.Renewing
		})
	}
	if s, n := f.neighbour(t, g.own()); s-since > 1 || since-s > 1 || n != updates { // FRR counts its uptime in whole seconds
		t.Errorf("FRR: up since %v, then %v; UPDATEs received %d, then %d", since, s, updates, n)
	}
	if s := g.status(t, f.address); s.Since != status.Since || s.HoldTime.Seconds() != 3 || s.RoutesOut != 3 {
		t.Errorf("%+v", s)
	}
	changed := request(2)
	changed.Communities[3][7]++ // FRR does not pass on a route of which only the label has changed
	engine.announce(t, changed)
	other.wait(t, next, "the changed route", func(e speakerEvent) bool {
		return e.Route.RouteKey == changed.RouteKey && slices.Contains(e.Route.Communities, changed.Communities[3])
	})
}
