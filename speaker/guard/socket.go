package guard

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What a socket of ours must be. An option that cannot be set is an error, and the socket is closed: a peer is never let in without the protection that
// is configured. Multipath TCP has no MD5 signatures, so it is never asked for.

// family is the level and the options of one address family.
type family struct {
	domain               uint16
	level, hops, minHops int
	network              string
	address              int // where it begins in sockaddr_storage, after the family
	hopsAt               int // where the TTL is in an IP header
}

var (
	inet4 = family{unix.AF_INET, unix.IPPROTO_IP, unix.IP_TTL, unix.IP_MINTTL, "tcp4", 2, 8}
	inet6 = family{unix.AF_INET6, unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, unix.IPV6_MINHOPCOUNT, "tcp6", 6, 7}
)

func familyOf(a netip.Addr) family {
	if a.Is4() {
		return inet4
	}
	return inet6
}

// key is the TCP MD5 signature key of a peer's address, or of a prefix of them (RFC 2385).
type key struct {
	peer     netip.Prefix
	password string
}

// set puts the key on a socket.
func (k key) set(fd int) error {
	f := familyOf(k.peer.Addr())
	sig := unix.TCPMD5Sig{Keylen: uint16(len(k.password))}
	sig.Addr.Family = f.domain
	copy(sig.Addr.Data[f.address:], k.peer.Addr().AsSlice())
	copy(sig.Key[:], k.password)
	option := unix.TCP_MD5SIG
	if !k.peer.IsSingleIP() {
		option, sig.Flags, sig.Prefixlen = unix.TCP_MD5SIG_EXT, unix.TCP_MD5SIG_FLAG_PREFIX, uint8(k.peer.Bits())
	}
	if err := unix.SetsockoptTCPMD5Sig(fd, unix.IPPROTO_TCP, option, &sig); err != nil {
		return fmt.Errorf("TCP MD5 signature of %v: %w", k.peer, os.NewSyscallError("setsockopt", err))
	}
	return nil
}

// hops is what IP is told about distance: with which TTL to send, and the least that a packet must have come with. 0 leaves the system's.
type hops struct{ send, least int }

// hopsTo is a peer's: 255 both ways less the allowed hops with GTSM (RFC 5082 §3), the configured TTL, 1 for an adjacent external peer.
func hopsTo(p Peer, internal bool) hops {
	switch {
	case p.SecurityHops > 0:
		return hops{send: 255, least: 256 - int(p.SecurityHops)}
	case p.MultihopTTL > 0:
		return hops{send: int(p.MultihopTTL)}
	case !internal && p.AS != 0:
		return hops{send: 1}
	}
	return hops{}
}

func (h hops) set(fd int, f family) error {
	if h.send > 0 {
		if err := unix.SetsockoptInt(fd, f.level, f.hops, h.send); err != nil {
			return fmt.Errorf("TTL %d: %w", h.send, os.NewSyscallError("setsockopt", err))
		}
	}
	if h.least > 0 {
		if err := unix.SetsockoptInt(fd, f.level, f.minHops, h.least); err != nil {
			return fmt.Errorf("least TTL %d: %w", h.least, os.NewSyscallError("setsockopt", err))
		}
	}
	return nil
}

// listen opens a listening socket with the keys of its family.
func listen(at netip.AddrPort, keys []key, h hops) (*net.TCPListener, error) {
	f := familyOf(at.Addr())
	config := net.ListenConfig{KeepAlive: -1, Control: control(func(fd int) error {
		for _, k := range keys {
			if familyOf(k.peer.Addr()) == f {
				if err := k.set(fd); err != nil {
					return err
				}
			}
		}
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_SAVE_SYN, 1); err != nil {
			return fmt.Errorf("keep the first packet: %w", os.NewSyscallError("setsockopt", err))
		}
		return h.set(fd, f)
	})}
	config.SetMultipathTCP(false)
	l, err := config.Listen(context.Background(), f.network, at.String())
	if err != nil {
		return nil, err
	}
	return l.(*net.TCPListener), nil
}

// dialTime is how long a connection may take: three SYNs.
const dialTime = 5 * time.Second

// dial connects to a peer; from may be the zero address.
func dial(ctx context.Context, from netip.Addr, to netip.AddrPort, password string, h hops) (net.Conn, error) {
	f := familyOf(to.Addr())
	dialer := net.Dialer{Timeout: dialTime, KeepAlive: -1, Control: control(func(fd int) error {
		if password != "" {
			if err := (key{netip.PrefixFrom(to.Addr(), to.Addr().BitLen()), password}).set(fd); err != nil {
				return err
			}
		}
		return h.set(fd, f)
	})}
	if from.IsValid() {
		dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
	}
	dialer.SetMultipathTCP(false)
	return dialer.DialContext(ctx, f.network, to.String())
}

// raise sets what an accepted socket needs beyond what it has from its listener. What came before cannot have been checked, so the first packet is now:
// who is too far away cannot send one with a high TTL either.
func raise(c net.Conn, h hops, f family) error {
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		return err
	}
	return inControl(raw, func(fd int) error {
		if err := h.set(fd, f); err != nil || h.least == 0 {
			return err
		}
		syn, err := savedSYN(fd)
		switch {
		case err != nil:
			return fmt.Errorf("TTL of the first packet: %w", err)
		case len(syn) <= f.hopsAt:
			return fmt.Errorf("TTL of the first packet: it is not known")
		case int(syn[f.hopsAt]) < h.least:
			return fmt.Errorf("it came with TTL %d, must be at least %d", syn[f.hopsAt], h.least)
		}
		return nil
	})
}

// savedSYN is the headers of the packet that began a connection.
func savedSYN(fd int) ([]byte, error) {
	b := make([]byte, 256)
	size := uint32(len(b))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.IPPROTO_TCP, unix.TCP_SAVED_SYN,
		uintptr(unsafe.Pointer(&b[0])), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return nil, os.NewSyscallError("getsockopt", errno)
	}
	return b[:size], nil
}

// unanswered makes a connection fail on which nothing is acknowledged for that long (RFC 5482).
func unanswered(c net.Conn, limit time.Duration) error {
	s, ok := c.(syscall.Conn)
	if !ok {
		return nil // in memory, in tests
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return err
	}
	return inControl(raw, func(fd int) error {
		err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(limit.Milliseconds()))
		return os.NewSyscallError("setsockopt", err)
	})
}

func control(set func(fd int) error) func(string, string, syscall.RawConn) error {
	return func(_, _ string, raw syscall.RawConn) error { return inControl(raw, set) }
}

func inControl(raw syscall.RawConn, set func(fd int) error) error {
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = set(int(fd)) }); err != nil {
		return err
	}
	return failed
}
