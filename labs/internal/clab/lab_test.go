package clab_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tns-project/tns/labs/internal/clab"
	"github.com/tns-project/tns/labs/internal/netns"
	"github.com/tns-project/tns/labs/internal/wait"
)

const pair = `
name: clab
topology:
  nodes:
    a: {kind: linux, cmd: "sh -c 'sleep 1001 & sleep 1002 & wait'", binds: ["topology.clab.yml:/etc/tns/bound"], exec: [ip address add 10.0.0.1/24 dev eth1]}
    b: {kind: linux, exec: [ip address add 10.0.0.2/24 dev eth1]}
  links:
    - endpoints: ["a:eth1", "b:eth1"]
`

func TestDeploy(t *testing.T) {
	topology, err := clab.Load(write(t, pair))
	if err != nil {
		t.Fatal(err)
	}
	options := clab.Options{Name: fmt.Sprint("clab", os.Getpid()), State: t.TempDir()}
	lab, err := clab.Deploy(t.Context(), topology, options)
	if err != nil {
		t.Fatal(err)
	}
	output := func(node string, argv ...string) string {
		t.Helper()
		s, err := lab.Output(t.Context(), node, argv...)
		if err != nil {
			t.Error(err)
		}
		return strings.TrimSpace(s)
	}

	output("a", "ping", "-n", "-c", "1", "-w", "5", "10.0.0.2")
	if got := output("b", "hostname"); got != "b" {
		t.Errorf("b's host name is %q", got)
	}
	if got := output("a", "cat", "/etc/tns/bound"); got != strings.TrimSpace(pair) {
		t.Errorf("the bound file reads %q", got)
	}
	output("a", "sh", "-c", "echo a >/run/tns/own; echo a >/etc/tns/own; echo a >/var/lib/tns/own")
	for _, name := range []string{"/run/tns/own", "/etc/tns/own", "/var/lib/tns/own"} {
		if _, err := os.Stat(lab.Path("b", name)); err == nil {
			t.Errorf("b has a's file %s", name)
		}
		if _, err := os.Stat(name); err == nil {
			t.Errorf("the machine has a's file %s", name)
		}
		if _, err := os.Stat(lab.Path("a", name)); err != nil {
			t.Error(err)
		}
	}

	running := func(want int) func() error {
		return func() error {
			all, err := lab.Processes("a")
			if err == nil && len(all) != want {
				err = fmt.Errorf("a runs %v, want %d processes", all, want)
			}
			return err
		}
	}
	until := func(what string, condition func() error) {
		t.Helper()
		if err := wait.Until(t.Context(), 5*time.Second, what, condition); err != nil {
			t.Error(err)
		}
	}
	until("what a runs", running(3))
	for node, want := range map[string]int{"a": 4, "b": 1} { // process 1 has one that reads
		if all, err := lab.Everything(node); err != nil || len(all) != want {
			t.Errorf("%s has the processes %v, %v; want %d", node, all, err, want)
		}
	}
	child, err := lab.Process("a", "1001")
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Kill(); err != nil {
		t.Error(err)
	}
	until("the others of what a runs", running(2))
	if _, err := lab.Process("a", "1001"); err == nil {
		t.Error("a child that was killed is listed")
	}
	if err := lab.Kill("a"); err != nil {
		t.Error(err)
	}
	until("the end of what a runs", running(0))
	if err := lab.Kill("a"); err == nil {
		t.Error("what does not run was killed")
	}
	if err := lab.Start("a"); err != nil {
		t.Error(err)
	}
	until("what a runs", running(3))

	if _, err := clab.Deploy(t.Context(), topology, options); err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("a second lab of the name: %v, want an error", err)
	}
	output("a", "true") // which has left the first alone

	process := filepath.Dir(lab.Path("a", ""))
	if err := lab.Destroy(); err != nil {
		t.Error(err)
	}
	gone := func() error {
		if _, err := os.Stat(process); err == nil {
			return fmt.Errorf("%s is there", process)
		}
		names, err := netns.Names(options.Name + "-")
		if err == nil && len(names) > 0 {
			err = fmt.Errorf("namespaces are left: %v", names)
		}
		return err
	}
	until("the end of all", gone)
}

// TestDeployFails leaves nothing behind.
func TestDeployFails(t *testing.T) {
	topology, err := clab.Load(write(t, strings.Replace(pair, "dev eth1]}\n  links", "dev nothing]}\n  links", 1)))
	if err != nil {
		t.Fatal(err)
	}
	options := clab.Options{Name: fmt.Sprint("clabfails", os.Getpid()), State: t.TempDir()}
	if _, err := clab.Deploy(t.Context(), topology, options); err == nil || !strings.Contains(err.Error(), "on b:") {
		t.Errorf("deployed with %v, want what failed on b", err)
	}
	if names, err := netns.Names(options.Name + "-"); err != nil || len(names) > 0 {
		t.Errorf("left: %v, %v", names, err)
	}
}

// TestDetached finds a lab again, and clears it, as separate runs of a program do.
func TestDetached(t *testing.T) {
	topology, err := clab.Load(write(t, pair))
	if err != nil {
		t.Fatal(err)
	}
	options := clab.Options{Name: fmt.Sprint("clabdetached", os.Getpid()), State: t.TempDir(), Detached: true}
	if _, err := clab.Attach(topology, options); err == nil {
		t.Error("attached to a lab that is not there")
	}
	if _, err := clab.Deploy(t.Context(), topology, options); err != nil {
		t.Fatal(err)
	}
	lab, err := clab.Attach(topology, options)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lab.Output(t.Context(), "b", "ping", "-n", "-c", "1", "-w", "5", "10.0.0.1"); err != nil {
		t.Error(err)
	}
	for range 2 { // the second time there is nothing left, which is success
		if err := clab.Clear(topology, options); err != nil {
			t.Error(err)
		}
	}
	if names, err := netns.Names(options.Name + "-"); err != nil || len(names) > 0 {
		t.Errorf("left: %v, %v", names, err)
	}
}
