package config

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// The reference files are held against the code: each loads, documents exactly the keys of its raw struct, in its order, and for each
// key: a required one is missed, a default is what the code uses, a bound is accepted and what lies beyond is not.

func TestReferenceNVE(t *testing.T) {
	reference(t, "reference/nve.yaml", reflect.TypeFor[rawNVE](), (*checker).nve)
}

func TestReferencePolicies(t *testing.T) {
	vns := []VN{{Name: "blue"}, {Name: "red", Tenant: "acme"}}
	reference(t, "reference/policies.yaml", reflect.TypeFor[rawPolicies](), func(c *checker, raw *rawPolicies) *policiesOf { return c.policies(raw, vns) })
}

func TestReferenceTES(t *testing.T) {
	reference(t, "reference/tes.yaml", reflect.TypeFor[rawTES](), (*checker).tes)
}

func reference[R, C any](t *testing.T, path string, raw reflect.Type, check func(*checker, *R) C) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	ca := certificate(t)
	load := func() (C, error) {
		text, err := yaml.Marshal(&document)
		if err != nil {
			t.Fatal(err)
		}
		secret := func(path string, private bool) (string, error) {
			if private {
				return strings.Repeat("5e", 32), nil
			}
			if strings.HasSuffix(path, ".pem") {
				return ca, nil
			}
			return "the password in " + path, nil
		}
		policies := func(string) ([]byte, error) { return []byte("profiles: [{type: 100, version: 1, name: web}]"), nil }
		return parse("reference", bytes.NewReader(text), files{secret, policies}, check)
	}
	loadWith := func(e entry, value *string) (loaded C, err error) {
		e.with(value, func() { loaded, err = load() })
		return loaded, err
	}
	whole, err := load()
	if err != nil {
		t.Fatal(err)
	}

	owners := map[string]rawKeyOf{}
	for _, k := range allKeys(raw, "") {
		owners[k.path] = k.rawKeyOf
	}
	documented, explained, explainedOf := map[string]entry{}, map[string]string{}, map[rawKeyOf]string{}
	var order []string
	for _, e := range entriesOf(document.Content[0], "") {
		known, again := documented[e.key]
		if e.text != "" {
			if again && known.text != "" {
				t.Errorf("%s is explained twice", e.key)
			}
			order = append(order, e.key)
			explained[e.name()] = cmp.Or(explained[e.name()], e.text)
			explainedOf[owners[e.key]] = e.text
		}
		if e.text != "" || !again {
			documented[e.key] = e
		}
	}
	var keys []string
	shown := map[rawKeyOf]string{} // what occurs in several places is shown in at least one
	for _, k := range allKeys(raw, "") {
		if _, is := documented[k.path]; is || shown[k.rawKeyOf] == "" {
			shown[k.rawKeyOf] = k.path
		}
	}
	for _, k := range allKeys(raw, "") {
		if _, is := documented[k.path]; is || shown[k.rawKeyOf] == k.path {
			keys = append(keys, k.path)
		}
	}
	if diff := gocmp.Diff(slices.Sorted(slices.Values(keys)), slices.Sorted(maps.Keys(documented))); diff != "" {
		t.Fatalf("keys differ (-want +got):\n%s", diff)
	}
	inOrder := slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return documented[key].text == "" })
	if diff := gocmp.Diff(inOrder, order); diff != "" {
		t.Errorf("order differs (-want +got):\n%s", diff)
	}
	for _, key := range keys {
		t.Run(key, func(t *testing.T) {
			e := documented[key]
			text := cmp.Or(e.text, explainedOf[owners[key]], explained[e.name()]) // a neighbour's keys are explained once for all kinds of neighbours
			m := grammar.FindStringSubmatch(text)
			if m == nil {
				t.Fatalf("explained as %q, which is not %s", text, grammar)
			}
			without, err := loadWith(e, nil)
			switch fallback := m[3]; {
			case strings.HasPrefix(m[2], "required"):
				if err == nil || !strings.Contains(err.Error(), "missing") {
					t.Errorf("required, but without it: %v", err)
				}
			case reflect.DeepEqual(without, whole) && m[1] != fallback: // a key with one word for its value cannot differ
				t.Errorf("the example value changes nothing, so that the default is not tested")
			case fallback == "none":
				if err != nil {
					t.Errorf("not required, but without it: %v", err)
				}
			default:
				// Other keys may depend on this one; they do so on its default, too.
				with, errWith := loadWith(e, &fallback)
				if fmt.Sprint(err) != fmt.Sprint(errWith) {
					t.Errorf("default %s: %v; without the key: %v", fallback, errWith, err)
				}
				if diff := gocmp.Diff(with, without, equal...); diff != "" {
					t.Errorf("the default is not %s (-documented +used):\n%s", fallback, diff)
				}
			}
			if b := bounds.FindStringSubmatch(m[1]); b != nil {
				for _, bound := range b[1:] {
					if _, err := loadWith(e, &bound); err != nil && strings.Contains(err.Error(), "the bound") {
						t.Errorf("bound %s is refused: %v", bound, err)
					}
				}
				for _, beyond := range []string{below(b[1]), above(b[2])} {
					if _, err := loadWith(e, &beyond); err == nil {
						t.Errorf("%s is beyond the bounds, and accepted", beyond)
					}
				}
			}
		})
	}
}

var (
	// grammar is the last line of an explanation.
	grammar = regexp.MustCompile(`^(.+), (required(?: \(.*\))?|default (\S.*?)(?: \(.*\))?)$`)
	bounds  = regexp.MustCompile(`(?:number|number of octets|size|rate|duration|duration of whole seconds), (\S+) to (\S+)$`)
)

// below and above are the nearest values of the bound's kind that lie beyond it: a number, a size or a duration.
func below(bound string) string { return beyond(bound, -1) }
func above(bound string) string { return beyond(bound, +1) }

func beyond(bound string, by int64) string {
	var n int64
	if _, err := fmt.Sscanf(bound+" ", "%d ", &n); err == nil && fmt.Sprint(n) == bound {
		return fmt.Sprint(n + by)
	}
	if bits, err := rate(0, 1<<62).parse(bound); err == nil {
		return fmt.Sprintf("%dkbit", int64(bits)/1000+by)
	}
	if octets, err := size(0, 1<<62).parse(bound); err == nil && octets < 1<<20 {
		return fmt.Sprintf("%dKiB", octets>>10+by)
	} else if err == nil {
		return fmt.Sprintf("%dMiB", octets>>20+by)
	}
	// Seconds are the coarsest step, so that nothing but the bound can be at fault.
	d, err := duration(0, 1<<62, 1).parse(bound)
	if err != nil {
		panic(err)
	}
	if by < 0 {
		return (d/2 - 1).String()
	}
	return (d + 1e9).String()
}

// entry is a key of the reference, with the last line of what explains it ("" where it was explained before).
type entry struct {
	key    string // without indices: tes.address
	text   string
	parent *yaml.Node
	at     int // the place of the key in the parent
}

// name is the key without what it is in.
func (e entry) name() string { return e.key[strings.LastIndexByte(e.key, '.')+1:] }

// with puts another value in the entry's place while run runs, or with nil, leaves the entry out.
func (e entry) with(value *string, run func()) {
	content := e.parent.Content
	defer func() { e.parent.Content = content }()
	e.parent.Content = slices.Clone(content)
	if value == nil {
		e.parent.Content = slices.Delete(e.parent.Content, e.at, e.at+2)
	} else {
		var document yaml.Node
		if err := yaml.Unmarshal([]byte(*value), &document); err != nil {
			panic(err)
		}
		e.parent.Content[e.at+1] = document.Content[0]
	}
	run()
}

// entriesOf lists the entries of a mapping and below, in the order of the file.
func entriesOf(node *yaml.Node, under string) []entry {
	var entries []entry
	switch node.Kind {
	case yaml.SequenceNode:
		for _, element := range node.Content {
			if element.Kind == yaml.MappingNode {
				if len(element.Content) > 0 && element.Content[0].HeadComment == "" {
					element.Content[0].HeadComment = element.HeadComment
				}
				entries = append(entries, entriesOf(element, under)...)
			}
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			name, value := node.Content[i], node.Content[i+1]
			e := entry{key: join(under, name.Value), parent: node, at: i}
			if name.HeadComment != "" {
				lines := strings.Split(name.HeadComment, "\n")
				e.text = strings.TrimPrefix(lines[len(lines)-1], "# ")
			}
			entries = append(entries, e)
			entries = append(entries, entriesOf(value, e.key)...)
		}
	}
	return entries
}

// rawKeyOf is a key of a raw struct.
type rawKeyOf struct {
	raw  reflect.Type
	name string
}

// placedKey is a key where it occurs, without indices.
type placedKey struct {
	rawKeyOf
	path string
}

// allKeys lists the keys of a raw struct and below, in its order.
func allKeys(raw reflect.Type, under string) []placedKey {
	fields := fieldsOf(raw)
	var keys []placedKey
	for _, name := range keysOf(raw) {
		key := join(under, name)
		keys = append(keys, placedKey{rawKeyOf{raw, name}, key})
		field := fields[name]
		if field.Kind() == reflect.Slice {
			field = field.Elem()
		}
		if field.Kind() == reflect.Struct {
			keys = append(keys, allKeys(field, key)...)
		}
	}
	return keys
}
