package nonblock

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// joined is both ends of a stream of the kernel's.
func joined(t *testing.T, network string) (ours, theirs net.Conn) {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "s")
	}
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if ours, err = net.Dial(network, l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ours.Close() })
	if theirs, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { theirs.Close() })
	return ours, theirs
}

// What is written here, little and much, at once or waited for, is read there.
func TestBothWays(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		ours, theirs := joined(t, network)
		now, read := Of(ours), Reader(theirs)
		for _, size := range []int{1, little, little + 1, 1 << 20} {
			sent := bytes.Repeat([]byte{byte(size), 1, 2}, size)[:size]
			got := make(chan []byte)
			go func() { // waits before there is anything
				b := make([]byte, size)
				for have := 0; have < size; {
					n, err := read(b[have:])
					if err != nil {
						t.Errorf("%s, %d octets: %v", network, size, err)
						break
					}
					have += n
				}
				got <- b
			}()
			if n := now(sent); n < size {
				if _, err := ours.Write(sent[n:]); err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(<-got, sent) {
				t.Errorf("%s, %d octets: others came than were sent", network, size)
			}
		}
	}
}

// A socket that is full takes what it has room for, and the call does not wait.
func TestFull(t *testing.T) {
	for _, size := range []int{little, 16 * little} {
		ours, _ := joined(t, "unix")
		now, b := Of(ours), make([]byte, size)
		for range 1 << 14 {
			if now(b) == 0 {
				b = nil
				break
			}
		}
		if b != nil {
			t.Errorf("of %d octets: the socket is never full", size)
		}
	}
}

func TestEnds(t *testing.T) {
	b := make([]byte, 8)
	t.Run("the other side closes", func(t *testing.T) {
		ours, theirs := joined(t, "unix")
		ours.Close()
		if n, err := Reader(theirs)(b); n != 0 || err != io.EOF {
			t.Errorf("%d, %v; want EOF itself", n, err)
		}
		if n, err := Reader(theirs)(nil); n != 0 || err != nil {
			t.Errorf("nothing asked for: %d, %v", n, err)
		}
		if n := Of(theirs)(b); n != 0 {
			t.Errorf("%d octets were written to one who is gone", n)
		}
	})
	t.Run("the deadline passes", func(t *testing.T) {
		_, theirs := joined(t, "tcp")
		read := Reader(theirs)
		if err := theirs.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if _, err := read(b); !errors.Is(err, os.ErrDeadlineExceeded) || !strings.HasPrefix(err.Error(), "read tcp") {
			t.Errorf("%v; want that reading took too long", err)
		}
	})
	t.Run("we close, while it waits", func(t *testing.T) {
		_, theirs := joined(t, "tcp")
		failed := make(chan error)
		go func() {
			_, err := Reader(theirs)(b)
			failed <- err
		}()
		theirs.Close()
		if err := <-failed; !errors.Is(err, net.ErrClosed) {
			t.Errorf("%v; want that it is closed", err)
		}
	})
	t.Run("the other side resets", func(t *testing.T) {
		ours, theirs := joined(t, "tcp")
		if err := ours.(*net.TCPConn).SetLinger(0); err != nil {
			t.Fatal(err)
		}
		ours.Close()
		if _, err := Reader(theirs)(b); err == nil || err == io.EOF || !strings.HasSuffix(err.Error(), "read: connection reset by peer") || !strings.HasPrefix(err.Error(), "read tcp") {
			t.Errorf("%v; want what a connection's own Read says", err)
		}
	})
}

// A connection without a socket is read as it is.
func TestNoSocket(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	go ours.Close()
	if _, err := Reader(theirs)(make([]byte, 1)); err != io.EOF {
		t.Errorf("%v", err)
	}
	if n := Of(theirs)([]byte{1}); n != 0 {
		t.Errorf("%d octets at once, where nothing can be", n)
	}
}

func TestNothingIsAllocated(t *testing.T) {
	ours, theirs := joined(t, "unix")
	read, b := Reader(theirs), make([]byte, 8)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := ours.Write(b); err != nil {
			t.Fatal(err)
		}
		if _, err := read(b); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations a read", n)
	}
}
