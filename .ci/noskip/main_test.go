package main

import (
	"strings"
	"testing"
)

func TestVerdict(t *testing.T) {
	const (
		pass  = `{"Action":"pass","Package":"p","Test":"TestA","Elapsed":0.1}`
		skip  = `{"Action":"output","Package":"p","Test":"TestB","Output":"no root\n"}` + "\n" + `{"Action":"skip","Package":"p","Test":"TestB"}`
		fail  = `{"Action":"output","Package":"p","Test":"TestC","Output":"boom\n"}` + "\n" + `{"Action":"fail","Package":"p","Test":"TestC"}`
		died  = `{"Action":"output","Package":"p","Test":"TestD","Output":"fatal error\n"}` + "\n" + `{"Action":"fail","Package":"p"}`
		empty = `{"Action":"skip","Package":"q"}`
		build = `{"ImportPath":"p","Action":"build-fail"}`
	)
	for name, c := range map[string]struct {
		in     []string
		strict bool
		want   bool
		prints string
	}{
		"all passed":                      {[]string{pass}, true, true, "1 tests passed, 0 failed, 0 skipped"},
		"a package without tests":         {[]string{pass, empty}, true, true, "0 skipped"},
		"a skipped test, as root":         {[]string{pass, skip}, true, false, "no root"},
		"a skipped test, as another user": {[]string{pass, skip}, false, true, "skipped: p TestB"},
		"a failed test":                   {[]string{pass, fail}, false, false, "boom"},
		"a process that died":             {[]string{pass, died}, false, false, "fatal error"},
		"a package that does not compile": {[]string{pass, build}, false, false, "failed: p (build)"},
		"no test at all":                  {nil, false, false, "0 tests passed"},
		"go's own words":                  {[]string{pass, "go: cannot find main module"}, false, true, "go: cannot find main module"},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			r := report{out: &out, strict: c.strict, output: map[string][]string{}}
			if err := r.read(strings.NewReader(strings.Join(c.in, "\n"))); err != nil {
				t.Fatal(err)
			}
			if got := r.close(); got != c.want {
				t.Errorf("well: %v, want %v\n%s", got, c.want, out.String())
			}
			if !strings.Contains(out.String(), c.prints) {
				t.Errorf("printed %q, want it to contain %q", out.String(), c.prints)
			}
		})
	}
}
