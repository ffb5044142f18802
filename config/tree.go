package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

// tree reads YAML into maps, lists and texts, keeping what fits the raw struct and reporting the rest.
func (c *checker) tree(text []byte, raw reflect.Type) map[string]any {
	decode := yaml.NewDecoder(bytes.NewReader(text))
	var document, second yaml.Node
	if err := decode.Decode(&document); errors.Is(err, io.EOF) {
		return nil
	} else if err != nil {
		c.report("", nil, "not YAML: "+strings.TrimPrefix(err.Error(), "yaml: "), "")
		return nil
	}
	if err := decode.Decode(&second); !errors.Is(err, io.EOF) {
		c.report("", nil, "more follows after the first document", "keep one YAML document")
	}
	root := document.Content[0]
	if empty(root) {
		return nil
	}
	tree, _ := c.fit(root, raw, "").(map[string]any)
	return tree
}

// fit returns what node has for a raw value of that type: a map, a list or a text; nil when it does not fit.
func (c *checker) fit(node *yaml.Node, raw reflect.Type, key string) any {
	switch {
	case node.Kind == yaml.AliasNode || node.Anchor != "":
		c.report(key, nil, "YAML anchors and aliases are not read", "write the value out")
	case empty(node):
		c.report(key, nil, "has no value", "give one, or leave the key out")
	case raw.Kind() == reflect.Struct && node.Kind == yaml.MappingNode:
		return c.fitStruct(node, raw, key)
	case raw.Kind() == reflect.Struct && node.Kind == yaml.ScalarNode && alone(raw) != "":
		return map[string]any{alone(raw): node.Value}
	case raw.Kind() == reflect.Struct:
		c.report(key, excerpt(node), "not a mapping", "want one with the keys "+strings.Join(keysOf(raw), ", "))
	case raw.Kind() == reflect.Slice && node.Kind == yaml.SequenceNode:
		return c.fitList(node, raw.Elem(), key)
	case raw.Kind() == reflect.Slice:
		c.report(key, excerpt(node), "not a list", "want [a, b], or a line with \"- \" for each element")
	case node.Kind == yaml.ScalarNode:
		return node.Value
	default:
		c.report(key, nil, "a list or mapping", "want a single value")
	}
	return nil
}

func (c *checker) fitStruct(node *yaml.Node, raw reflect.Type, key string) map[string]any {
	known := fieldsOf(raw)
	out := map[string]any{}
	lines := map[string]int{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		name, value := node.Content[i], node.Content[i+1]
		full := join(key, name.Value)
		field, ok := known[name.Value]
		switch first, again := lines[name.Value]; {
		case name.Kind != yaml.ScalarNode:
			c.note(key, nil, fmt.Sprintf("line %d: a key that is a list or mapping", name.Line), "want one of "+strings.Join(keysOf(raw), ", "))
		case again:
			c.report(full, nil, twice(first, name.Line), "keep one")
		case !ok:
			c.unknown(key, name.Value, node, keysOf(raw))
		default:
			if v := c.fit(value, field, full); v != nil {
				out[name.Value] = v
			}
		}
		if name.Kind == yaml.ScalarNode && lines[name.Value] == 0 {
			lines[name.Value] = name.Line
		}
	}
	return out
}

// fitList keeps the place of an element that does not fit, so that the others keep their index.
func (c *checker) fitList(node *yaml.Node, raw reflect.Type, key string) []any {
	out := make([]any, len(node.Content))
	for i, element := range node.Content {
		out[i] = c.fit(element, raw, index(key, i))
		if out[i] == nil && raw.Kind() == reflect.Struct {
			out[i] = map[string]any{}
		} else if out[i] == nil {
			out[i] = ""
		}
	}
	return out
}

// twice says that a key is in two lines.
func twice(first, second int) string {
	if first == second {
		return fmt.Sprintf("given twice in line %d", first)
	}
	return fmt.Sprintf("given twice, in lines %d and %d", first, second)
}

// empty reports whether a node says nothing: `key:` alone, `~` or `null`.
func empty(node *yaml.Node) bool {
	return node.Kind == yaml.ScalarNode && node.ShortTag() == "!!null"
}

// excerpt is a scalar's text, to be shown; nil for what is not a scalar.
func excerpt(node *yaml.Node) *string {
	if node.Kind != yaml.ScalarNode {
		return nil
	}
	return &node.Value
}

// filled is a decoding hook: a raw struct with what a tree has, all of which fits. It takes a fraction of the time that it takes without.
func filled(from, to reflect.Value) (any, error) {
	if to.Kind() != reflect.Struct || from.Type() != reflect.TypeFor[map[string]any]() {
		return from.Interface(), nil
	}
	raw := reflect.New(to.Type()).Elem()
	fill(raw, from.Interface())
	return raw.Interface(), nil
}

func fill(raw reflect.Value, has any) {
	switch has := has.(type) {
	case map[string]any:
		fields := shapeOf(raw.Type()).places
		for key, value := range has {
			fill(raw.FieldByIndex(fields[key]), value)
		}
	case []any:
		raw.Set(reflect.MakeSlice(raw.Type(), len(has), len(has)))
		for i, value := range has {
			fill(raw.Index(i), value)
		}
	case string:
		if raw.Kind() == reflect.Pointer {
			raw.Set(reflect.ValueOf(&has))
		} else {
			raw.SetString(has)
		}
	}
}

// shape is what is known of a raw struct.
type shape struct {
	fields map[string]reflect.Type // of its keys, those of embedded structs included
	places map[string][]int        // where they are
	keys   []string                // in the order of the struct
	alone  string                  // the key that its value may be written for: `red` for `{name: red}`. Empty: none
}

var shapes sync.Map // of raw structs, by type: to look a struct up takes long, and a list has many of one

func shapeOf(raw reflect.Type) *shape {
	if known, ok := shapes.Load(raw); ok {
		return known.(*shape)
	}
	s := &shape{fields: map[string]reflect.Type{}, places: map[string][]int{}}
	for _, field := range reflect.VisibleFields(raw) {
		key := field.Tag.Get("mapstructure")
		if field.Tag.Get("alone") != "" {
			s.alone = key
		}
		if !field.Anonymous {
			s.fields[key], s.places[key] = field.Type, field.Index
			s.keys = append(s.keys, key)
		}
	}
	shapes.Store(raw, s)
	return s
}

// fieldsOf maps a raw struct's keys to their types. It is not to be changed.
func fieldsOf(raw reflect.Type) map[string]reflect.Type { return shapeOf(raw).fields }

// alone is the key of a raw struct that its value may be written for; empty: none.
func alone(raw reflect.Type) string { return shapeOf(raw).alone }

// keysOf lists a raw struct's keys in the order of the struct. It is not to be changed.
func keysOf(raw reflect.Type) []string { return shapeOf(raw).keys }

func join(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}

func index(key string, i int) string { return fmt.Sprintf("%s[%d]", key, i) }
