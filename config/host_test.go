package config

import (
	"strings"
	"testing"
)

func TestPortsMustExist(t *testing.T) {
	here := &NVE{Ports: []Port{{Name: "lo"}}}
	if err := here.CheckHost(); err != nil {
		t.Errorf("lo: %v", err)
	}
	gone := &NVE{Ports: []Port{{Name: "lo"}, {Name: "nowhere0"}, {Name: "nowhere1"}}}
	err := gone.CheckHost()
	if err == nil {
		t.Fatal("ports that do not exist are accepted")
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 2 {
		t.Fatalf("got %q, want two problems", lines)
	}
	want := `ports[1].port: value "nowhere0": no such device on this machine; want one of `
	if rest, ok := strings.CutPrefix(lines[0], want); !ok || !strings.Contains(rest, "lo") {
		t.Errorf("got %q, want %q and the devices", lines[0], want)
	}
}

func TestMissingFile(t *testing.T) {
	const want = "read configuration: open testdata/nowhere.yaml: no such file or directory"
	if _, err := LoadNVE("testdata/nowhere.yaml"); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err := LoadTES("testdata"); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("a directory: %v", err)
	}
}
