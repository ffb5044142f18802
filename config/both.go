package config

import (
	"fmt"
	"strings"
)

// log checks how a daemon logs.
func (c *checker) log(raw *rawLog) Log {
	return Log{
		Level: preset(c, "log.level", raw.Level, logLevel),
		JSON:  preset(c, "log.json", raw.JSON, logJSON),
	}
}

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

// place is where a daemon listens, or keeps its state.
type place struct{ key, where string }

// places checks that no two are the same. An empty one is nowhere.
func (c *checker) places(places []place) {
	first := firsts[string]{}
	for _, p := range places {
		if p.where != "" && c.sound(p.key) {
			first.once(c, strings.TrimPrefix(p.where, "unix://"), p.key, &p.where, "want a place of its own for each")
		}
	}
}
