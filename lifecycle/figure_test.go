package lifecycle

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite README.md and the golden files from the table")

// TestFigure compares the drawing and the tables in README.md with the machine's table, and rewrites them with -update.
func TestFigure(t *testing.T) {
	const readme = "README.md"
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	want := string(text)
	for name, figure := range map[string]string{
		"Mermaid":  "```mermaid\n" + Mermaid() + "```\n",
		"Matrix":   Matrix(),
		"States":   States(),
		"Arrows":   Arrows(),
		"Rebuilds": Rebuilds(),
	} {
		begin, end := "<!-- written from the table: "+name+" -->\n", "<!-- end -->\n"
		head, rest, found := strings.Cut(want, begin)
		_, tail, ended := strings.Cut(rest, end)
		if !found || !ended {
			t.Fatalf("%s has no place for %s: want %q and, after it, %q", readme, name, begin, end)
		}
		want = head + begin + figure + end + tail
	}
	if string(text) == want {
		return
	}
	if !*update {
		t.Fatalf("%s is not what the table says: go test ./lifecycle -run TestFigure -update", readme)
	}
	if err := os.WriteFile(readme, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}
