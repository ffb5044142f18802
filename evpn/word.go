package evpn

import (
	"fmt"
	"slices"
	"strings"
)

// words names the values of a small enumeration by SPEC's words; a value without a word is printed with its kind and number.
type words struct {
	kind string
	list []string
}

func (w words) format(n uint8) string {
	if int(n) < len(w.list) && w.list[n] != "" {
		return w.list[n]
	}
	return fmt.Sprintf("%s %d", w.kind, n)
}

func (w words) parse(s string) (uint8, error) {
	if i := slices.Index(w.list, s); i >= 0 && s != "" {
		return uint8(i), nil
	}
	known := slices.DeleteFunc(slices.Clone(w.list), func(s string) bool { return s == "" })
	return 0, fmt.Errorf("%s %q: not one of %s", w.kind, s, strings.Join(known, "; "))
}
