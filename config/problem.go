package config

import (
	"errors"
	"fmt"
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
	secret   func(path string) (string, error)
	problems []error
	broken   []string // keys with a problem
}

// report adds a problem. Value is nil for what is missing or secret.
func (c *checker) report(key string, value *string, wrong, right string) {
	c.problems = append(c.problems, &Problem{File: c.file, Key: key, Value: value, Wrong: wrong, Right: right})
	c.broken = append(c.broken, key)
}

// sound reports whether no problem was found with the key or below it, so that what depends on it can be judged.
func (c *checker) sound(key string) bool {
	for _, broken := range c.broken {
		rest, under := strings.CutPrefix(broken, key)
		if broken == "" || under && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return false
		}
	}
	return true
}

// err joins the problems, nil when there are none.
func (c *checker) err() error { return errors.Join(c.problems...) }
