package config

import (
	"fmt"
	"strings"
)

// unknown reports that name, under key, is none of the keys known there, and which was probably meant. That one is not missed then.
func (c *checker) unknown(key, name string, known []string) {
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
	c.broken = append(c.broken, join(key, best))
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
