package clab

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Topology is a parsed and checked topology file.
type Topology struct {
	Name  string
	Nodes map[string]Node
	Links []Link
	Dir   string // of the file; relative binds start here
}

// Node is one machine of the lab.
type Node struct {
	Kind  string            `yaml:"kind"`
	Image string            `yaml:"image"`
	Cmd   string            `yaml:"cmd"`   // what it runs; empty: nothing, or what the image is known to run
	Binds []string          `yaml:"binds"` // host path:path in the node[:ro]
	Exec  []string          `yaml:"exec"`  // commands run in it when the links are there
	Env   map[string]string `yaml:"env"`
}

// Link joins two endpoints.
type Link struct{ A, B Endpoint }

// Endpoint is written node:interface.
type Endpoint struct{ Node, Interface string }

func (e Endpoint) String() string { return e.Node + ":" + e.Interface }

// file mirrors topology.clab.yml.
type file struct {
	Name     string `yaml:"name"`
	Topology struct {
		Kinds map[string]Node `yaml:"kinds"`
		Nodes map[string]Node `yaml:"nodes"`
		Links []struct {
			Endpoints []string `yaml:"endpoints"`
		} `yaml:"links"`
	} `yaml:"topology"`
}

// Load reads a topology file. The error joins everything that is wrong with it.
func Load(name string) (*Topology, error) {
	text, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read topology: %w", err)
	}
	defer text.Close()
	decoder := yaml.NewDecoder(text)
	decoder.KnownFields(true)
	var f file
	if err := decoder.Decode(&f); err != nil {
		return nil, fmt.Errorf("read topology %s: %w", name, err)
	}
	dir, err := filepath.Abs(filepath.Dir(name))
	if err != nil {
		return nil, fmt.Errorf("read topology %s: %w", name, err)
	}
	t := &Topology{Name: f.Name, Nodes: make(map[string]Node), Dir: dir}
	for name, node := range f.Topology.Nodes {
		t.Nodes[name] = node.over(f.Topology.Kinds[node.Kind])
	}
	var problems []error
	for i, l := range f.Topology.Links {
		link, err := parseLink(l.Endpoints)
		if err != nil {
			problems = append(problems, fmt.Errorf("links[%d]: %w", i, err))
			continue
		}
		t.Links = append(t.Links, link)
	}
	if err := errors.Join(append(problems, t.check()...)...); err != nil {
		return nil, fmt.Errorf("read topology %s: %w", name, err)
	}
	return t, nil
}

// over lays a node's own settings over those of its kind.
func (n Node) over(kind Node) Node {
	if n.Image == "" {
		n.Image = kind.Image
	}
	if n.Cmd == "" {
		n.Cmd = kind.Cmd
	}
	n.Binds = slices.Concat(kind.Binds, n.Binds)
	n.Exec = slices.Concat(kind.Exec, n.Exec)
	env := maps.Clone(kind.Env)
	if env == nil {
		env = make(map[string]string)
	}
	maps.Copy(env, n.Env)
	n.Env = env
	return n
}

func parseLink(endpoints []string) (Link, error) {
	if len(endpoints) != 2 {
		return Link{}, fmt.Errorf("%d endpoints, a link has 2", len(endpoints))
	}
	a, err := parseEndpoint(endpoints[0])
	if err != nil {
		return Link{}, err
	}
	b, err := parseEndpoint(endpoints[1])
	return Link{a, b}, err
}

func parseEndpoint(s string) (Endpoint, error) {
	node, intf, ok := strings.Cut(s, ":")
	if !ok || node == "" || intf == "" || len(intf) > 15 {
		return Endpoint{}, fmt.Errorf("endpoint %q, want node:interface with at most 15 characters of interface", s)
	}
	return Endpoint{node, intf}, nil
}

func (t *Topology) check() []error {
	var problems []error
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if t.Name == "" {
		wrong("name: missing")
	}
	for _, name := range t.NodeNames() {
		n := t.Nodes[name]
		if n.Kind != "linux" {
			wrong("nodes.%s.kind: %q, this runner knows linux", name, n.Kind)
		}
		for _, b := range n.Binds {
			if _, err := t.bind(b); err != nil {
				wrong("nodes.%s.binds: %w", name, err)
			}
		}
	}
	used := make(map[Endpoint]bool)
	for _, l := range t.Links {
		for _, e := range []Endpoint{l.A, l.B} {
			if _, ok := t.Nodes[e.Node]; !ok {
				wrong("links: endpoint %s of a node that is not there", e)
			}
			if used[e] {
				wrong("links: endpoint %s is used twice", e)
			}
			used[e] = true
		}
	}
	return problems
}

// NodeNames are the names of the nodes, sorted.
func (t *Topology) NodeNames() []string { return slices.Sorted(maps.Keys(t.Nodes)) }

// bind is one entry of binds, with an absolute source.
type bind struct{ source, target string }

func (t *Topology) bind(s string) (bind, error) {
	source, target, ok := strings.Cut(s, ":")
	target, _, _ = strings.Cut(target, ":") // :ro, :z
	if !ok || !path.IsAbs(target) {
		return bind{}, fmt.Errorf("%q, want source:absolute target", s)
	}
	if !filepath.IsAbs(source) {
		source = filepath.Join(t.Dir, source)
	}
	if _, err := os.Stat(source); err != nil {
		return bind{}, fmt.Errorf("%q: %w", s, err)
	}
	return bind{source, target}, nil
}
