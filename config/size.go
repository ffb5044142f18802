package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// units are those of sizes, the larger one first.
var units = []struct {
	name   string
	octets uint64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

// size is an amount of memory in octets within bounds, written as a whole number of a unit.
func size(least, most uint64) kind[int64] {
	return kind[int64]{
		fmt.Sprintf("a size with its unit (%s), from %s to %s", unitsFrom(least), written(least), written(most)),
		func(s string) (int64, error) {
			for _, unit := range units {
				digits, ok := strings.CutSuffix(s, unit.name)
				if !ok {
					continue
				}
				n, err := strconv.ParseUint(digits, 10, 64)
				switch {
				case errors.Is(err, strconv.ErrRange) || err == nil && n > most/unit.octets:
					return 0, fmt.Errorf("above the bound %s", written(most))
				case err != nil || len(digits) > 1 && digits[0] == '0':
					return 0, errors.New("not a size")
				case n*unit.octets < least:
					return 0, fmt.Errorf("below the bound %s", written(least))
				}
				return int64(n * unit.octets), nil
			}
			if _, err := strconv.ParseFloat(s, 64); err == nil {
				return 0, errors.New("has no unit")
			}
			return 0, errors.New("not a size")
		},
	}
}

// unitsFrom is the units to write a size with that is at least so much.
func unitsFrom(least uint64) string {
	var names []string
	for _, unit := range slices.Backward(units) {
		if names != nil || least < unit.octets<<10 {
			names = append(names, unit.name)
		}
	}
	return strings.Join(names, ", ")
}

// written is a size in the largest unit that it is a multiple of.
func written(octets uint64) string {
	for _, unit := range units {
		if octets%unit.octets == 0 {
			return fmt.Sprintf("%d%s", octets/unit.octets, unit.name)
		}
	}
	return fmt.Sprint(octets)
}

// limit is a size, or none, which is 0.
func limit(k kind[int64]) kind[int64] {
	return kind[int64]{
		k.right + ", or none",
		func(s string) (int64, error) {
			if s == "none" {
				return 0, nil
			}
			return k.parse(s)
		},
	}
}
