package tag

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

var namespaces atomic.Int32

// world is a network namespace with a trunk, whose other end sends nothing by itself.
type world struct {
	name  string
	ns    netns.NsHandle
	links *netlink.Handle
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{name: fmt.Sprintf("tag-%d-%d", os.Getpid(), namespaces.Add(1))}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := netns.Get()
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	if w.ns, err = netns.NewNamed(w.name); err != nil {
		t.Fatalf("make a network namespace: %v", err)
	}
	if err := netns.Set(before); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.ns.Close()
		if err := netns.DeleteNamed(w.name); err != nil {
			t.Error(err)
		}
	})
	if w.links, err = netlink.NewHandleAt(w.ns, unix.NETLINK_ROUTE); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.links.Close)
	w.trunk(t, "eth1")
	return w
}

// trunk makes a trunk; its other end has an - behind the name.
func (w *world) trunk(t testing.TB, name string) {
	t.Helper()
	w.run(t, "ip link add %s type veth peer name %s-", name, name)
	for _, end := range []string{name, name + "-"} {
		w.run(t, "ip link set %s addrgenmode none", end)
		w.run(t, "ip link set %s up", end)
	}
}

func (w *world) run(t testing.TB, command string, args ...any) string {
	t.Helper()
	command = fmt.Sprintf(command, args...)
	out, err := exec.Command("ip", append([]string{"netns", "exec", w.name}, strings.Fields(command)...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", command, err, out)
	}
	return string(out)
}

// settled is the devices, once the kernel has noticed that all of them are up: that takes linkwatch up to a second (net/core/link_watch.c).
func (w *world) settled(t testing.TB) string {
	t.Helper()
	tick := time.Tick(50 * time.Millisecond)
	for deadline := time.Now().Add(time.Minute); ; <-tick {
		links := w.run(t, "ip -o link")
		waits := slices.ContainsFunc(strings.Split(strings.TrimSpace(links), "\n"), func(link string) bool {
			return !strings.Contains(link, " state UP ") && !strings.HasPrefix(link, "1: lo:")
		})
		if !waits {
			return links
		}
		if time.Now().After(deadline) {
			t.Fatalf("not all of them are up:\n%s", links)
		}
	}
}

// up puts a device up.
func (w *world) up(t testing.TB, device string) string {
	t.Helper()
	w.run(t, "ip link set %s up", device)
	return device
}

// vn has a bridge with the device and a VM in it.
func (w *world) vn(t testing.TB, device string) {
	t.Helper()
	bridge := "br-" + device
	w.bridge(t, bridge, w.vm(t, device))
	w.run(t, "ip link set %s master %s", w.up(t, device), bridge)
}

// bridge makes a bridge with a VM in it.
func (w *world) bridge(t testing.TB, bridge, vm string) {
	t.Helper()
	w.run(t, "ip link add %s type bridge mcast_snooping 0 forward_delay 0", bridge)
	w.run(t, "ip link add %s type veth peer name %s+", vm, vm)
	for _, d := range []string{bridge, vm, vm + "+"} {
		w.run(t, "ip link set %s addrgenmode none", d)
		w.up(t, d)
	}
	w.run(t, "ip link set %s+ master %s", vm, bridge)
}

// vm names the VM behind a bridge port.
func (w *world) vm(t testing.TB, device string) string { return "vm" + device[len("eth1.v"):] }

// wire is a device to send frames to and see those that come out of it.
type wire struct {
	fd    int
	index int
}

func (w *world) wire(t testing.TB, device string) wire {
	t.Helper()
	link, err := w.links.LinkByName(device)
	if err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := netns.Get()
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	if err := netns.Set(w.ns); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, unix.ETH_P_ALL))))
	if err := netns.Set(before); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	wi := wire{fd, link.Attrs().Index}
	for _, err := range []error{
		unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_AUXDATA, 1),
		unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 5}),
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, unix.ETH_P_ALL)), Ifindex: wi.index}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return wi
}

// priority is the skb->priority of frames that are sent from now on.
func (w wire) priority(t testing.TB, p int) {
	t.Helper()
	if err := unix.SetsockoptInt(w.fd, unix.SOL_SOCKET, unix.SO_PRIORITY, p); err != nil {
		t.Fatal(err)
	}
}

// frame is a broadcast with a number in it. TCI 0: no tag.
func frame(tci uint16, number uint32) []byte {
	f := []byte{255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1}
	if tci != 0 {
		f = append(f, 0x81, 0x00)
		f = binary.BigEndian.AppendUint16(f, tci)
	}
	f = append(f, 0x88, 0xb5)
	f = binary.BigEndian.AppendUint32(f, number)
	return append(f, make([]byte, 46)...)
}

func (w wire) send(t testing.TB, f []byte) {
	t.Helper()
	if err := unix.Sendto(w.fd, f, 0, &unix.SockaddrLinklayer{Ifindex: w.index}); err != nil {
		t.Fatal(err)
	}
}

// seen is a frame of ours.
type seen struct {
	tci    uint16 // 0: no tag
	number uint32
}

// receive is the next frame of ours.
func (w wire) receive() (seen, error) {
	buf, oob := make([]byte, 2048), make([]byte, 256)
	for {
		n, oobn, _, _, err := unix.Recvmsg(w.fd, buf, oob, 0)
		if err != nil {
			return seen{}, err
		}
		var s seen
		messages, err := unix.ParseSocketControlMessage(oob[:oobn])
		if err != nil {
			return seen{}, err
		}
		for _, m := range messages {
			if m.Header.Level != unix.SOL_PACKET || m.Header.Type != unix.PACKET_AUXDATA {
				continue
			}
			status, tci := binary.NativeEndian.Uint32(m.Data), binary.NativeEndian.Uint16(m.Data[16:])
			if status&unix.TP_STATUS_VLAN_VALID != 0 {
				s.tci = tci
			}
		}
		f := buf[:n]
		if n > 16 && f[12] == 0x81 && f[13] == 0 {
			s.tci = binary.BigEndian.Uint16(f[14:])
			f = slices.Concat(f[:12], f[16:])
		}
		if len(f) < 18 || f[12] != 0x88 || f[13] != 0xb5 {
			continue
		}
		s.number = binary.BigEndian.Uint32(f[14:])
		return s, nil
	}
}

// gets fails the test unless the next frame is this one.
func (w wire) gets(t testing.TB, tci uint16, number uint32) {
	t.Helper()
	got, err := w.receive()
	if err != nil {
		t.Fatalf("frame %d did not arrive: %v", number, err)
	}
	if got.tci != tci || got.number != number {
		t.Fatalf("frame %d with TCI %04x arrived, want %d with TCI %04x", got.number, got.tci, number, tci)
	}
}

// getsNothing fails the test if a frame of ours waits.
func (w wire) getsNothing(t testing.TB) {
	t.Helper()
	w.timeout(t, 50*time.Millisecond)
	defer w.timeout(t, 5*time.Second)
	if got, err := w.receive(); err == nil {
		t.Fatalf("frame %d with TCI %04x arrived, want none", got.number, got.tci)
	}
}

func (w wire) timeout(t testing.TB, d time.Duration) {
	t.Helper()
	tv := unix.NsecToTimeval(d.Nanoseconds())
	if err := unix.SetsockoptTimeval(w.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
		t.Fatal(err)
	}
}
