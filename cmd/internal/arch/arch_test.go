package arch

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/tns-project/tns/"

// listed is what `go list -json` says of a package.
type listed struct {
	Dir            string
	ImportPath     string
	Name           string
	Imports        []string
	Deps           []string
	DefaultGODEBUG string
	TestGoFiles    []string
	XTestGoFiles   []string
}

// path is the package's path in the module.
func (p listed) path() string { return strings.TrimPrefix(p.ImportPath, module) }

// list is every package of the module.
func list(t *testing.T) []listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-json", module+"...").Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v: %s", err, exit.Stderr)
		}
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 20 {
		t.Fatalf("go list found %d packages, want the whole tree", len(all))
	}
	return all
}

// under reports whether a path is a tree or in it.
func under(path, tree string) bool { return path == tree || strings.HasPrefix(path, tree+"/") }

// rules are the arrows of the drawing: what of the module a tree may import. The first rule whose tree holds the package counts; a package
// may always import its own tree.
var rules = []struct {
	tree string
	may  []string
}{
	// pure: none knows another
	{"evpn", nil},
	{"lifecycle/nve", []string{"evpn", "lifecycle", "dataplane", "speaker"}},
	{"lifecycle/tes", []string{"evpn", "lifecycle", "speaker"}},
	{"lifecycle/policy", nil},
	{"lifecycle", nil},
	{"dataplane", nil},
	// adapters
	{"speaker", []string{"evpn"}},
	{"config", []string{"evpn", "lifecycle/policy"}},
	// roles, of the commands
	{"cmd/api", nil},
	{"cmd/internal/build", nil},
	{"cmd/internal/arch", nil},
	{"cmd/internal/endtoend", nil},
	{"cmd/internal/metrics", nil},
	{"cmd/internal/bgp", []string{"evpn", "speaker"}},
	{"cmd/internal/control", []string{"cmd/api"}},
	{"cmd/internal/supervisor", nil},
	{"cmd/internal/heap", nil},
	{"cmd/internal/daemon", []string{"cmd/internal/build", "cmd/internal/heap", "cmd/internal/supervisor", "config"}},
	{"cmd/internal/backend", []string{"cmd/api", "cmd/internal", "evpn", "lifecycle/history", "speaker"}},
	// commands
	{"cmd/tnsctl", []string{"cmd/api", "cmd/internal/control", "cmd/internal/build", "evpn", "speaker/guard/mrt", "speaker/guard/wire"}},
	{"cmd/tesd", []string{"cmd/api", "cmd/internal", "config", "dataplane/linux/tag", "evpn", "lifecycle/history", "lifecycle/tag", "lifecycle/tes", "speaker"}},
	{"cmd/nved", []string{"cmd/api", "cmd/internal", "config", "dataplane", "evpn", "lifecycle", "speaker"}},
	// labs see what a user sees, and the network
	{"labs", []string{"cmd/api", "dataplane", "evpn", "speaker"}},
}

// refused are the exceptions from what a rule's tree holds.
var refused = []struct{ tree, not, why string }{
	{"lifecycle/nve", "speaker/gobgp", "a role knows the interface only"},
	{"lifecycle/tes", "speaker/gobgp", "a role knows the interface only"},
	{"lifecycle/nve", "dataplane/linux", "a role knows the interface only"},
	{"lifecycle/nve", "lifecycle/tes", "the roles do not know each other"},
	{"lifecycle/tes", "lifecycle/nve", "the roles do not know each other"},
	{"cmd/nved", "lifecycle/tes", "a daemon has one role"},
	{"cmd/tesd", "lifecycle/nve", "a daemon has one role"},
}

func TestLayers(t *testing.T) {
	for _, p := range list(t) {
		var own string
		var may []string
		for _, r := range rules {
			if under(p.path(), r.tree) {
				own, may = r.tree, r.may
				break
			}
		}
		if own == "" {
			t.Errorf("%s: no rule; where in the drawing of the layers is it?", p.path())
			continue
		}
		for _, i := range p.Imports {
			path, ours := strings.CutPrefix(i, module)
			if !ours {
				continue
			}
			if !under(path, own) && !slices.ContainsFunc(may, func(tree string) bool { return under(path, tree) }) {
				t.Errorf("%s imports %s; it may import %v", p.path(), path, may)
			}
			for _, r := range refused {
				if under(p.path(), r.tree) && under(path, r.not) {
					t.Errorf("%s imports %s: %s", p.path(), path, r.why)
				}
			}
		}
	}
}

// pure packages import the standard library only.
var pure = []string{"evpn", "lifecycle", "lifecycle/history", "lifecycle/policy", "lifecycle/quota", "lifecycle/tag", "dataplane"}

func TestPurePackages(t *testing.T) {
	for _, p := range list(t) {
		if !slices.Contains(pure, p.path()) {
			continue
		}
		for _, i := range p.Imports {
			if first, _, _ := strings.Cut(i, "/"); strings.Contains(first, ".") {
				t.Errorf("%s imports %s, want the standard library only", p.path(), i)
			}
		}
	}
}

// homes are the trees that a library is used in.
var homes = []struct {
	library string
	trees   []string
}{
	{"github.com/osrg/gobgp", []string{"speaker/gobgp", "labs/reflector"}},
	{"github.com/vishvananda/netlink", []string{"dataplane/linux", "labs/internal"}},
	{"github.com/cilium/ebpf", []string{"dataplane/linux", "labs/internal/fdb"}},
	{"github.com/vishvananda/netns", []string{"dataplane/linux", "labs/internal"}},
	{"github.com/google/nftables", []string{"dataplane/linux", "labs/internal"}},
	{"github.com/spf13/viper", []string{"config"}},
	{"go.etcd.io/bbolt", []string{"lifecycle/nve/store", "lifecycle/tes/store"}},
	{"github.com/spf13/cobra", []string{"cmd"}},
	{"net/http", []string{"cmd/internal/metrics", "lifecycle/nve/hook"}}, // the one is asked, the other tells
	{"github.com/prometheus", []string{"cmd/internal/metrics"}},
	{"google.golang.org/grpc", []string{"cmd", "speaker/gobgp", "labs/internal/manager"}},
}

func TestLibrariesHaveOneHome(t *testing.T) {
	for _, p := range list(t) {
		for _, i := range p.Imports {
			for _, h := range homes {
				if !under(i, h.library) {
					continue
				}
				if !slices.ContainsFunc(h.trees, func(tree string) bool { return under(p.path(), tree) }) {
					t.Errorf("%s imports %s, which belongs in %v", p.path(), i, h.trees)
				}
			}
		}
	}
}

// MPTCP breaks TCP MD5 and has no use here, so every program with a BGP speaker turns it off (//go:debug multipathtcp=0 above package main).
func TestSpeakersAvoidMultipathTCP(t *testing.T) {
	programs := []string{}
	for _, p := range list(t) {
		if p.Name != "main" || !slices.ContainsFunc(p.Deps, func(d string) bool { return under(d, "github.com/osrg/gobgp/v3/pkg/server") }) {
			continue
		}
		programs = append(programs, p.path())
		if !slices.Contains(strings.Split(p.DefaultGODEBUG, ","), "multipathtcp=0") {
			t.Errorf("%s: its go:debug settings are %q, want multipathtcp=0 among them", p.path(), p.DefaultGODEBUG)
		}
	}
	for _, want := range []string{"cmd/tesd", "cmd/nved"} {
		if !slices.Contains(programs, want) {
			t.Errorf("%s is not among the programs with a speaker, %v", want, programs)
		}
	}
}

// No test sleeps and hopes, and none skips.
func TestTestsNeitherSleepNorSkip(t *testing.T) {
	for _, p := range list(t) {
		for _, name := range append(p.TestGoFiles, p.XTestGoFiles...) {
			files := token.NewFileSet()
			file, err := parser.ParseFile(files, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				s, ok := call.Fun.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				x, _ := s.X.(*ast.Ident)
				switch {
				case x != nil && x.Name == "time" && s.Sel.Name == "Sleep" && !usesSynctest(file):
					t.Errorf("%s: time.Sleep: wait for what should happen, or run under testing/synctest", files.Position(n.Pos()))
				case x != nil && (x.Name == "t" || x.Name == "b") && strings.HasPrefix(s.Sel.Name, "Skip"):
					t.Errorf("%s: %s.%s: a test that cannot run fails and says what is lacking", files.Position(n.Pos()), x.Name, s.Sel.Name)
				}
				return true
			})
		}
	}
}

// usesSynctest: in its bubble a sleep is no wait but a date.
func usesSynctest(f *ast.File) bool {
	return slices.ContainsFunc(f.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == `"testing/synctest"` })
}
