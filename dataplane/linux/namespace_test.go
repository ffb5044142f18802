package linux

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sirupsen/logrus"
	"github.com/vishvananda/netns"

	"github.com/tns-project/tns/dataplane/dataplanetest"
)

var namespaces atomic.Int32

// space is a network namespace of a test.
type space struct {
	name string
	ns   netns.NsHandle
}

// newSpace makes a network namespace that goes with the test.
func newSpace(t testing.TB) space {
	t.Helper()
	s := space{name: fmt.Sprintf("dataplane-%d-%d", os.Getpid(), namespaces.Add(1))}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := netns.Get()
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	if s.ns, err = netns.NewNamed(s.name); err != nil {
		t.Fatalf("make a network namespace: %v", err)
	}
	if err := netns.Set(before); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.ns.Close()
		if err := netns.DeleteNamed(s.name); err != nil {
			t.Error(err)
		}
	})
	s.run(t, "ip link set lo up")
	return s
}

// try runs a command in the namespace.
func (s space) try(command string) (string, error) {
	args := strings.Fields(command)
	switch args[0] {
	case "ip", "bridge", "tc": // these enter it by themselves, which is half of the work
		args = slices.Insert(args, 1, "-n", s.name)
	default:
		args = append([]string{"ip", "netns", "exec", s.name}, args...)
	}
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", command, err, out)
	}
	return string(out), err
}

// run runs a command that must succeed.
func (s space) run(t testing.TB, command string, args ...any) string {
	t.Helper()
	out, err := s.try(fmt.Sprintf(command, args...))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// port makes a device whose other end, with a - behind the name, sends nothing by itself.
func (s space) port(t testing.TB, name string) {
	t.Helper()
	s.run(t, "ip link add %s type veth peer name %s-", name, name)
	s.run(t, "ip link set %s- addrgenmode none", name)
	s.run(t, "ip link set %s- up", name)
}

// ports makes the ports of the contract's networks.
func (s space) ports(t testing.TB) {
	t.Helper()
	made := make(map[string]bool)
	for _, n := range dataplanetest.Networks() {
		for _, p := range n.Ports {
			if !made[p.Name] {
				s.port(t, p.Name)
			}
			made[p.Name] = true
		}
	}
}

// kernel opens a Kernel in the namespace, closed with the test.
func (s space) kernel(t testing.TB) *Kernel {
	t.Helper()
	log := logrus.New()
	log.SetOutput(t.Output())
	k, err := New(Options{Namespace: &s.ns, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return k
}

// in runs f on a thread that is in the namespace; sockets that it opens stay there.
func (s space) in(t testing.TB, f func() error) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := netns.Get()
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	if err := netns.Set(s.ns); err != nil {
		t.Fatal(err)
	}
	err = f()
	if back := netns.Set(before); back != nil {
		t.Fatal(back)
	}
	if err != nil {
		t.Fatal(err)
	}
}
