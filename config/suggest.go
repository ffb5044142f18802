package config

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// unknown reports that name, a key of node, which is at key, is none of those known there, and which was probably meant. That one is not
// missed then.
func (c *checker) unknown(key, name string, node *yaml.Node, known []string) {
	best, least := "", 3
	plain := strings.ReplaceAll(strings.ToLower(name), "-", "_")
	for _, k := range known {
		if d := distance(plain, k); d < least && d < len(k) {
			best, least = k, d
		}
	}
	if best == "" {
		c.report(join(key, name), nil, "unknown key", "known here: "+strings.Join(known, ", "))
		return
	}
	c.report(join(key, name), nil, fmt.Sprintf("unknown key, did you mean %q?", best), "")
	if !has(node, best) {
		c.broken = append(c.broken, join(key, best))
	}
}

// has reports whether a mapping has the key.
func has(node *yaml.Node, key string) bool {
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			return true
		}
	}
	return false
}

// distance is how many octets must be put in, taken out or replaced to make b of a (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
