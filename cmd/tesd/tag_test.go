package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/tns-project/tns/config"
	"github.com/tns-project/tns/evpn"
)

// script is a command that the test writes.
func script(t *testing.T, body string) (path, dir string) {
	t.Helper()
	dir = t.TempDir()
	path = filepath.Join(dir, "tag")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body), 0o755); err != nil {
		t.Fatal(err)
	}
	return path, dir
}

// tagging is a tagger that runs.
func tagging(t *testing.T, c config.Tagging) *tagger {
	t.Helper()
	tagger, err := newTagger(&config.TES{Tagging: c, VNs: []config.VN{{Name: "blue"}}}, logrus.NewEntry(logrus.New()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- tagger.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return tagger
}

// answers applies a tag and waits for the answer.
func answers(t *testing.T, c config.Tagging, told evpn.LocalTag) error {
	t.Helper()
	return applies(t, tagging(t, c), told)
}

func applies(t *testing.T, tagger *tagger, told evpn.LocalTag) error {
	t.Helper()
	answer := make(chan error, 1)
	tagger.ApplyTag(evpn.VMID{0xaa, 15: 1}, "blue", evpn.MAC{2, 5: 1}, told, func(err error) { answer <- err })
	select {
	case err := <-answer:
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("no answer")
		return nil
	}
}

func TestHookIsToldTheTag(t *testing.T) {
	path, dir := script(t, `echo "$1 $TNS_VM $TNS_VN $TNS_MAC $TNS_TYPE $TNS_VID $TNS_PCP" > "$2/said"`)
	err := answers(t, config.Tagging{Mode: config.HookTagging, Command: []string{path, "set", dir}, Timeout: 10 * time.Second}, evpn.LocalTag{Type: 1, VID: 100, PCP: 5})
	if err != nil {
		t.Fatal(err)
	}
	said, _ := os.ReadFile(filepath.Join(dir, "said"))
	if want := "set aa000000-0000-0000-0000-000000000001 blue 02:00:00:00:00:01 1 100 5\n"; string(said) != want {
		t.Errorf("told %q, want %q", said, want)
	}
}

func TestHookIsToldTheEnd(t *testing.T) {
	path, dir := script(t, `echo "$TNS_ACTION $TNS_VM $TNS_VN $TNS_MAC $TNS_VID" >> "$1/said"`)
	tagger := tagging(t, config.Tagging{Mode: config.HookTagging, Command: []string{path, dir}, Timeout: 10 * time.Second})
	told := evpn.LocalTag{Type: 1, VID: 100, PCP: 5}
	if err := applies(t, tagger, told); err != nil {
		t.Fatal(err)
	}
	tagger.EndTag(evpn.VMID{0xaa, 15: 1}, "blue", evpn.MAC{2, 5: 1}, told)
	const who = " aa000000-0000-0000-0000-000000000001 blue 02:00:00:00:00:01 100\n"
	want, said := "apply"+who+"end"+who, ""
	tick := time.Tick(5 * time.Millisecond)
	for deadline := time.Now().Add(20 * time.Second); said != want && time.Now().Before(deadline); <-tick {
		text, _ := os.ReadFile(filepath.Join(dir, "said"))
		said = string(text)
	}
	if said != want {
		t.Errorf("told %q, want %q", said, want)
	}
}

func TestHookThatFailsIsAFailure(t *testing.T) {
	bad, _ := script(t, "echo no such port; exit 3")
	slow, _ := script(t, "sleep 60")
	for _, c := range []struct {
		command string
		want    string
	}{
		{bad, "exit status 3: no such port"},
		{slow, "has not ended in 200ms"},
		{"/nonexistent", "no such file"},
	} {
		err := answers(t, config.Tagging{Mode: config.HookTagging, Command: []string{c.command}, Timeout: 200 * time.Millisecond}, evpn.LocalTag{Type: 1, VID: 100})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.command, err, c.want)
		}
	}
}

func TestWithoutTaggingAVIDFails(t *testing.T) {
	if err := answers(t, config.Tagging{}, evpn.LocalTag{Type: 1, VID: 100}); err == nil {
		t.Error("a VID was applied by nobody")
	}
	if err := answers(t, config.Tagging{}, evpn.LocalTag{}); err != nil {
		t.Errorf("untagged: %v", err)
	}
}
