package live

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// FRR is FRR's bgpd as a reflector on a loopback address, without zebra and its kernel.
type FRR struct {
	Address   netip.Addr
	directory string
}

// StartFRR runs one whose clients have the lines of configuration that are given, each said of the client.
func StartFRR(t testing.TB, clients map[netip.Addr]string) *FRR {
	t.Helper()
	f := &FRR{Address: Address()}
	var err error
	if f.directory, err = os.MkdirTemp("", "frr"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(f.directory) })
	if err := os.Chmod(f.directory, 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(f.directory, "bgpd.conf")
	if err := os.WriteFile(file, []byte(f.configuration(clients)), 0o644); err != nil {
		t.Fatal(err)
	}
	command := exec.Command("/usr/lib/frr/bgpd", "-f", file, "-i", filepath.Join(f.directory, "pid"), "-z", filepath.Join(f.directory, "none"), "-S", "-n",
		"-l", f.Address.String(), "-p", fmt.Sprint(Port), "-P", "0", "--vty_socket", f.directory, "--log", "file:"+filepath.Join(f.directory, "log"))
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

func (f *FRR) configuration(clients map[netip.Addr]string) string {
	var neighbours, family strings.Builder
	for a, lines := range clients {
		fmt.Fprintf(&neighbours, " neighbor %v remote-as %d\n", a, AS)
		for line := range strings.Lines(lines) {
			fmt.Fprintf(&neighbours, " neighbor %v %s\n", a, strings.TrimSpace(line))
		}
		fmt.Fprintf(&family, "  neighbor %[1]v activate\n  neighbor %[1]v route-reflector-client\n", a)
	}
	return fmt.Sprintf("router bgp %d\n bgp router-id %[2]v\n bgp cluster-id %[2]v\n no bgp default ipv4-unicast\n%s address-family l2vpn evpn\n%s",
		AS, f.Address, neighbours.String(), family.String())
}

// Neighbour is what FRR tells of a session: since when it stands, in seconds of Unix time, and how many UPDATEs came.
func (f *FRR) Neighbour(t testing.TB, a netip.Addr) (since float64, updates int) {
	t.Helper()
	out, err := exec.Command("vtysh", "--vty_socket", f.directory, "-d", "bgpd", "-c", fmt.Sprintf("show bgp neighbors %v json", a)).Output()
	if err != nil {
		t.Fatalf("vtysh: %v: %s", err, out)
	}
	var answer map[string]struct {
		Epoch float64 `json:"bgpTimerUpEstablishedEpoch"`
		Stats struct {
			Updates int `json:"updatesRecv"`
		} `json:"messageStats"`
	}
	if err := json.Unmarshal(out, &answer); err != nil || answer[a.String()].Epoch == 0 {
		t.Fatalf("FRR says %s: %v", out, err)
	}
	v := answer[a.String()]
	return v.Epoch, v.Stats.Updates
}
