package nve

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write what the edge does into the stories")

// TestStories tells each story of testdata: lines that say what happens, each followed by what the edge does then ("> …"). A story that begins with
// "start" begins with an edge that has just started, "express" has the express path, one that begins with "quotas" has these; otherwise its start is over and tes1, tes2 and the fabric are there.
func TestStories(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for i, f := range archive.Files {
				t.Run(f.Name, func(t *testing.T) {
					got := tell(t, string(f.Data))
					if *update {
						archive.Files[i].Data = []byte(got)
						return
					}
					if got != string(f.Data) {
						t.Errorf("the story goes otherwise:\n%s", difference(string(f.Data), got))
					}
				})
			}
			if *update {
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// tell tells a story and returns it with what the edge did.
func tell(t *testing.T, story string) string {
	t.Helper()
	var w *world
	var b strings.Builder
	for line := range strings.Lines(story) {
		line = strings.TrimRight(line, "\n")
		command, _, _ := strings.Cut(line, "#")
		if strings.HasPrefix(line, ">") {
			continue
		}
		b.WriteString(line + "\n")
		command = strings.TrimSpace(command)
		if command == "" {
			continue
		}
		if quotas, ok := strings.CutPrefix(command, "quotas "); ok && w == nil {
			w = newWorld(t, func(c *Config) { setQuotas(c, options(quotas)) })
		} else if w == nil && command == "start" {
			w = emptyWorld(t)
		} else if w == nil && command == "express" {
			w = newWorld(t, withExpress)
		} else if w == nil && command == "express start" {
			w = emptyWorld(t, withExpress)
		} else {
			if w == nil {
				w = newWorld(t)
			}
			w.do(command)
		}
		for _, l := range w.lines {
			fmt.Fprintf(&b, "> %s\n", l)
		}
		w.lines = nil
		w.invariants(command)
	}
	return b.String()
}

// difference shows the first lines that differ.
func difference(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	show := func(l []string) string { return strings.Join(l[i:min(i+8, len(l))], "\n    ") }
	return fmt.Sprintf("  line %d, want\n    %s\n  got\n    %s", i+1, show(a), show(b))
}
