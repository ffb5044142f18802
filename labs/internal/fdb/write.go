package fdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/labs/internal/netns"
)

// Entry is one MAC to be written, or to be taken away: behind a port of a bridge, or with a VTEP behind a VXLAN device in both tables.
type Entry struct {
	Device int // index
	MAC    MAC
	VTEP   netip.Addr
}

// Writer writes entries as fast as the kernel takes them: Batch messages in a system call, of which the last is acknowledged. A message that
// the kernel refuses is an error of the whole.
type Writer struct {
	Batch  int // 128; more makes adding slower, as the kernel cannot grow its hash tables meanwhile
	device map[string]int

	namespace *netns.Namespace
	fd        int
	sequence  uint32
	buffer    []byte
	open      int // messages in buffer
	last      int // where the last one begins
}

// NewWriter opens a socket in a namespace.
func NewWriter(n *netns.Namespace) (*Writer, error) {
	w := &Writer{Batch: 128, namespace: n, device: make(map[string]int)}
	err := n.Do(func() (err error) {
		w.fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		err = errors.Join(
			unix.SetsockoptInt(w.fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1),
			unix.SetsockoptTimeval(w.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 10}))
		if err != nil {
			unix.Close(w.fd)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("write the FDB of %s: %w", n.Name(), err)
	}
	return w, nil
}

// Device is the index of a device of the namespace.
func (w *Writer) Device(name string) (int, error) {
	if index, ok := w.device[name]; ok {
		return index, nil
	}
	index, err := indexOf(w.namespace, name)
	if err == nil {
		w.device[name] = index
	}
	return index, err
}

func indexOf(n *netns.Namespace, device string) (int, error) {
	handle, err := n.Netlink()
	if err != nil {
		return 0, err
	}
	defer handle.Close()
	link, err := handle.LinkByName(device)
	if err != nil {
		return 0, fmt.Errorf("look for %s:%s: %w", n.Name(), device, err)
	}
	return link.Attrs().Index, nil
}

// Set adds entries, or moves them here.
func (w *Writer) Set(entries ...Entry) error {
	return w.write("set", entries, unix.RTM_NEWNEIGH, unix.NLM_F_CREATE|unix.NLM_F_REPLACE)
}

// Delete takes entries away that are there.
func (w *Writer) Delete(entries ...Entry) error {
	return w.write("delete", entries, unix.RTM_DELNEIGH, 0)
}

func (w *Writer) write(what string, entries []Entry, kind, flags uint16) error {
	for _, e := range entries {
		w.put(e, kind, flags)
		if w.open >= w.Batch {
			if err := w.flush(); err != nil {
				return fmt.Errorf("%s entries of %s: %w", what, w.namespace.Name(), err)
			}
		}
	}
	if err := w.flush(); err != nil {
		return fmt.Errorf("%s entries of %s: %w", what, w.namespace.Name(), err)
	}
	return nil
}

// put appends the message of an entry. One with NTF_SELF and NTF_MASTER changes both tables; a static one, NUD_NOARP, neither ages nor moves by
// learning, and FRR takes it for a local MAC, which it does not with NUD_PERMANENT.
func (w *Writer) put(e Entry, kind, flags uint16) {
	w.sequence++
	w.last = len(w.buffer)
	b := append(w.buffer, 0, 0, 0, 0)
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = binary.NativeEndian.AppendUint16(b, flags|unix.NLM_F_REQUEST)
	b = binary.NativeEndian.AppendUint32(b, w.sequence)
	b = append(b, 0, 0, 0, 0, unix.AF_BRIDGE, 0, 0, 0)
	b = binary.NativeEndian.AppendUint32(b, uint32(e.Device))
	state, flag := uint16(netlink.NUD_NOARP), byte(netlink.NTF_MASTER)
	if e.VTEP.IsValid() {
		state, flag = netlink.NUD_REACHABLE, netlink.NTF_SELF|netlink.NTF_MASTER|netlink.NTF_EXT_LEARNED
	}
	b = append(binary.NativeEndian.AppendUint16(b, state), flag, 0)
	b = append(attribute(b, netlink.NDA_LLADDR, 6), e.MAC[:]...)
	b = append(b, 0, 0) // to a multiple of four
	if e.VTEP.IsValid() {
		b = append(attribute(b, netlink.NDA_DST, 4), e.VTEP.AsSlice()...)
	}
	binary.NativeEndian.PutUint32(b[w.last:], uint32(len(b)-w.last))
	w.buffer = b
	w.open++
}

func attribute(b []byte, kind, length uint16) []byte {
	b = binary.NativeEndian.AppendUint16(b, length+unix.SizeofRtAttr)
	return binary.NativeEndian.AppendUint16(b, kind)
}

// flush sends what is there, and reads until the last message is acknowledged: errors of others come before.
func (w *Writer) flush() error {
	if w.open == 0 {
		return nil
	}
	flags := binary.NativeEndian.Uint16(w.buffer[w.last+6:])
	binary.NativeEndian.PutUint16(w.buffer[w.last+6:], flags|unix.NLM_F_ACK)
	err := unix.Sendto(w.fd, w.buffer, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	w.buffer, w.open = w.buffer[:0], 0
	var reply [16 << 10]byte
	for acknowledged := false; err == nil && !acknowledged; {
		var n int
		n, _, err = unix.Recvfrom(w.fd, reply[:], 0)
		for b := reply[:max(n, 0)]; err == nil && len(b) >= unix.SizeofNlMsghdr+4; {
			length := int(binary.NativeEndian.Uint32(b))
			if errno := -int32(binary.NativeEndian.Uint32(b[unix.SizeofNlMsghdr:])); errno != 0 {
				err = syscall.Errno(errno)
			}
			acknowledged = acknowledged || binary.NativeEndian.Uint32(b[8:]) == w.sequence
			b = b[min((length+3)&^3, len(b)):]
		}
	}
	return err
}

// Close closes the socket.
func (w *Writer) Close() error { return unix.Close(w.fd) }
