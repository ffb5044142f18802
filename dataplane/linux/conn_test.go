package linux

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/dataplane"
)

// A batch is acknowledged as a whole, and yet each message that the kernel refuses has its error, and no other has one: the first, one in the middle, and the last
// of several batches, and an answer to what is asked for beside them.
func TestBatch(t *testing.T) {
	_, k := ready(t)
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

// Who waits in the kernel for others, as for who removes many devices, keeps nobody else waiting, not even where the collector wants all to stand still. A socket
// that is full stands for the kernel: whoever removes hundreds of devices keeps all of the machine from its own.
func TestWaitForTheKernelIsNobodyElses(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	if err := unix.SetsockoptTimeval(pair[0], unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Sec: 5}); err != nil { // it ends then without us
		t.Fatal(err)
	}
	request := message{unix.RTM_DELNEIGH, 0, make([]byte, sizeofEntry)}.append(nil, unix.NLM_F_REQUEST, 1)
	for err == nil {
		err = unix.Sendto(pair[0], request, unix.MSG_DONTWAIT, nil)
	}
	if !errors.Is(err, unix.EAGAIN) {
		t.Fatal(err)
	}

	c := &conn{fd: pair[0]}
	thread, sent := make(chan int), make(chan error, 1)
	go func() {
		runtime.LockOSThread() // the thread ends with us
		signals := unix.Sigset_t{}
		for i := range signals.Val {
			signals.Val[i] = ^signals.Val[i]
		}
		if err := unix.PthreadSigmask(unix.SIG_BLOCK, &signals, nil); err != nil { // who waits for a lock of the kernel's cannot be interrupted either
			t.Error(err)
		}
		thread <- unix.Gettid()
		sent <- c.send(request)
	}()
	calls := fmt.Sprintf("/proc/self/task/%d/syscall", <-thread)
	for waits := fmt.Sprint(unix.SYS_WRITE, " "); ; runtime.Gosched() {
		if call, err := os.ReadFile(calls); err != nil {
			t.Fatal(err)
		} else if strings.HasPrefix(string(call), waits) {
			break
		}
	}
	runtime.GC()
	for err = nil; err == nil; {
		_, _, err = unix.Recvfrom(pair[1], make([]byte, len(request)), unix.MSG_DONTWAIT)
	}
	if err := <-sent; err != nil {
		t.Errorf("the collector has waited until who waits gave up: %v", err)
	}
}
