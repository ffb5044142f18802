package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
)

var (
	nvedState    = absolutePath("/var/lib/tns/nved.db")
	tesdState    = absolutePath("/var/lib/tns/tesd.db")
	passwordPath = absolutePath("/etc/tns/bgp.password")
	secretPath   = absolutePath("/etc/tns/hook.secret")
	caPath       = absolutePath("/etc/tns/hook-ca.pem")
	tagCommand   = absolutePath("/usr/local/bin/tag")
	keyPath      = absolutePath("/etc/tns/blue.key")
	policiesPath = absolutePath("/etc/tns/policies.yaml")
)

// absolutePath is the path of a file such as the example.
func absolutePath(example string) kind[string] {
	return kind[string]{"an absolute path of a file, such as " + example, parsePath}
}

func parsePath(s string) (string, error) {
	switch {
	case s == "":
		return s, errors.New("empty")
	case !filepath.IsAbs(s):
		return s, errors.New("not an absolute path")
	case strings.HasSuffix(s, "/"):
		return s, errors.New("the path of a directory")
	}
	return filepath.Clean(s), nil
}

// absoluteDirectory is the path of a directory such as the example; a slash at its end does not count.
func absoluteDirectory(example string) kind[string] {
	return kind[string]{"an absolute path of a directory, such as " + example, func(s string) (string, error) {
		switch {
		case s == "":
			return s, errors.New("empty")
		case !filepath.IsAbs(s):
			return s, errors.New("not an absolute path")
		}
		return filepath.Clean(s), nil
	}}
}

// maxSocketPath is the longest path of a unix socket on Linux (sun_path less its NUL).
const maxSocketPath = 107

// unixSocket is a socket that a daemon listens on, by default at preset.
func unixSocket(preset string) setting[string] {
	return setting[string]{kind[string]{fmt.Sprintf("unix:// and an absolute path of at most %d octets, such as %s", maxSocketPath, preset), parseSocket}, preset}
}

func parseSocket(s string) (string, error) {
	path, ok := strings.CutPrefix(s, "unix://")
	if !ok {
		return s, errors.New("not a unix socket")
	}
	path, err := parsePath(path)
	if err == nil && len(path) > maxSocketPath {
		err = fmt.Errorf("a path of %d octets", len(path))
	}
	return "unix://" + path, err
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
			return parseSocket(s)
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
