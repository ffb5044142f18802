package brief

import (
	"bytes"
	"testing"

	"golang.org/x/sys/unix"
)

// Little and much goes through, as a message each; without any there is nothing to wait for.
func TestCalls(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[0])
	in := make([]byte, 4*little)
	for _, size := range []int{1, little, little + 1, 2 * little} {
		out := bytes.Repeat([]byte{byte(size), 7}, size)[:size]
		if n, err := Write(pair[0], out); n != size || err != nil {
			t.Fatalf("%d octets: %d, %v", size, n, err)
		}
		if n, err := Receive(pair[1], in); err != nil || !bytes.Equal(in[:n], out) {
			t.Errorf("%d octets: %d came, %v", size, n, err)
		}
	}
	if n, err := Receive(pair[1], in); n != 0 || err != unix.EAGAIN {
		t.Errorf("nothing there: %d, %v; want EAGAIN", n, err)
	}
	unix.Close(pair[1])
	for _, size := range []int{1, 2 * little} {
		if n, err := Write(pair[0], in[:size]); n > 0 || err != unix.EPIPE {
			t.Errorf("%d octets to nobody: %d, %v; want EPIPE", size, n, err)
		}
	}
}
