package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tns-project/tns/evpn"
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

var routerID = kind[evpn.RouterID]{
	"a dotted quad such as 192.0.2.1, from 1.0.0.0 up and not within 16.0.0.0/8",
	func(s string) (evpn.RouterID, error) {
		a, err := netip.ParseAddr(s)
		if err != nil || !a.Is4() {
			return 0, errors.New("not an identifier")
		}
		id, err := evpn.ParseRouterID(s)
		if err != nil {
			return 0, errors.New("an identifier that could be read as a VNI's route target")
		}
		return id, nil
	},
}

var sessionAddress = kind[netip.Addr]{
	"a unicast address such as 192.0.2.1 or 2001:db8::1",
	func(s string) (netip.Addr, error) {
		a, err := netip.ParseAddr(s)
		switch {
		case err != nil:
			return a, errors.New("not an IP address")
		case a.Zone() != "" || a.IsLinkLocalUnicast():
			return a, errors.New("a link-local address")
		case a.Is4In6():
			return a, fmt.Errorf("%s written as an IPv6 address", a.Unmap())
		case a.IsUnspecified() || a.IsMulticast() || a.Is4() && a.As4()[0] >= 240:
			return a, errors.New("not a unicast address")
		}
		return a, nil
	},
}

// tunnelAddress is a session's address that other machines can reach.
var tunnelAddress = kind[netip.Addr]{
	sessionAddress.right,
	func(s string) (netip.Addr, error) {
		a, err := sessionAddress.parse(s)
		if err == nil && a.IsLoopback() {
			err = errors.New("a loopback address, which no other edge can reach")
		}
		return a, err
	},
}

var sessionPrefix = kind[netip.Prefix]{
	"a prefix such as 192.0.2.0/24 or 2001:db8::/64",
	func(s string) (netip.Prefix, error) {
		p, err := netip.ParsePrefix(s)
		switch {
		case err != nil:
			return p, errors.New("not a prefix")
		case p.Addr().Is4In6() || p.Addr().IsMulticast() || p.Addr().IsLinkLocalUnicast():
			return p, errors.New("not a prefix of unicast addresses")
		case p != p.Masked():
			return p, fmt.Errorf("has bits set after the first %d, as %s has not", p.Bits(), p.Masked())
		}
		return p, nil
	},
}

var routeTarget = kind[evpn.RouteTarget]{
	"AS:number or a.b.c.d:number, such as 65000:10100",
	func(s string) (evpn.RouteTarget, error) {
		rt, err := evpn.ParseRouteTarget(s)
		if err != nil {
			return rt, errors.New("not a route target")
		}
		for _, signalling := range []evpn.RouteTarget{evpn.RequestTarget(firstID), evpn.ResponseTarget(firstID)} {
			if [4]byte(rt[:4]) == [4]byte(signalling[:4]) && rt[4] != 0 && rt[4] != 16 { // 0 and 16 are no router-id's
				return rt, errors.New("a route target of the signalling between TES and NVE, which must not reach a VN")
			}
		}
		return rt, nil
	},
}

// firstID is the lowest router-id that an NVE or TES can have, 1.0.0.0.
const firstID evpn.RouterID = 1 << 24

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

func notPlain(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }

var absolutePath = kind[string]{
	"an absolute path of a file, such as /var/lib/tns/nved.db",
	func(s string) (string, error) {
		switch {
		case s == "":
			return s, errors.New("empty")
		case !filepath.IsAbs(s):
			return s, errors.New("not an absolute path")
		case strings.HasSuffix(s, "/"):
			return s, errors.New("the path of a directory")
		}
		return filepath.Clean(s), nil
	},
}

// maxSocketPath is the longest path of a unix socket on Linux (sun_path less its NUL).
const maxSocketPath = 107

var unixSocket = kind[string]{
	"unix:// and an absolute path of at most 107 octets, such as unix:///run/tns/nved.sock",
	func(s string) (string, error) {
		path, ok := strings.CutPrefix(s, "unix://")
		if !ok {
			return s, errors.New("not a unix socket")
		}
		path, err := absolutePath.parse(path)
		if err == nil && len(path) > maxSocketPath {
			err = fmt.Errorf("a path of %d octets", len(path))
		}
		return "unix://" + path, err
	},
}

var hostPort = kind[string]{
	"host:port, such as 127.0.0.1:9479 or [::1]:9479; no host means all addresses",
	func(s string) (string, error) {
		host, port, err := net.SplitHostPort(s)
		if err != nil || strings.ContainsFunc(host, notPlain) || strings.Contains(host, "/") {
			return s, errors.New("not host:port")
		}
		if _, err := number[uint16]("", 1, 65535).parse(port); err != nil {
			return s, fmt.Errorf("port %q: %w", port, err)
		}
		return s, nil
	},
}

// localAPI is where an API without authentication may be.
var localAPI = kind[string]{
	"unix:// and an absolute path, or a port on loopback such as 127.0.0.1:50051",
	func(s string) (string, error) {
		if strings.HasPrefix(s, "unix:") {
			return unixSocket.parse(s)
		}
		s, err := hostPort.parse(s)
		if err != nil {
			return s, errors.New("neither a unix socket nor host:port")
		}
		if a, err := netip.ParseAddrPort(s); err != nil || !a.Addr().IsLoopback() {
			return s, errors.New("could be reached from other machines")
		}
		return s, nil
	},
}

// maxPassword is the longest key of TCP MD5 on Linux (TCP_MD5SIG_MAXKEYLEN).
const maxPassword = 80

var password = kind[string]{
	fmt.Sprintf("1 to %d octets", maxPassword),
	func(s string) (string, error) {
		switch {
		case s == "":
			return s, errors.New("empty")
		case len(s) > maxPassword:
			return s, fmt.Errorf("%d octets long", len(s))
		}
		return s, nil
	},
}

// number is a decimal number within bounds; what names it.
func number[T int | uint8 | uint16 | uint32 | evpn.VNI](what string, least, most uint64) kind[T] {
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
