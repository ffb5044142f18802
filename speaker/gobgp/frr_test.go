package gobgp_test

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tns-project/tns/evpn"
)

// startFRR runs FRR's bgpd as a reflector on a loopback address, without zebra and its kernel.
func startFRR(t testing.TB, clients ...netip.Addr) netip.Addr {
	t.Helper()
	a := address()
	dir, err := os.MkdirTemp("", "frr")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755))
	config := fmt.Sprintf("router bgp %d\n bgp router-id %v\n no bgp default ipv4-unicast\n bgp cluster-id %v\n", as, a, a)
	for _, c := range clients {
		config += fmt.Sprintf(" neighbor %v remote-as %d\n neighbor %v passive\n", c, as, c)
	}
	config += " address-family l2vpn evpn\n"
	for _, c := range clients {
		config += fmt.Sprintf("  neighbor %v activate\n  neighbor %v route-reflector-client\n", c, c)
	}
	file := filepath.Join(dir, "bgpd.conf")
	must(t, os.WriteFile(file, []byte(config), 0o644))
	command := exec.Command("/usr/lib/frr/bgpd", "-f", file, "-i", filepath.Join(dir, "pid"), "-z", filepath.Join(dir, "none"), "-S", "-n",
		"-l", a.String(), "-p", fmt.Sprint(port), "-P", "0", "--vty_socket", dir, "--log", "file:"+filepath.Join(dir, "log"))
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	must(t, command.Start())
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	return a
}

// inNamespace runs the rest of the test in a network namespace that is gone with it: the test binary starts itself there. It returns false in the parent,
// where the child's result is the test's.
func inNamespace(t *testing.T) bool {
	t.Helper()
	const mark = "SPEAKER_TEST_NAMESPACE"
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

// FRR has no route target constraint. Offering it is harmless: the session comes up, and everything goes both ways, octet for octet, but for the order
// of communities, which FRR sorts.
func TestRouteTargetConstraintOfferedToFRR(t *testing.T) {
	t.Parallel()
	if !inNamespace(t) {
		return
	}
	a, b := address(), address()
	frr := startFRR(t, a, b)
	c, d := activeFrom(a, to(a, frr)), activeFrom(b, to(b, frr))
	c.RouteTargets = []evpn.RouteTarget{evpn.ResponseTarget(0xc6336401)}
	c.EndOfRIBTimeout, d.EndOfRIBTimeout = 3*time.Second, 3*time.Second
	one, two := start(t, c), start(t, d)
	route := macRoute(1)
	route.IP = netip.MustParseAddr("10.0.0.1")
	route.Communities = append(route.Communities, evpn.ExtendedCommunity{0x88, 1, 1, 2, 3, 4, 5, 6}, evpn.ExtendedCommunity{0x88, 3, 7, 8, 9, 1, 2, 3})
	route.LargeCommunities = []evpn.LargeCommunity{{Global: 65000, Data1: 102021, Data2: 7}}
	one.announce(t, route)
	two.announce(t, macRoute(2))
	got, next := two.waitRoute(t, 0, route.RouteKey)
	route.OriginatorID = mustID(t, a)
	if diff := cmp.Diff(route, got.Route, cmp.Comparer(addrs)); diff != "" {
		t.Error(diff)
	}
	one.waitRoute(t, 0, macRoute(2).RouteKey)
	if end, _ := one.waitEnd(t, 0, frr); end.Implied {
		t.Error("End-of-RIB was implied") // FRR sends it to a peer that has graceful restart
	}
	one.withdraw(t, route.RouteKey)
	two.waitWithdrawal(t, next, route.RouteKey)
	sessions, err := one.Sessions()
	if err != nil || len(sessions) != 1 || sessions[0].State != "established" {
		t.Errorf("sessions %+v, %v", sessions, err)
	}
}
