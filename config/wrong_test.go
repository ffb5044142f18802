package config

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "write what the errors say now into testdata")

// TestWrong reads wrong files and compares the whole text of the error. Each archive has files nved.yaml, tesd.yaml or policies.yaml, and after each
// one the error, a problem a line.
func TestWrong(t *testing.T) {
	archives, err := filepath.Glob("testdata/wrong/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("testdata/wrong: %d archives, %v", len(archives), err)
	}
	for _, path := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) { wrong(t, path) })
	}
}

func wrong(t *testing.T, path string) {
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(archive.Files); i += 2 {
		file, want := archive.Files[i], &archive.Files[i+1]
		err := load(file.Name, string(file.Data))
		if err == nil {
			t.Errorf("%s (file %d) loads:\n%s", file.Name, i/2+1, file.Data)
			continue
		}
		got := err.Error() + "\n"
		if *update {
			want.Data = []byte(got)
		} else if got != string(want.Data) {
			t.Errorf("%s (file %d):\n%s\ngot:\n%s\nwant:\n%s", file.Name, i/2+1, file.Data, got, want.Data)
		}
	}
	if *update {
		if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// load reads text as the file of the daemon that the name begins with, or as a file of policies for VN blue of tenant acme, red, and green.
func load(name, text string) error {
	var err error
	switch {
	case strings.HasPrefix(name, "nved"):
		_, err = ParseNVE(name, strings.NewReader(text))
	case strings.HasPrefix(name, "policies"):
		vns := []VN{{Name: "blue", VNI: 10100, Tenant: "acme"}, {Name: "red", VNI: 10200}, {Name: "green", VNI: 10300}}
		_, err = parse(name, strings.NewReader(text), files{}, func(c *checker, raw *rawPolicies) *policiesOf { return c.policies(raw, vns) })
	default:
		_, err = ParseTES(name, strings.NewReader(text))
	}
	return err
}
