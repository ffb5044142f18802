package config

import (
	"fmt"
)

// firsts knows where each value was first seen.
type firsts[T comparable] map[T]string

// once reports a value that was seen before, and whether it was not.
func (f firsts[T]) once(c *checker, value T, key string, text *string, right string) bool {
	if first, again := f[value]; again {
		c.report(key, text, fmt.Sprintf("the same as %s", first), right)
		return false
	}
	f[value] = key
	return true
}
