package pipe

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/net/nettest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What net.Conn promises: order, deadlines of the past, the present and the future, closing while others read and write.
func TestConn(t *testing.T) {
	nettest.TestConn(t, func() (a, b net.Conn, stop func(), err error) {
		one, other := New()
		return one, other, func() { one.Close(); other.Close() }, nil
	})
}

// Nobody waits while there is room, and no octet is lost, doubled or moved, whatever is read and written in between.
func TestRoom(t *testing.T) {
	a, b := New()
	defer a.Close()
	defer b.Close()
	random := rand.New(rand.NewPCG(1, 2))
	var sent, got []byte
	next := byte(0)
	for len(sent) < 8*room {
		piece := make([]byte, random.IntN(room/2))
		for i := range piece {
			next = next*7 + 1
			piece[i] = next
		}
		want := min(len(piece), room-(len(sent)-len(got)))
		if n := a.WriteNow(piece); n != want {
			t.Fatalf("%d octets wait, %d of %d more are taken, want %d", len(sent)-len(got), n, len(piece), want)
		}
		sent = append(sent, piece[:want]...)
		if len(sent) > len(got) {
			some := make([]byte, random.IntN(room))
			n, err := b.Read(some)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, some[:n]...)
		}
	}
	a.Close()
	rest, err := io.ReadAll(b)
	if err != nil || !bytes.Equal(append(got, rest...), sent) {
		t.Errorf("%d octets and %v, want the %d that were sent", len(got)+len(rest), err, len(sent))
	}
}

func TestWriterWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := New()
		defer b.Close()
		written := make(chan error, 1)
		go func() {
			_, err := a.Write(make([]byte, room+1))
			written <- err
			a.Close()
		}()
		synctest.Wait()
		select {
		case err := <-written:
			t.Fatalf("%v: more was written than there is room for", err)
		default:
		}
		if n := a.WriteNow([]byte{1}); n != 0 {
			t.Errorf("%d octets more are taken", n)
		}
		all, err := io.ReadAll(b)
		if err != nil || len(all) != room+1 {
			t.Errorf("%d octets, %v", len(all), err)
		}
		if err := <-written; err != nil {
			t.Error(err)
		}
	})
}

func TestDeadlineWhileNothingComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := New()
		defer a.Close()
		defer b.Close()
		began := time.Now()
		for range 3 {
			if err := b.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
				t.Fatal(err)
			}
			if _, err := b.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		}
		if d := time.Since(began); d != 3*time.Second {
			t.Errorf("it took %v", d)
		}
	})
}

func TestClosed(t *testing.T) {
	a, b := New()
	if _, err := a.Write([]byte("last")); err != nil {
		t.Fatal(err)
	}
	a.Close()
	if _, err := b.Write([]byte{1}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("write to who is gone: %v", err)
	}
	if n := b.WriteNow([]byte{1}); n != 0 {
		t.Errorf("who is gone has taken %d octets", n)
	}
	if _, err := a.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("read from what is closed: %v", err)
	}
	if all, err := io.ReadAll(b); err != nil || string(all) != "last" {
		t.Errorf("read %q, %v, want what was said last", all, err)
	}
	if err := errors.Join(b.Close(), b.Close()); err != nil {
		t.Error(err)
	}
}

// BenchmarkTurn is a short message to a goroutine that waits, and its answer.
func BenchmarkTurn(b *testing.B) {
	x, y := New()
	go func() {
		_, _ = io.Copy(y, y)
	}()
	defer y.Close()
	defer x.Close()
	buffer := make([]byte, 100)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := x.Write(buffer); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(x, buffer); err != nil {
			b.Fatal(err)
		}
	}
}
