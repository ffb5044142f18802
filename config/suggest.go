package config

import (
	"fmt"
	"strings"
)

// unknown says that a key is none of those known, and which was probably meant.
func unknown(key string, known []string) string {
	best, least := "", 3
	plain := strings.ReplaceAll(strings.ToLower(key), "-", "_")
	for _, k := range known {
		if d := distance(plain, k); d < least && d < len(k) {
			best, least = k, d
		}
	}
	if best != "" {
		return fmt.Sprintf("unknown key, did you mean %q?", best)
	}
	return "unknown key; known here: " + strings.Join(known, ", ")
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
