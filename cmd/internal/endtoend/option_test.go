package endtoend

import (
	"encoding/json"
	"errors"
	"net/netip"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// option is one that a socket has from its first packet on.
type option func(fd int) error

// signed signs what goes to a peer, and wants its signature (TCP MD5, RFC 2385).
func signed(peer, password string) option {
	return func(fd int) error {
		sig := unix.TCPMD5Sig{Keylen: uint16(len(password))}
		sig.Addr.Family = unix.AF_INET
		copy(sig.Addr.Data[2:], netip.MustParseAddr(peer).AsSlice()) // after the port
		copy(sig.Key[:], password)
		return unix.SetsockoptTCPMD5Sig(fd, unix.IPPROTO_TCP, unix.TCP_MD5SIG, &sig)
	}
}

// ttl is what packets leave with. They do not cross a router here, so it is what they come with, too.
func ttl(n int) option {
	return func(fd int) error { return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TTL, n) }
}

// control sets options on a socket that is being made.
func control(options []option) func(string, string, syscall.RawConn) error {
	return func(_, _ string, raw syscall.RawConn) error {
		var errs []error
		err := raw.Control(func(fd uintptr) {
			for _, o := range options {
				errs = append(errs, o(int(fd)))
			}
		})
		return errors.Join(append(errs, err)...)
	}
}

// set changes an option of the peer's socket.
func (p *peer) set(o option) {
	p.t.Helper()
	raw, err := p.Conn.(syscall.Conn).SyscallConn()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := control([]option{o})("", "", raw); err != nil {
		p.t.Fatal(err)
	}
}

// counted is a counter of a namespace's kernel.
func counted(t *testing.T, namespace, counter string) (n int) {
	t.Helper()
	var counters struct{ Kernel map[string]int }
	if err := json.Unmarshal([]byte(run(t, "ip", "netns", "exec", namespace, "nstat", "-asz", "-j", counter)), &counters); err != nil {
		t.Fatal(err)
	}
	n, ok := counters.Kernel[counter]
	if !ok {
		t.Fatalf("the kernel has no counter %s", counter)
	}
	return n
}
