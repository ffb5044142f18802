package config

import (
	"bytes"
	"os"
	"regexp"
	"testing"

	"github.com/tns-project/tns/lifecycle/policy"
)

// TestPolicyGuide loads the two files that docs/policy.md shows, the one for the VNs of the other.
func TestPolicyGuide(t *testing.T) {
	text, err := os.ReadFile("../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(text, -1)
	if len(shown) != 2 {
		t.Fatalf("%d files in the guide, want nved's and that of policies", len(shown))
	}
	policies := func(path string) ([]byte, error) { return shown[1][1], nil }
	n, err := parse("nved.yaml", bytes.NewReader(shown[0][1]), files{policies: policies}, (*checker).nve)
	if err != nil {
		t.Fatal(err)
	}
	if p := n.Policies.Find(policy.ID{Type: 100, Version: 1}); p == nil || len(p.ToVM.Rules) != 6 || len(n.VNs[0].Baseline.FromVM) != 2 || n.VNs[0].DefaultPolicy.Type != 1 {
		t.Errorf("policies %+v, VN %+v", n.Policies, n.VNs[0])
	}
}

// TestGuide loads every file that the operator's guide shows.
func TestGuide(t *testing.T) {
	text, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	files := regexp.MustCompile("(?s)```yaml\n(nve|tes)(.*?)```").FindAllSubmatch(text, -1)
	if len(files) < 5 {
		t.Fatalf("%d files in the guide, want at least 5", len(files))
	}
	for _, file := range files {
		name := map[string]string{"nve": "nved.yaml", "tes": "tesd.yaml"}[string(file[1])]
		if err := load(name, string(file[1])+string(file[2])); err != nil {
			t.Errorf("%s%s\n%v", file[1], file[2], err)
		}
	}
}
