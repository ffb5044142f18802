package linux

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"sync"
	"syscall"
	"time"

	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/dataplane/linux/internal/brief"
)

const (
	// batch is the number of messages in one system call. More than a few hundred make adding slower, since the kernel
	// cannot grow its hash tables meanwhile.
	batch = 128

	// replyTimeout and dumpAttempts bound how long the kernel may keep us waiting.
	replyTimeout = 10 * time.Second
	dumpAttempts = 5
)

// errInterrupted is a dump during which the table changed: it is not a list.
var errInterrupted = errors.New("the dump was interrupted again and again")

// message is a request to rtnetlink: its header's type and flags, and what follows the header.
type message struct {
	kind  uint16
	flags uint16
	body  []byte
}

// reply is what the kernel said to a message: an error, and the object that was asked for.
type reply struct {
	err  error
	data []byte
}

// conn is a rtnetlink socket that sends many messages with one system call. It is safe for concurrent use.
type conn struct {
	mu   sync.Mutex
	fd   int    // -1: closed
	port uint32 // the socket's address
	seq  uint32
	out  []byte
	in   []byte
}

// dial opens a socket in a network namespace. It is kept from the runtime's poller, which every answer would wake up, though the kernel has answered when send
// returns.
func dial(ns netns.NsHandle) (*conn, error) {
	s, err := nl.GetNetlinkSocketAt(ns, netns.None(), unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	defer s.Close() // the poller's
	for _, option := range []int{unix.NETLINK_EXT_ACK, unix.NETLINK_CAP_ACK, unix.NETLINK_GET_STRICT_CHK} {
		if err := unix.SetsockoptInt(s.GetFd(), unix.SOL_NETLINK, option, 1); err != nil {
			return nil, fmt.Errorf("set netlink socket option %d: %w", option, err)
		}
	}
	if err := s.SetReceiveBufferSize(1<<20, true); err != nil {
		return nil, fmt.Errorf("set the netlink receive buffer to 1 MiB: %w", err)
	}
	port, err := s.GetPid()
	if err != nil {
		return nil, fmt.Errorf("read the netlink socket's address: %w", err)
	}
	fd, err := unix.FcntlInt(uintptr(s.GetFd()), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("keep the netlink socket: %w", err)
	}
	return &conn{fd: fd, port: port, in: make([]byte, 64<<10)}, nil
}

func (c *conn) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	unix.Close(c.fd)
	c.fd = -1
}

// do sends the messages in order and returns the reply to each.
func (c *conn) do(ctx context.Context, messages []message) []reply {
	replies := make([]reply, len(messages))
	c.into(ctx, messages, replies)
	return replies
}

// into is do with a place for the replies, which begin empty.
func (c *conn) into(ctx context.Context, messages []message, replies []reply) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for first := 0; first < len(messages); first += batch {
		end := min(first+batch, len(messages))
		err := ctx.Err()
		if err == nil {
			err = c.exchange(messages[first:end], replies[first:end])
		}
		if err != nil {
			for i := first; i < len(replies); i++ {
				replies[i].err = err
			}
			return
		}
	}
}

// one sends one message.
func (c *conn) one(ctx context.Context, m message) ([]byte, error) {
	r := c.do(ctx, []message{m})[0]
	return r.data, r.err
}

// exchange sends one batch and collects what the kernel says to it, told apart by sequence number. The kernel takes the messages in order, and always
// says what it refuses; that nothing was refused is known from the acknowledgement of the last one. One for each would be a system call for each.
func (c *conn) exchange(messages []message, replies []reply) error {
	base := c.seq + 1
	c.seq += uint32(len(messages))
	buf := c.out[:0]
	last := len(messages) - 1
	for i, m := range messages {
		flags := uint16(unix.NLM_F_REQUEST)
		if i == last {
			flags |= unix.NLM_F_ACK
		}
		buf = m.append(buf, flags, base+uint32(i))
	}
	c.out = buf
	if err := c.send(buf); err != nil {
		return err
	}
	for open := true; open; {
		got, err := c.receive(brief.Receive)
		if err != nil {
			return err
		}
		for h, body := range parts(got) {
			i := h.Seq - base
			if i >= uint32(len(messages)) {
				continue // left over from a batch that timed out
			}
			if h.Type == unix.NLMSG_ERROR {
				replies[i].err = ackError(h, body)
				open = open && i != uint32(last)
			} else {
				replies[i].data = bytes.Clone(body)
			}
		}
	}
	return nil
}

// dump sends a request for a list and returns its elements. An interrupted dump is made again.
func (c *conn) dump(ctx context.Context, m message) ([][]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for range dumpAttempts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		list, interrupted, err := c.dumpOnce(m)
		if err != nil {
			return nil, err
		}
		if !interrupted {
			return list, nil
		}
	}
	return nil, errInterrupted
}

func (c *conn) dumpOnce(m message) (list [][]byte, interrupted bool, err error) {
	c.seq++
	if err := c.send(m.append(nil, unix.NLM_F_REQUEST|unix.NLM_F_DUMP, c.seq)); err != nil {
		return nil, false, err
	}
	for {
		got, err := c.receive(receivePart)
		if err != nil {
			return nil, false, err
		}
		got = bytes.Clone(got)
		for h, body := range parts(got) {
			if h.Seq != c.seq {
				continue
			}
			interrupted = interrupted || h.Flags&unix.NLM_F_DUMP_INTR != 0
			switch h.Type {
			case unix.NLMSG_DONE, unix.NLMSG_ERROR:
				return list, interrupted, ackError(h, body)
			}
			list = append(list, body)
		}
	}
}

// send hands octets to the kernel, which does what they ask for before it returns. It may have to wait for who else changes devices, so the runtime gets to know.
func (c *conn) send(buf []byte) error {
	for {
		switch _, err := unix.Write(c.fd, buf); err {
		case nil:
			return nil
		case unix.EINTR:
		default:
			return fmt.Errorf("send to netlink: %w", err)
		}
	}
}

// receivePart takes the next part of a dump, for which the kernel looks only now, and may have to wait as send does.
func receivePart(fd int, b []byte) (n int, err error) {
	for {
		if n, _, err = unix.Recvfrom(fd, b, unix.MSG_DONTWAIT); err != unix.EINTR {
			return n, err
		}
	}
}

// receive is what the kernel has said next, until the next call. It hardly ever has to be waited for.
func (c *conn) receive(from func(fd int, b []byte) (int, error)) ([]byte, error) {
	for {
		n, err := from(c.fd, c.in)
		switch {
		case err == nil:
			return c.in[:n], nil
		case err == unix.EAGAIN:
			poll := []unix.PollFd{{Fd: int32(c.fd), Events: unix.POLLIN}}
			if n, err := unix.Poll(poll, int(replyTimeout.Milliseconds())); n == 0 && err == nil {
				return nil, fmt.Errorf("receive from netlink: nothing came in %v", replyTimeout)
			}
		default:
			return nil, fmt.Errorf("receive from netlink: %w", err)
		}
	}
}

// parts goes through the messages of one read.
func parts(b []byte) iter.Seq2[unix.NlMsghdr, []byte] {
	return func(yield func(unix.NlMsghdr, []byte) bool) {
		for len(b) >= unix.SizeofNlMsghdr {
			h := unix.NlMsghdr{
				Len: binary.NativeEndian.Uint32(b), Type: binary.NativeEndian.Uint16(b[4:]), Flags: binary.NativeEndian.Uint16(b[6:]),
				Seq: binary.NativeEndian.Uint32(b[8:]), Pid: binary.NativeEndian.Uint32(b[12:]),
			}
			if h.Len < unix.SizeofNlMsghdr || int(h.Len) > len(b) || !yield(h, b[unix.SizeofNlMsghdr:h.Len]) {
				return
			}
			b = b[min(int(h.Len+(-h.Len&3)), len(b)):]
		}
	}
}

// append adds the message in wire form, padded to four octets.
func (m message) append(buf []byte, flags uint16, seq uint32) []byte {
	length := unix.SizeofNlMsghdr + len(m.body)
	buf = binary.NativeEndian.AppendUint32(buf, uint32(length))
	buf = binary.NativeEndian.AppendUint16(buf, m.kind)
	buf = binary.NativeEndian.AppendUint16(buf, m.flags|flags)
	buf = binary.NativeEndian.AppendUint32(buf, seq)
	buf = binary.NativeEndian.AppendUint32(buf, 0)
	buf = append(buf, m.body...)
	return append(buf, make([]byte, -length&3)...)
}

// ackError is the error in an acknowledgement or at the end of a dump, with the kernel's own words if it has any.
func ackError(h unix.NlMsghdr, body []byte) error {
	if len(body) < 4 {
		return nil
	}
	errno := syscall.Errno(-int32(binary.NativeEndian.Uint32(body)))
	if errno == 0 {
		return nil
	}
	words := body[4:]
	if h.Type == unix.NLMSG_ERROR && len(words) >= unix.SizeofNlMsghdr {
		words = words[unix.SizeofNlMsghdr:] // the header of the request; NETLINK_CAP_ACK leaves its body out
	}
	if h.Flags&unix.NLM_F_ACK_TLVS != 0 {
		for kind, value := range attributes(words) {
			if kind == nl.NLMSGERR_ATTR_MSG {
				return fmt.Errorf("%w (%s)", errno, unix.ByteSliceToString(value))
			}
		}
	}
	return errno
}
