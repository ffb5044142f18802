package config

import (
	"errors"
	"slices"
	"strings"
)

// kind is a kind of value: how its text is read, and what a right one looks like.
type kind[T any] struct {
	right string
	parse func(string) (T, error) // the error says what is wrong
}

// need reads a value that must be there.
func need[T any](c *checker, key string, text *string, k kind[T]) (value T, ok bool) {
	if text == nil && c.sound(key) && !c.lost(key) {
		c.report(key, nil, "missing", "want "+k.right)
	}
	return allow(c, key, text, k)
}

// allow reads a value that may be there; ok is false when it is not, or is wrong.
func allow[T any](c *checker, key string, text *string, k kind[T]) (value T, ok bool) {
	if text == nil || !c.sound(key) {
		return value, false
	}
	value, err := k.parse(*text)
	if err != nil {
		c.report(key, text, err.Error(), "want "+k.right)
	}
	return value, err == nil
}

// preset reads a value that may be there, and is otherwise the setting's default.
func preset[T any](c *checker, key string, text *string, s setting[T]) T {
	if value, ok := allow(c, key, text, s.kind); ok {
		return value
	}
	return s.preset
}

// each reads a list. Two equal elements are an error.
func each[T comparable](c *checker, key string, texts []string, k kind[T]) []T {
	var values []T
	for i := range texts {
		value, ok := allow(c, index(key, i), &texts[i], k)
		switch {
		case !ok:
		case slices.Contains(values, value):
			c.report(index(key, i), &texts[i], "listed twice", "list it once")
		default:
			values = append(values, value)
		}
	}
	return values
}

// word is one of some words, in the order of values.
func word[T any](words []string, values ...T) kind[T] {
	return kind[T]{
		"one of " + strings.Join(words, ", "),
		func(s string) (none T, err error) {
			if i := slices.Index(words, s); i >= 0 {
				return values[i], nil
			}
			return none, errors.New("none of the words known here")
		},
	}
}
