package brief

import (
	"bytes"
	"testing"

	"golang.org/x/sys/unix"
)

// What there is comes as a message each; without any there is nothing to wait for.
func TestReceive(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	in := make([]byte, 4<<10)
	for _, size := range []int{1, 1 << 10, 2 << 10} {
		out := bytes.Repeat([]byte{byte(size), 7}, size)[:size]
		if n, err := unix.Write(pair[0], out); n != size || err != nil {
			t.Fatalf("%d octets: %d, %v", size, n, err)
		}
		if n, err := Receive(pair[1], in); err != nil || !bytes.Equal(in[:n], out) {
			t.Errorf("%d octets: %d came, %v", size, n, err)
		}
	}
	if n, err := Receive(pair[1], in); n != 0 || err != unix.EAGAIN {
		t.Errorf("nothing there: %d, %v; want EAGAIN", n, err)
	}
}
