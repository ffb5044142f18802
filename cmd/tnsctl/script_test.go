package main

import (
	"context"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tns-project/tns/cmd/internal/control"
)

var update = flag.Bool("update", false, "write what is printed into the scripts")

func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"tnsctl": main}) }

// TestScripts runs what an operator types, and compares all that he sees. `status N program args…` is exec with a given exit status.
func TestScripts(t *testing.T) {
	recordings, err := filepath.Abs(filepath.Join("testdata", "recordings"))
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:           "testdata",
		UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			// a path short enough for a socket
			dir, err := os.MkdirTemp("", "tnsctl")
			if err != nil {
				return err
			}
			env.Defer(func() { os.RemoveAll(dir) })
			env.Setenv("TNS_API", serve(t, dir, control.TES, fake{}, env.Defer))
			env.Setenv("BARE", serve(t, dir, control.NVE, control.Unsupported{Daemon: control.NVE}, env.Defer))
			for name, says := range whatReloads() {
				env.Setenv(name, serve(t, dir, strings.ToLower(name), reloads{says: &says}, env.Defer))
			}
			env.Setenv("NOBODY", "unix://"+filepath.Join(dir, "nobody.sock"))
			env.Setenv("RECORDINGS", recordings)
			env.Setenv("TZ", "UTC")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"status": status},
	})
}

// serve serves a backend until the script ends, and returns its address.
func serve(t *testing.T, dir, name string, b control.Backend, later func(func())) string {
	address := "unix://" + filepath.Join(dir, name+".sock")
	l, err := control.Listen(address)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- control.NewServer(l, b).Run(ctx) }()
	later(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return address
}

func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N program args…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}
