package nft

import (
	"errors"
	"fmt"

	"github.com/google/nftables"
	"github.com/mdlayher/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

const (
	// buffer holds a large transaction, or a large table.
	buffer = 64 << 20

	// elementsPerMessage keeps the list of elements below the 64 KiB of an attribute.
	elementsPerMessage = 400
)

// conn prepares transactions, sends them, reads the table, and asks for the generation.
type conn struct {
	*nftables.Conn                   // prepares; its Flush only hands over what was prepared
	ours           []netlink.Message // that go where the library has a mark (message.go)
	prepared       []netlink.Message // by Flush
	read           *nftables.Conn
	socket         *socket
	ns             netns.NsHandle
}

func dial(ns netns.NsHandle) (*conn, error) {
	c := &conn{ns: ns}
	if err := c.open(); err != nil {
		return nil, fmt.Errorf("open an nftables socket: %w", err)
	}
	return c, nil
}

func (c *conn) open() (err error) {
	c.ours = nil
	// The library would have each message acknowledged, and read each acknowledgement with two system calls. A dialler for its tests is how it lets others send.
	if c.Conn, err = nftables.New(nftables.AsLasting(), nftables.WithTestDial(c.take)); err != nil {
		return err
	}
	c.read, err = nftables.New(nftables.AsLasting(), nftables.WithNetNSFd(int(c.ns)), nftables.WithSockOptions(func(s *netlink.Conn) error {
		return errors.Join(s.SetWriteBuffer(buffer), s.SetReadBuffer(buffer))
	}))
	if err != nil {
		return err
	}
	if c.socket, err = openSocket(c.ns); err != nil {
		c.read.CloseLasting()
	}
	return err
}

// take takes what was prepared, and says of each message that all is well.
func (c *conn) take(sent []netlink.Message) ([]netlink.Message, error) {
	if len(sent) > 0 {
		c.prepared = sent
	}
	return []netlink.Message{{Header: netlink.Header{Type: netlink.Error}, Data: make([]byte, 4)}}, nil
}

func (c *conn) close() {
	c.CloseLasting()
	c.read.CloseLasting()
	c.socket.close()
}

// flush sends what was prepared as one transaction. After a failure a socket may hold answers that nobody waits for, so they are opened anew.
func (c *conn) flush() error {
	c.prepared = nil
	err := c.Flush()
	if err == nil && c.prepared != nil {
		next := c.ours
		for i, m := range c.prepared {
			if isMark(m) {
				c.prepared[i], next = next[0], next[1:]
			}
		}
		err = c.socket.transact(c.prepared)
	}
	clear(c.ours)
	c.ours = c.ours[:0]
	if err != nil {
		return errors.Join(err, c.reopen())
	}
	return nil
}

// reopen forgets what was prepared, and what sockets may still hold.
func (c *conn) reopen() error {
	c.close()
	if err := c.open(); err != nil {
		return fmt.Errorf("open an nftables socket: %w", err)
	}
	return nil
}

// generation is the number of transactions so far in the namespace, whoever made them.
func (c *conn) generation() (uint32, error) { return c.socket.generation() }

// Unsupported reports whether an error says that this kernel has no nftables, or not for what was asked.
func Unsupported(err error) bool {
	for _, errno := range []unix.Errno{unix.EOPNOTSUPP, unix.EAFNOSUPPORT, unix.EPROTONOSUPPORT, unix.ENOENT} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}
