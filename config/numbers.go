package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tns-project/tns/evpn"
)

// number is a decimal number within bounds; what names it.
func number[T int | uint8 | uint16 | uint32 | uint64 | evpn.VNI](what string, least, most uint64) kind[T] {
	return kind[T]{
		fmt.Sprintf("%s from %d to %d", what, least, most),
		func(s string) (T, error) {
			n, err := strconv.ParseUint(s, 10, 64)
			switch {
			case errors.Is(err, strconv.ErrRange) || err == nil && n > most:
				return 0, fmt.Errorf("above the bound %d", most)
			case err != nil || len(s) > 1 && s[0] == '0':
				return 0, errors.New("not a decimal number")
			case n < least:
				return 0, fmt.Errorf("below the bound %d", least)
			}
			return T(n), nil
		},
	}
}

// duration is a time span within bounds, a multiple of step.
func duration(least, most, step time.Duration) kind[time.Duration] {
	right := fmt.Sprintf("a duration with its unit (ms, s, m, h), from %s to %s", short(least), short(most))
	if step == time.Second {
		right = "a duration of whole seconds with its unit (s, m, h), from " + short(least) + " to " + short(most)
	}
	return kind[time.Duration]{
		right,
		func(s string) (time.Duration, error) {
			d, err := time.ParseDuration(s)
			_, unitless := strconv.ParseFloat(s, 64)
			switch {
			case unitless == nil && s != "0":
				return 0, errors.New("has no unit")
			case err != nil:
				return 0, errors.New("not a duration")
			case d > most:
				return 0, fmt.Errorf("above the bound %s", short(most))
			case d < least:
				return 0, fmt.Errorf("below the bound %s", short(least))
			case d%step != 0:
				return 0, fmt.Errorf("not a multiple of %s", short(step))
			}
			return d, nil
		},
	}
}

// short is a duration without the units that are zero: 1h, not 1h0m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}
