package linux

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/dataplane"
)

// wire sends and receives whole frames on a VM's device.
type wire struct {
	fd    int
	index int
}

// wire opens one, which sees all that comes in from now on.
func (v vm) wire(t testing.TB) *wire {
	t.Helper()
	ifr, err := unix.NewIfreq("eth0")
	if err != nil {
		t.Fatal(err)
	}
	var fd int
	v.in(t, func() (err error) {
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		return err
	})
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, ifr); err != nil {
		t.Fatal(err)
	}
	w := &wire{fd, int(ifr.Uint32())}
	all := int(binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, unix.ETH_P_ALL)))
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 32<<20); err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: uint16(all), Ifindex: w.index}); err != nil {
		t.Fatal(err)
	}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 5}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *wire) send(t testing.TB, frames ...[]byte) {
	t.Helper()
	for _, f := range frames {
		if err := unix.Sendto(w.fd, f, 0, &unix.SockaddrLinklayer{Ifindex: w.index}); err != nil {
			t.Fatalf("send %x: %v", f, err)
		}
	}
}

// reaches waits until what is between them forwards: a bridge port begins some time after its device is up.
func (w *wire) reaches(t testing.TB, o *wire, f frame) {
	t.Helper()
	buf := make([]byte, 65536)
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		w.send(t, f)
		poll := []unix.PollFd{{Fd: int32(o.fd), Events: unix.POLLIN}}
		if n, _ := unix.Poll(poll, 50); n == 0 {
			continue
		}
		if n, _, err := unix.Recvfrom(o.fd, buf, unix.MSG_DONTWAIT); err == nil && bytes.HasPrefix(buf[:n], f) {
			return
		}
	}
	t.Fatal("nothing is forwarded")
}

// until is the frames that came in before a fence, of those that have a mark.
func (w *wire) until(t testing.TB, fence []byte) (got [][]byte) {
	t.Helper()
	buf := make([]byte, 65536)
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		n, from, err := unix.Recvfrom(w.fd, buf, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			t.Fatalf("wait for the fence: %v", err)
		}
		if ll, ok := from.(*unix.SockaddrLinklayer); ok && ll.Pkttype == unix.PACKET_OUTGOING {
			continue
		}
		f := bytes.Clone(buf[:n])
		if bytes.Equal(f[12:], fence[12:]) {
			return got
		}
		if bytes.Contains(f, mark1) {
			got = append(got, f)
		}
	}
	t.Fatal("the fence did not come")
	return nil
}

// mark1 is in all frames of tests.
var mark1 = []byte("~tns~")

// frame is what tests send: an Ethernet frame, padded, with our mark and a number.
type frame []byte

func ether(dst, src dataplane.MAC, etherType uint16, payload []byte) frame {
	f := append(bytes.Clone(dst[:]), src[:]...)
	f = binary.BigEndian.AppendUint16(f, etherType)
	f = append(f, payload...)
	return f
}

func marked(payload []byte) []byte { return append(bytes.Clone(payload), mark1...) }

// fenceOf is a frame of a type that no other frame has.
func fenceOf(dst, src dataplane.MAC, n byte) frame {
	return ether(dst, src, 0x88b6, append([]byte{n}, make([]byte, 45)...))
}

// ip is an IPv4 or IPv6 packet in a frame.
func ip(dst, src dataplane.MAC, from, to netip.Addr, protocol uint8, payload []byte) frame {
	if from.Is4() {
		h := make([]byte, 20)
		h[0], h[8], h[9] = 0x45, 64, protocol
		binary.BigEndian.PutUint16(h[2:], uint16(20+len(payload)))
		copy(h[12:], from.AsSlice())
		copy(h[16:], to.AsSlice())
		binary.BigEndian.PutUint16(h[10:], ^sum(h))
		return ether(dst, src, 0x0800, append(h, payload...))
	}
	h := make([]byte, 40)
	h[0], h[6], h[7] = 0x60, protocol, 255
	binary.BigEndian.PutUint16(h[4:], uint16(len(payload)))
	copy(h[8:], from.AsSlice())
	copy(h[24:], to.AsSlice())
	return ether(dst, src, 0x86dd, append(h, payload...))
}

// sum is the ones' complement sum of RFC 1071.
func sum(b []byte) uint16 {
	var s uint32
	for i := 0; i+1 < len(b); i += 2 {
		s += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}

// ported is the begin of a TCP or UDP payload.
func ported(from, to uint16) []byte {
	b := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, from), to)
	return marked(append(b, make([]byte, 16)...))
}

// icmp is an ICMP or ICMPv6 message.
func icmp(kind, code uint8) []byte { return marked([]byte{kind, code, 0, 0, 0, 0, 0, 0}) }

// arp is an ARP packet in a broadcast frame.
func arp(src dataplane.MAC, op uint16, sender dataplane.MAC, senderIP, targetIP netip.Addr) frame {
	p := []byte{0, 1, 8, 0, 6, 4, byte(op >> 8), byte(op)}
	p = append(append(p, sender[:]...), senderIP.AsSlice()...)
	p = append(append(p, make([]byte, 6)...), targetIP.AsSlice()...)
	return ether(dataplane.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, src, 0x0806, marked(p))
}

// got reports whether a frame came in before a fence.
func (w *wire) got(t testing.TB, fence, f frame) (got bool) {
	t.Helper()
	buf := make([]byte, 65536)
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		n, _, err := unix.Recvfrom(w.fd, buf, 0)
		switch {
		case err == unix.EINTR:
		case err != nil:
			t.Fatalf("wait for the fence: %v", err)
		case bytes.Equal(buf[12:n], fence[12:]):
			return got
		case bytes.HasPrefix(buf[:n], f):
			got = true
		}
	}
	t.Fatal("the fence did not come")
	return false
}
