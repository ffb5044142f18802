package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong in a configuration.
type Problem struct {
	File  string  // "" when the problem is not in the file but on this machine
	Key   string  // in full, as in `tes[0].address`; "" for the whole file
	Value *string // what the file has there; nil: nothing, or a secret
	Wrong string  // what is wrong
	Right string  // what would be right; "" if Wrong says it
}

// Error reads `file: key: value "x": what is wrong; what would be right`.
func (p *Problem) Error() string {
	var parts []string
	if p.File != "" {
		parts = append(parts, p.File)
	}
	if p.Key != "" {
		parts = append(parts, p.Key)
	}
	if p.Value != nil {
		parts = append(parts, fmt.Sprintf("value %q", *p.Value))
	}
	text := strings.Join(append(parts, p.Wrong), ": ")
	if p.Right != "" {
		text += "; " + p.Right
	}
	return text
}

// checker gathers the problems of one file.
type checker struct {
	file     string
	files    files
	problems []*Problem
	nested   []error  // what is wrong in files that this one names
	broken   []string // keys with a problem
}

// report adds a problem. Value is nil for what is missing or secret.
func (c *checker) report(key string, value *string, wrong, right string) {
	c.note(key, value, wrong, right)
	c.broken = append(c.broken, key)
}

// note adds a problem that does not keep the rest of what is at the key from being read.
func (c *checker) note(key string, value *string, wrong, right string) {
	c.problems = append(c.problems, &Problem{File: c.file, Key: key, Value: value, Wrong: wrong, Right: right})
}

// sound reports whether no problem was found with the key or below it, so that what depends on it can be judged.
func (c *checker) sound(key string) bool {
	for _, broken := range c.broken {
		rest, under := strings.CutPrefix(broken, key)
		if under && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return false
		}
	}
	return true
}

// lost reports whether what the key is in could not be read, so that the key cannot be missed.
func (c *checker) lost(key string) bool {
	return slices.ContainsFunc(c.broken, func(broken string) bool {
		rest, in := strings.CutPrefix(key, broken)
		return in && (broken == "" || rest != "" && (rest[0] == '.' || rest[0] == '['))
	})
}

// err joins the problems in the order of the top-level keys, those of other keys first, then those of nested files; nil when there are none.
func (c *checker) err(order []string) error {
	slices.SortStableFunc(c.problems, func(a, b *Problem) int {
		return slices.Index(order, a.top()) - slices.Index(order, b.top())
	})
	errs := make([]error, 0, len(c.problems)+len(c.nested))
	for _, p := range c.problems {
		errs = append(errs, p)
	}
	return errors.Join(append(errs, c.nested...)...)
}

// top is the top-level key that the problem is in.
func (p *Problem) top() string {
	if i := strings.IndexAny(p.Key, ".["); i >= 0 {
		return p.Key[:i]
	}
	return p.Key
}
