package nft

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/google/nftables"
	"github.com/mdlayher/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

const (
	// buffer holds a large transaction and its acknowledgements.
	buffer = 64 << 20

	// elementsPerMessage keeps the list of elements below the 64 KiB of an attribute.
	elementsPerMessage = 400
)

// conn is a connection that prepares transactions, and one that asks for the generation.
type conn struct {
	*nftables.Conn
	ns  netns.NsHandle
	gen *netlink.Conn
}

func dial(ns netns.NsHandle) (*conn, error) {
	c := &conn{ns: ns}
	if err := c.open(); err != nil {
		return nil, err
	}
	gen, err := netlink.Dial(unix.NETLINK_NETFILTER, &netlink.Config{NetNS: int(ns)})
	if err != nil {
		c.CloseLasting()
		return nil, fmt.Errorf("open an nftables socket: %w", err)
	}
	c.gen = gen
	return c, nil
}

func (c *conn) open() (err error) {
	c.Conn, err = nftables.New(nftables.AsLasting(), nftables.WithNetNSFd(int(c.ns)), nftables.WithSockOptions(func(s *netlink.Conn) error {
		return errors.Join(s.SetWriteBuffer(buffer), s.SetReadBuffer(buffer))
	}))
	if err != nil {
		return fmt.Errorf("open an nftables socket: %w", err)
	}
	return nil
}

func (c *conn) close() {
	c.CloseLasting()
	c.gen.Close()
}

// flush sends what was prepared as one transaction. After a failure the socket may hold answers that nobody waits for, so
// it is opened anew.
func (c *conn) flush() error {
	if err := c.Flush(); err != nil {
		return errors.Join(err, c.reopen())
	}
	return nil
}

// reopen forgets what was prepared, and what the socket may still hold.
func (c *conn) reopen() error {
	c.CloseLasting()
	return c.open()
}

// generation is the number of transactions so far in the namespace, whoever made them.
func (c *conn) generation() (uint32, error) {
	const getGen = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETGEN
	replies, err := c.gen.Execute(netlink.Message{
		Header: netlink.Header{Type: getGen, Flags: netlink.Request},
		Data:   []byte{unix.AF_UNSPEC, unix.NFNETLINK_V0, 0, 0},
	})
	if err != nil {
		return 0, fmt.Errorf("ask for the generation of nftables: %w", err)
	}
	for _, r := range replies {
		if len(r.Data) < 4 {
			continue
		}
		attrs, err := netlink.UnmarshalAttributes(r.Data[4:])
		if err != nil {
			return 0, fmt.Errorf("read the generation of nftables: %w", err)
		}
		for _, a := range attrs {
			if a.Type == unix.NFTA_GEN_ID && len(a.Data) == 4 {
				return binary.BigEndian.Uint32(a.Data), nil
			}
		}
	}
	return 0, errors.New("ask for the generation of nftables: no answer has it")
}

// Unsupported reports whether an error says that this kernel has no nftables, or not for what was asked.
func Unsupported(err error) bool {
	for _, errno := range []unix.Errno{unix.EOPNOTSUPP, unix.EAFNOSUPPORT, unix.EPROTONOSUPPORT, unix.ENOENT} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}
