package nft

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/mdlayher/netlink"
	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/dataplane/linux/internal/brief"
)

// socket sends transactions. The kernel has done what it is told, and has answered, when a system call that sends returns: nothing here waits.
type socket struct {
	fd       int // -1: closed
	sequence uint32
	out      []byte
	in       []byte
}

// errUnanswered is not for users to see: the kernel answers.
var errUnanswered = errors.New("the kernel has not answered")

func openSocket(ns netns.NsHandle) (*socket, error) {
	n, err := nl.GetNetlinkSocketAt(ns, netns.None(), unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, err
	}
	defer n.Close() // the poller's, which every answer would wake up
	fd, err := unix.FcntlInt(uintptr(n.GetFd()), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	s := &socket{fd: fd, in: make([]byte, 8<<10)}
	if err := errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, buffer),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, buffer),
		unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1), // an error is without what it is about
	); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *socket) close() {
	if s.fd >= 0 {
		unix.Close(s.fd)
		s.fd = -1
	}
}

// transact sends a batch: its begin, what is to be done, and its end. Only the last thing to be done is acknowledged; what the kernel refuses, it says.
func (s *socket) transact(batch []netlink.Message) error {
	s.out = s.out[:0]
	var last uint32
	for i, m := range batch {
		s.sequence++
		m.Header.Sequence, m.Header.PID = s.sequence, 0
		m.Header.Flags &^= netlink.Acknowledge
		if i == len(batch)-2 {
			m.Header.Flags |= netlink.Acknowledge
			last = s.sequence
		}
		s.out = appendMessage(s.out, m)
	}
	if err := s.send(); err != nil {
		return err
	}
	var refused error
	for {
		kind, sequence, body, err := s.receive()
		switch {
		case errors.Is(err, errUnanswered) && refused != nil:
			return refused
		case err != nil:
			return errors.Join(refused, err)
		case kind != unix.NLMSG_ERROR || len(body) < 4:
			continue
		}
		if code := int32(binary.NativeEndian.Uint32(body)); code != 0 {
			refused = errors.Join(refused, unix.Errno(-code))
		}
		if sequence == last {
			return refused
		}
	}
}

// appendMessage appends a message and fills it up to four octets.
func appendMessage(b []byte, m netlink.Message) []byte {
	b = binary.NativeEndian.AppendUint32(b, uint32(unix.SizeofNlMsghdr+len(m.Data)))
	b = binary.NativeEndian.AppendUint16(b, uint16(m.Header.Type))
	b = binary.NativeEndian.AppendUint16(b, uint16(m.Header.Flags))
	b = binary.NativeEndian.AppendUint32(b, m.Header.Sequence)
	b = binary.NativeEndian.AppendUint32(b, m.Header.PID)
	b = append(b, m.Data...)
	return append(b, make([]byte, -len(m.Data)&3)...)
}

// generation asks for the number of transactions.
func (s *socket) generation() (uint32, error) {
	s.sequence++
	s.out = appendMessage(s.out[:0], netlink.Message{
		Header: netlink.Header{Type: unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETGEN, Flags: netlink.Request, Sequence: s.sequence},
		Data:   []byte{unix.AF_UNSPEC, unix.NFNETLINK_V0, 0, 0},
	})
	if err := s.send(); err != nil {
		return 0, fmt.Errorf("ask for the generation of nftables: %w", err)
	}
	for {
		kind, sequence, body, err := s.receive()
		switch {
		case err != nil:
			return 0, fmt.Errorf("ask for the generation of nftables: %w", err)
		case sequence != s.sequence || len(body) < 4:
			continue
		case kind == unix.NLMSG_ERROR:
			return 0, fmt.Errorf("ask for the generation of nftables: %w", unix.Errno(-int32(binary.NativeEndian.Uint32(body))))
		}
		attrs, err := netlink.UnmarshalAttributes(body[4:])
		if err != nil {
			return 0, fmt.Errorf("read the generation of nftables: %w", err)
		}
		for _, a := range attrs {
			if a.Type == unix.NFTA_GEN_ID && len(a.Data) == 4 {
				return binary.BigEndian.Uint32(a.Data), nil
			}
		}
		return 0, errors.New("ask for the generation of nftables: no answer has it")
	}
}

// send may have to wait for who else changes nftables, so the runtime gets to know.
func (s *socket) send() error {
	for {
		if _, err := unix.Write(s.fd, s.out); err != unix.EINTR {
			return err
		}
	}
}

// receive takes one message that the kernel has answered; it is one for each system call.
func (s *socket) receive() (kind uint16, sequence uint32, body []byte, err error) {
	n, err := brief.Receive(s.fd, s.in)
	switch {
	case errors.Is(err, unix.EAGAIN):
		return 0, 0, nil, errUnanswered
	case err != nil:
		return 0, 0, nil, err
	case n < unix.SizeofNlMsghdr:
		return 0, 0, nil, fmt.Errorf("an answer of %d octets", n)
	}
	h := s.in[:n]
	return binary.NativeEndian.Uint16(h[4:]), binary.NativeEndian.Uint32(h[8:]), h[unix.SizeofNlMsghdr:], nil
}
