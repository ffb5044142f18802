package config

import (
	"bytes"
	"os"
	"testing"

	"golang.org/x/tools/txtar"
)

// FuzzParse: whatever a file holds, it is either a configuration or an error.
func FuzzParse(f *testing.F) {
	for _, path := range []string{"minimal/nved.yaml", "minimal/tesd.yaml"} {
		text, err := os.ReadFile("testdata/" + path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	for _, name := range []string{"keys", "neighbours", "ports", "vns", "times"} {
		archive, err := txtar.ParseFile("testdata/wrong/" + name + ".txtar")
		if err != nil {
			f.Fatal(err)
		}
		for i := 0; i < len(archive.Files); i += 2 {
			f.Add(archive.Files[i].Data)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		nve, err := ParseNVE("nved.yaml", bytes.NewReader(text))
		if (nve == nil) != (err != nil) {
			t.Errorf("nved: %v, error %v", nve, err)
		}
		tes, err := ParseTES("tesd.yaml", bytes.NewReader(text))
		if (tes == nil) != (err != nil) {
			t.Errorf("tesd: %v, error %v", tes, err)
		}
	})
}
