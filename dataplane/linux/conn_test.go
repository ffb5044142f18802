package linux

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/dataplane/dataplanetest"
)

// A batch is acknowledged as a whole, and yet each message that the kernel refuses has its error, and no other has one: the first, one in the middle, and the last
// of several batches, and an answer to what is asked for beside them.
func TestBatch(t *testing.T) {
	s := newSpace(t)
	s.ports(t)
	k := s.kernel(t)
	if err := k.Ensure(t.Context(), dataplanetest.Networks()); err != nil {
		t.Fatal(err)
	}
	blue := k.networks[10100]
	const count = 3*batch - 1
	refused := map[int]bool{0: true, batch - 1: true, batch: true, 2*batch + 5: true, count - 1: true}
	var messages []message
	for i := range count {
		n := blue.inVXLAN(dataplane.MAC{2, 0, 0, 0, byte(i >> 8), byte(i)}, netip.MustParseAddr("192.0.2.2"))
		if refused[i] {
			messages = append(messages, message{unix.RTM_DELNEIGH, 0, n.body()}) // it is not there
			continue
		}
		messages = append(messages, message{unix.RTM_NEWNEIGH, replacing, n.body()})
	}
	for i, r := range k.conn.do(t.Context(), messages) {
		if (r.err != nil) != refused[i] || refused[i] && !errors.Is(r.err, unix.ENOENT) {
			t.Errorf("message %d: %v, refused %v", i, r.err, refused[i])
		}
	}
	for i := range messages {
		messages[i] = neigh{family: unix.AF_BRIDGE, mac: dataplane.MAC{2, 0, 0, 0, byte(i >> 8), byte(i)}, link: blue.vxlan, flags: unix.NTF_SELF}.get()
	}
	for i, r := range k.conn.do(t.Context(), messages) {
		n, ok := parseNeigh(r.data)
		if (r.err != nil) != refused[i] || ok == refused[i] || ok && n.mac[5] != byte(i) {
			t.Errorf("answer %d: %v, %+v", i, r.err, n)
		}
	}
}

// Who waits for a lock of the kernel's, which somebody has who removes many devices, keeps nobody else waiting, also where the collector wants everybody to stand still.
func TestWaitForTheKernelIsNobodyElses(t *testing.T) {
	k := newSpace(t).kernel(t)
	other := fmt.Sprintf("dataplane-%d-many", os.Getpid())
	if out, err := exec.Command("ip", "netns", "add", other).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	gone := exec.Command("ip", "netns", "del", other)
	t.Cleanup(func() {
		if gone.Process == nil {
			_ = exec.Command("ip", "netns", "del", other).Run()
		}
	})
	var devices strings.Builder
	for i := range 150 {
		fmt.Fprintf(&devices, "link add b%d type bridge\nlink set b%d up\n", i, i)
	}
	many := exec.Command("ip", "-n", other, "-batch", "-")
	many.Stdin = strings.NewReader(devices.String())
	if out, err := many.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}

	var end atomic.Bool
	var asking sync.WaitGroup
	var waited time.Duration // for the kernel
	asking.Go(func() {
		nothing := neigh{family: unix.AF_BRIDGE, mac: dataplane.MAC{2, 5: 1}, link: 1 << 30}
		for !end.Load() {
			began := time.Now()
			_, _ = k.conn.one(t.Context(), message{unix.RTM_DELNEIGH, 0, nothing.body()})
			waited = max(waited, time.Since(began))
			<-time.After(time.Millisecond)
		}
	})
	asking.Go(func() {
		for !end.Load() {
			runtime.GC()
			<-time.After(time.Millisecond)
		}
	})
	if out, err := gone.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	var stood time.Duration // this goroutine, which wants nothing of the kernel
	for until := time.Now().Add(2 * time.Second); time.Now().Before(until); {
		began := time.Now()
		<-time.After(time.Millisecond)
		stood = max(stood, time.Since(began))
	}
	end.Store(true)
	asking.Wait()
	t.Logf("who asked the kernel waited for %v, others for %v", waited, stood)
	if waited > time.Second && stood > waited/2 {
		t.Errorf("others waited for %v, where who asked the kernel did for %v", stood, waited)
	}
}
