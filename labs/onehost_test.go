package labs_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tns-project/tns/labs/internal/fdb"
)

// TestOneHost has the edge on the hypervisor itself: both daemons of a host, with a session over loopback. A silent VM is associated, moves to another such host, and is
// terminated.
func TestOneHost(t *testing.T) {
	l := deploy(t, "onehost/topology.clab.yml")
	l.plainReady()
	for _, host := range []string{"host1", "host2"} {
		l.established(host, 1) // tesd
	}
	resident := map[string]vm{"host1": newVM(11), "host2": newVM(12)} // makes its host a member of the VN
	for _, host := range []string{"host1", "host2"} {
		l.does(host, "associate", resident[host].id, "--nic", resident[host].nic)
	}
	l.knows("host1", resident["host2"].mac, fdb.To(edge2))
	v := newVM(1)
	l.does("host1", "associate", v.id, "--nic", v.nic)
	l.knows("vtep", v.mac, fdb.To(edge1))
	l.knows("host2", v.mac, fdb.To(edge1))
	if err := l.local("host1", "vms-blue", v.mac); err != nil {
		t.Error(err)
	}
	l.reaches(v.mac, "vm1", []string{"vm2"}, []string{"host2"})

	t.Run("tnsctl finds both", func(t *testing.T) {
		l := l.in(t)
		for _, c := range []struct {
			argv []string
			want string
		}{
			{[]string{"tnsctl", "version"}, "tesd"},
			{[]string{"tnsctl", "--api", "unix:///run/tns/nved.sock", "version"}, "nved"},
			{[]string{"env", "TNS_API=unix:///run/tns/nved.sock", "tnsctl", "version"}, "nved"},
			{[]string{"tnsctl", "vm", "show", v.id}, "associated"},
			{[]string{"tnsctl", "--api", "unix:///run/tns/nved.sock", "vm", "show", v.id}, "associated"},
			{[]string{"tnsctl", "fdb"}, "vms-blue"}, // only nved can answer
			{[]string{"tnsctl", "vn", "list"}, "vx-blue"},
			{[]string{"tnsctl", "--api", "unix:///run/tns/nved.sock", "sessions"}, "192.0.2.254"},
			{[]string{"tnsctl", "sessions"}, "192.0.2.1"},
		} {
			if text := l.run("host1", c.argv...); !strings.Contains(text, c.want) {
				t.Errorf("%v: no %q in\n%s", c.argv, c.want, text)
			}
		}
	})
	t.Run("it moves", func(t *testing.T) {
		l := l.in(t)
		l.does("host2", "pre-associate", v.id, immigration, "--nic", v.nic)
		l.does("host1", "emigrate", v.id)
		l.does("host2", "associate", v.id, immigration, "--nic", v.nic)
		l.does("host1", "terminate", v.id)
		l.knows("vtep", v.mac, fdb.To(edge2))
		l.knows("host1", v.mac, fdb.To(edge2))
		l.reaches(v.mac, "vm2", []string{"vm1"}, []string{"host1"})
	})
	t.Run("both daemons are killed", func(t *testing.T) {
		l := l.in(t)
		s := l.stream(v.mac, []string{"vm2"}, nil)
		s.arrive("vm2", 100)
		if err := l.Kill("host2"); err != nil {
			t.Fatal(err)
		}
		l.soon("the end of both daemons", func() error { // nved's other processes end by themselves
			all, err := l.Everything("host2")
			for _, p := range all {
				if p.Is("nved") || p.Is("tesd") || p.Is("guard") || p.Is("engine") {
					return fmt.Errorf("%v is still there", p.Args)
				}
			}
			return err
		})
		if err := l.local("host2", "vms-blue", v.mac); err != nil { // the kernel goes on
			t.Error(err)
		}
		if err := l.Start("host2"); err != nil {
			t.Fatal(err)
		}
		l.established("host2", 1)
		l.knows("vtep", v.mac, fdb.To(edge2))
		s.arrive("vm2", 100)
		// FRR forgets the VM with the session: it has no graceful restart for EVPN.
		if r := s.stop("vm2"); r.Duplicated > 0 {
			t.Errorf("probes to the VM, from before to after: %s", r)
		}
		if err := l.local("host2", "vms-blue", v.mac); err != nil {
			t.Error(err)
		}
	})
	t.Run("terminated", func(t *testing.T) {
		l := l.in(t)
		l.does("host2", "terminate", v.id)
		l.knows("vtep", v.mac, fdb.None)
		l.knows("host1", v.mac, fdb.None)
		l.reachesNobody(v.mac, "vm1", "vm2")
	})
}
