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

func TestUserOfTheGuardMustExist(t *testing.T) {
	for name, want := range map[string]string{
		"nobody":     "",
		"nowhere-in": `guard.user: value "nowhere-in": no such user on this machine; want a user without rights, such as nobody`,
	} {
		err := (&NVE{Guard: Guard{User: name}}).CheckHost()
		if err == nil && want != "" || err != nil && err.Error() != want {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}

// Of a file with errors the ports are checked as far as they can be read, so that one run tells all; and no port is told of twice.
func TestPortsOfAWrongFileMustExist(t *testing.T) {
	n, err := ParseNVE("nved.yaml", strings.NewReader(`
nve_id: 192.0.2.1
as: 0
vns:
  - {name: blue, vni: 10100}
ports:
  - {port: lo, vn: red, tes: [198.51.100.11]}
  - {port: nowhere0, vn: green}
  - {port: nowhere0, vn: blue}
  - {port: a-name-that-is-too-long, vn: blue}
  - {port: tnsbr10100, vn: blue}
  - {vn: blue}
`))
	if err == nil {
		t.Fatal("the file loads")
	}
	err = n.CheckHost()
	const want = `ports[1].port: value "nowhere0": no such device on this machine`
	if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v, want only %q", err, want)
	}
	if n, err = ParseNVE("nved.yaml", strings.NewReader("[")); err == nil {
		t.Fatal("what is not YAML loads")
	}
	if err := n.CheckHost(); err != nil {
		t.Errorf("what is not YAML: %v", err)
	}
	if n, err = LoadNVE("testdata/nowhere.yaml"); err == nil || n.CheckHost() != nil {
		t.Errorf("a file that is not there: %v, then %v", err, n.CheckHost())
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
