package control

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// backend fails as it is told.
type backend struct {
	Unsupported
	err error
	vms []*tnsv1.VM
}

func (b backend) ListVMs(context.Context, *tnsv1.ListVMsRequest) (*tnsv1.ListVMsResponse, error) {
	return &tnsv1.ListVMsResponse{Vms: b.vms}, b.err
}

func (b backend) WatchEvents(_ *tnsv1.WatchEventsRequest, out grpc.ServerStreamingServer[tnsv1.Event]) error {
	if err := out.Send(&tnsv1.Event{Number: 1}); err != nil {
		return err
	}
	return b.err
}

// directory is a folder whose path is short enough for a socket.
func directory(t testing.TB) string {
	t.Helper()
	d, err := os.MkdirTemp("", "control")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(d) })
	return d
}

// serve serves a backend until the test ends and returns its address.
func serve(t testing.TB, file string, b Backend) string {
	t.Helper()
	l, err := Listen("unix://" + file)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- NewServer(l, b).Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return "unix://" + file
}

func dial(t testing.TB, address string) *Client {
	t.Helper()
	c, err := Dial(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestErrorsKeepTheirKind(t *testing.T) {
	for name, c := range map[string]struct{ err, want error }{
		"malformed":            {Errorf(ErrInvalid, "text"), ErrInvalid},
		"not there":            {Errorf(ErrNotFound, "text"), ErrNotFound},
		"refused":              {Errorf(ErrRefused, "text"), ErrRefused},
		"not served":           {Errorf(ErrUnsupported, "text"), ErrUnsupported},
		"failed":               {Errorf(ErrFailed, "text"), ErrFailed},
		"of no kind":           {errors.New("text"), ErrFailed},
		"the call's time over": {context.DeadlineExceeded, ErrNoAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			client := dial(t, serve(t, filepath.Join(directory(t), "s"), backend{err: c.err}))
			_, err := client.ListVMs(t.Context(), &tnsv1.ListVMsRequest{})
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.err.Error()) {
				t.Errorf("a call: %v, want %q of kind %v", err, c.err, c.want)
			}
			stream, err := client.WatchEvents(t.Context(), &tnsv1.WatchEventsRequest{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := stream.Recv(); err != nil {
				t.Fatalf("the stream's first event: %v", err)
			}
			if _, err := stream.Recv(); !errors.Is(err, c.want) {
				t.Errorf("a stream: %v, want the kind %v", err, c.want)
			}
		})
	}
}

// An edge may have more VMs than fit into gRPC's usual 4 MB.
func TestLongList(t *testing.T) {
	b := backend{}
	for range 50_000 {
		b.vms = append(b.vms, &tnsv1.VM{Vmid: "6f1c2b3a-4d5e-4f60-8192-0a1b2c3d4e5f", Routes: []*tnsv1.Route{{Mac: "02:00:00:00:00:01", Ip: "2001:db8::1"}}})
	}
	r, err := dial(t, serve(t, filepath.Join(directory(t), "s"), b)).ListVMs(t.Context(), &tnsv1.ListVMsRequest{})
	if err != nil || len(r.Vms) != len(b.vms) {
		t.Errorf("list: %d VMs, %v; want %d", len(r.GetVms()), err, len(b.vms))
	}
}

func TestUnsupportedNamesTheOtherDaemon(t *testing.T) {
	for daemon, want := range map[string]string{TES: "tesd does not do this, ask nved", NVE: "nved does not do this, ask tesd"} {
		client := dial(t, serve(t, filepath.Join(directory(t), "s"), Unsupported{Daemon: daemon}))
		_, err := client.ListFDB(t.Context(), &tnsv1.ListFDBRequest{})
		if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", daemon, err, want)
		}
	}
}

func TestNoDaemon(t *testing.T) {
	file := filepath.Join(directory(t), "s")
	if _, err := Dial(t.Context(), "unix://"+file); !errors.Is(err, ErrNoDaemon) {
		t.Errorf("no socket: %v, want the kind %v", err, ErrNoDaemon)
	}
	leaveStale(t, file)
	if _, err := Dial(t.Context(), file); !errors.Is(err, ErrNoDaemon) {
		t.Errorf("a socket that nobody listens on: %v, want the kind %v", err, ErrNoDaemon)
	}
	if _, err := Dial(t.Context(), "tesd.sock"); !errors.Is(err, ErrInvalid) {
		t.Errorf("a relative path: %v, want the kind %v", err, ErrInvalid)
	}
}

func TestDaemonThatGoesAway(t *testing.T) {
	l, err := Listen(filepath.Join(directory(t), "s"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- NewServer(l, backend{}).Run(ctx) }()
	client := dial(t, l.Addr().String())
	if _, err := client.ListVMs(t.Context(), &tnsv1.ListVMsRequest{}); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatalf("serve: %v", err)
	}
	if _, err := client.ListVMs(t.Context(), &tnsv1.ListVMsRequest{}); !errors.Is(err, ErrNoDaemon) {
		t.Errorf("after the daemon went: %v, want the kind %v", err, ErrNoDaemon)
	}
}

// leaveStale leaves a socket as a daemon that was killed does.
func leaveStale(t *testing.T, file string) {
	t.Helper()
	l, err := net.Listen("unix", file)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
}

func TestListen(t *testing.T) {
	t.Run("makes the directory, and a socket for owner and group", func(t *testing.T) {
		file := filepath.Join(directory(t), "run", "tns", "s")
		l, err := Listen("unix://" + file)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != 0o660 {
			t.Errorf("mode %o, want 660", got)
		}
	})
	t.Run("replaces a socket that nobody listens on", func(t *testing.T) {
		file := filepath.Join(directory(t), "s")
		leaveStale(t, file)
		l, err := Listen(file)
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
	})
	t.Run("leaves a running daemon alone", func(t *testing.T) {
		file := filepath.Join(directory(t), "s")
		address := serve(t, file, backend{})
		if _, err := Listen(address); err == nil || !strings.Contains(err.Error(), "another daemon is running") {
			t.Errorf("listen twice: %v, want that another daemon is running", err)
		}
		if _, err := dial(t, address).ListVMs(t.Context(), &tnsv1.ListVMsRequest{}); err != nil {
			t.Errorf("the first one afterwards: %v", err)
		}
	})
	t.Run("leaves a file that is no socket alone", func(t *testing.T) {
		file := filepath.Join(directory(t), "s")
		if err := os.WriteFile(file, []byte("notes"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Listen(file); err == nil || !strings.Contains(err.Error(), "not a socket") {
			t.Errorf("listen: %v, want that the file is not a socket", err)
		}
		if text, _ := os.ReadFile(file); string(text) != "notes" {
			t.Errorf("the file became %q", text)
		}
	})
}

func TestFind(t *testing.T) {
	dir := directory(t)
	tes, nve := "unix://"+filepath.Join(dir, "tesd.sock"), "unix://"+filepath.Join(dir, "nved.sock")
	find := func(daemons ...string) string { return findIn(dir, daemons) }

	if got := find(TES, NVE); got != tes {
		t.Errorf("no daemon: %s, want the first one's %s", got, tes)
	}
	leaveStale(t, filepath.Join(dir, "nved.sock"))
	if got := find(TES, NVE); got != nve {
		t.Errorf("one that was killed: %s, want its %s", got, nve)
	}
	serve(t, filepath.Join(dir, "tesd.sock"), backend{})
	if got := find(NVE, TES); got != tes {
		t.Errorf("only tesd runs: %s, want %s", got, tes)
	}
	serve(t, filepath.Join(dir, "nved.sock"), backend{})
	if got := find(NVE, TES); got != nve {
		t.Errorf("both run: %s, want the first one's %s", got, nve)
	}
}

// A call that stands does not keep a daemon from stopping.
func TestStopsUnderACall(t *testing.T) {
	l, err := Listen(filepath.Join(directory(t), "s"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- NewServer(l, waiter{}).Run(ctx) }()
	stream, err := dial(t, l.Addr().String()).WatchEvents(t.Context(), &tnsv1.WatchEventsRequest{Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("serve: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the server has not stopped")
	}
	if _, err := stream.Recv(); err == nil {
		t.Error("the stream goes on")
	}
}

// waiter's streams end with the call only.
type waiter struct{ Unsupported }

func (waiter) WatchEvents(_ *tnsv1.WatchEventsRequest, out grpc.ServerStreamingServer[tnsv1.Event]) error {
	if err := out.Send(&tnsv1.Event{Number: 1}); err != nil {
		return err
	}
	<-out.Context().Done()
	return out.Context().Err()
}
