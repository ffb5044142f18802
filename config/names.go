package config

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

var deviceName = kind[string]{
	"a Linux device name: 1 to 15 octets, no space, no slash",
	func(s string) (string, error) {
		switch {
		case s == "":
			return s, errors.New("empty")
		case len(s) > 15:
			return s, fmt.Errorf("%d octets long", len(s))
		case s == "." || s == ".." || strings.ContainsAny(s, "/:%") || strings.ContainsFunc(s, notPlain):
			return s, errors.New("not a device name")
		}
		return s, nil
	},
}

var vnName = kind[string]{
	"a name of 1 to 255 octets without comma, space or control character, with something else than digits in it",
	func(s string) (string, error) {
		switch {
		case s == "":
			return s, errors.New("empty")
		case len(s) > 255:
			return s, fmt.Errorf("%d octets long", len(s))
		case !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' }):
			return s, errors.New("all digits, which would be taken for a VNI")
		case !utf8.ValidString(s) || strings.Contains(s, ",") || strings.ContainsFunc(s, notPlain):
			return s, errors.New("holds a comma, a space or an unprintable character")
		}
		return s, nil
	},
}

var userName = kind[string]{
	"the name of a user of this machine, such as nobody",
	func(s string) (string, error) {
		switch {
		case s == "":
			return s, errors.New("empty")
		case strings.ContainsAny(s, ":/") || strings.ContainsFunc(s, notPlain):
			return s, errors.New("not a user name")
		}
		return s, nil
	},
}

func notPlain(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }
