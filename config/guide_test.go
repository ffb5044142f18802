package config

import (
	"os"
	"regexp"
	"testing"
)

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
