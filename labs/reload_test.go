package labs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tns-project/tns/labs/internal/wait"
)

// TestReload has an edge take another VN up, and give it up again, under traffic: no session notices, FRR and the hypervisors get no UPDATE, and no frame of a
// millisecond's flows is lost or flooded.
func TestReload(t *testing.T) {
	dir := t.TempDir() // the configuration of a node is the file itself
	if err := os.CopyFS(dir, os.DirFS("engine")); err != nil {
		t.Fatal(err)
	}
	l, w := engineLabOf(t, filepath.Join(dir, "topology.clab.yml"))
	flows := l.flows()
	before, updates := l.standing(), l.updates()
	path := filepath.Join(dir, "edge1", "nved.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range []string{"ports:", "  - {name: red, vni: 10200}\nports:", "ports:", "  - {name: red, vni: 10200}\nports:"} {
		next := strings.Replace(string(text), "ports:", change, 1)
		if err := os.WriteFile(path, []byte(next), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s", l.run("edge1", "tnsctl", "reload"))
		l.settled()
		if there := strings.Contains(l.run("edge1", "tnsctl", "vn", "list"), "red"); there != strings.Contains(change, "red") {
			t.Errorf("red is there: %v", there)
		}
	}
	err = wait.Throughout(l.ctx, 300*time.Millisecond, "UPDATEs", func() error { return differ("UPDATEs received", updates, l.updates()) })
	if err != nil {
		t.Error(err)
	}
	if diff := gocmp.Diff(before, l.standing(), gocmp.Comparer(epoch.same)); diff != "" {
		t.Errorf("sessions (-before +after):\n%s", diff)
	}
	l.agreed(w)
	for _, f := range flows {
		f.judge(l)
	}
}
