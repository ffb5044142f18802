package lifecycle

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// requirement is a row of docs/requirements.md.
type requirement struct{ id, section, text, test string }

// TestRequirements holds the table of requirements against the tests that there are: each row names one, and no id is there twice. The
// other way round, each TestReq_ of this tree is in the table, in a row of the section that its name says.
func TestRequirements(t *testing.T) {
	rows := requirements(t, filepath.Join("..", "docs", "requirements.md"))
	tests := testFunctions(t, "..")
	ids, named := map[string]bool{}, map[string]bool{}
	for _, r := range rows {
		if ids[r.id] {
			t.Errorf("requirement %s is there twice", r.id)
		}
		ids[r.id], named[r.test] = true, true
		if r.text == "" {
			t.Errorf("requirement %s says nothing", r.id)
		}
		if !tests[r.test] {
			t.Errorf("requirement %s: there is no test %s", r.id, r.test)
		}
		if section, ok := sectionOf(r.test); ok && section != strings.TrimPrefix(r.section, "§") {
			t.Errorf("requirement %s of %s: its test %s is about §%s", r.id, r.section, r.test, section)
		}
		if number, _, _ := strings.Cut(r.id, "-"); number != "REQUIREMENT" && number != strings.TrimPrefix(r.section, "§") {
			t.Errorf("requirement %s is in %s", r.id, r.section)
		}
	}
	for test := range tests {
		if _, ok := sectionOf(test); ok && !named[test] {
			t.Errorf("%s is the test of no requirement in the table", test)
		}
	}
}

// requirements reads the rows of the table.
func requirements(t *testing.T, file string) []requirement {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var rows []requirement
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 6 {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if cells[1] == "id" || strings.HasPrefix(cells[1], "---") {
			continue
		}
		rows = append(rows, requirement{id: cells[1], section: cells[2], text: cells[3], test: cells[4]})
	}
	if len(rows) == 0 {
		t.Fatalf("%s has no rows", file)
	}
	return rows
}

// testFunctions is the test functions below a directory, as package.Name, where an external test package counts as the package.
func testFunctions(t *testing.T, root string) map[string]bool {
	t.Helper()
	tests := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") {
				tests[strings.TrimSuffix(file.Name.Name, "_test")+"."+f.Name.Name] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tests
}

var numbered = regexp.MustCompile(`\.TestReq_(\d+(?:_\d+)*)_`)

// sectionOf is the section in the name of a test: lifecycle.TestReq_3_3_4_ResumeActivates is about 3.3.4.
func sectionOf(test string) (section string, ok bool) {
	found := numbered.FindStringSubmatch(test)
	if found == nil {
		return "", false
	}
	return strings.ReplaceAll(found[1], "_", "."), true
}
