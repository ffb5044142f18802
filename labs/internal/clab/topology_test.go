package clab_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tns-project/tns/labs/internal/clab"
)

func write(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "topology.clab.yml")
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestLoad(t *testing.T) {
	name := write(t, `
name: two
topology:
  kinds:
    linux: {image: alpine, exec: [ip link set lo up], env: {A: kind, B: kind}}
  nodes:
    a: {kind: linux, binds: ["topology.clab.yml:/etc/two:ro"], exec: [hostname], env: {B: node}}
    b: {kind: linux, image: tns/tns, cmd: nved --check}
  links:
    - endpoints: ["a:eth1", "b:eth1"]
`)
	got, err := clab.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	want := &clab.Topology{
		Name: "two",
		Nodes: map[string]clab.Node{
			"a": {
				Kind: "linux", Image: "alpine", Binds: []string{"topology.clab.yml:/etc/two:ro"},
				Exec: []string{"ip link set lo up", "hostname"}, Env: map[string]string{"A": "kind", "B": "node"},
			},
			"b": {
				Kind: "linux", Image: "tns/tns", Cmd: "nved --check",
				Exec: []string{"ip link set lo up"}, Env: map[string]string{"A": "kind", "B": "kind"},
			},
		},
		Links: []clab.Link{{A: clab.Endpoint{Node: "a", Interface: "eth1"}, B: clab.Endpoint{Node: "b", Interface: "eth1"}}},
		Dir:   filepath.Dir(name),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestLoadRefuses(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a key that it does not know", "name: x\ntopology: {nodes: {a: {kind: linux, imgae: x}}}", "imgae"},
		{"a kind of router", "name: x\ntopology: {nodes: {a: {kind: ceos}}}", `nodes.a.kind: "ceos"`},
		{"a topology without a name", "topology: {nodes: {a: {kind: linux}}}", "name: missing"},
		{"a link with one end", "name: x\ntopology: {links: [{endpoints: [\"a:e\"]}]}", "a link has 2"},
		{"a link to nowhere", "name: x\ntopology: {nodes: {a: {kind: linux}}, links: [{endpoints: [\"a:e\", \"b:e\"]}]}", "endpoint b:e of a node that is not there"},
		{"an interface used twice", "name: x\ntopology: {nodes: {a: {kind: linux}}, links: [{endpoints: [\"a:e\", \"a:e\"]}]}", "endpoint a:e is used twice"},
		{"an interface name that Linux refuses", "name: x\ntopology: {links: [{endpoints: [\"a:abcdefghijklmnop\", \"b:e\"]}]}", "at most 15 characters"},
		{"a bind of a file that is not there", "name: x\ntopology: {nodes: {a: {kind: linux, binds: [\"nothing:/etc/x\"]}}}", "nothing"},
		{"a bind to a relative path", "name: x\ntopology: {nodes: {a: {kind: linux, binds: [\"topology.clab.yml:x\"]}}}", "absolute target"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := clab.Load(write(t, c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want one with %q", err, c.want)
			}
		})
	}
}
