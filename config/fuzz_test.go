package config

import (
	"bytes"
	"os"
	"testing"

	"golang.org/x/tools/txtar"
)

// FuzzParse: whatever a file holds, it is a configuration or an error, and what could be read of it can be checked against the host.
func FuzzParse(f *testing.F) {
	for _, path := range []string{"minimal/nved.yaml", "minimal/tesd.yaml"} {
		text, err := os.ReadFile("testdata/" + path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	for _, name := range []string{"keys", "neighbours", "ports", "processes", "credentials", "vns", "times"} {
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
		if nve == nil && err == nil {
			t.Error("nved: neither a configuration nor an error")
		}
		_ = nve.CheckHost()
		tes, err := ParseTES("tesd.yaml", bytes.NewReader(text))
		if tes == nil && err == nil {
			t.Error("tesd: neither a configuration nor an error")
		}
	})
}
