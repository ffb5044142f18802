package gobgp

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// endpoint is where the gRPC API listens.
type endpoint struct {
	network, address string
	hidden           string // unix: where the socket is made before it is moved to address
}

// endpoints are the API's. A unix socket is made in a directory of its own that only we can enter, is made ours alone, and moved to its place: nobody can
// connect in between, and a socket that a dead process left behind is replaced, at which GoBGP would fail.
type endpoints struct {
	list []endpoint
}

// parseEndpoints reads Config.API.
func parseEndpoints(s string) ([]endpoint, error) {
	if s == "" {
		return nil, nil
	}
	var list []endpoint
	for part := range strings.SplitSeq(s, ",") {
		part = strings.TrimSpace(part)
		if path, ok := strings.CutPrefix(part, "unix://"); ok {
			if !filepath.IsAbs(path) {
				return nil, fmt.Errorf("API %q: must be unix:// and an absolute path", part)
			}
			list = append(list, endpoint{network: "unix", address: path})
			continue
		}
		host, _, err := net.SplitHostPort(part)
		if err != nil {
			return nil, fmt.Errorf("API %q: must be unix:///path or host:port", part)
		}
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return nil, fmt.Errorf("API %q: it has no authentication, must be on loopback", part)
		}
		list = append(list, endpoint{network: "tcp", address: part})
	}
	return list, nil
}

// prepareEndpoints makes the directories. It refuses what another process listens on.
func prepareEndpoints(s string) (*endpoints, error) {
	list, err := parseEndpoints(s)
	if err != nil {
		return nil, err
	}
	e := &endpoints{}
	for _, p := range list {
		if p, err = p.prepare(); err != nil {
			e.remove()
			return nil, fmt.Errorf("API at %s: %w", p.address, err)
		}
		e.list = append(e.list, p)
	}
	return e, nil
}

func (p endpoint) prepare() (endpoint, error) {
	if p.network == "tcp" {
		listener, err := net.Listen(p.network, p.address)
		if err != nil {
			return p, err
		}
		return p, listener.Close()
	}
	dir := filepath.Dir(p.address)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return p, err
	}
	switch info, err := os.Lstat(p.address); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return p, err
	case info.Mode().Type() != fs.ModeSocket:
		return p, errors.New("is there and is no socket")
	default:
		if conn, err := net.Dial("unix", p.address); err == nil {
			conn.Close()
			return p, errors.New("another process serves it")
		}
	}
	private, err := os.MkdirTemp(dir, ".gobgp-")
	if err != nil {
		return p, err
	}
	p.hidden = filepath.Join(private, "socket")
	return p, nil
}

// listen is what GoBGP is to listen on.
func (e *endpoints) listen() string {
	addresses := make([]string, len(e.list))
	for i, p := range e.list {
		if addresses[i] = p.address; p.network == "unix" {
			addresses[i] = "unix://" + p.hidden
		}
	}
	return strings.Join(addresses, ",")
}

// publish waits until GoBGP listens, in a goroutine of its own, and moves the sockets to their places. What GoBGP then thinks fatal is its error.
func (e *endpoints) publish(ctx context.Context, fatal <-chan error) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for _, p := range e.list {
		for !p.answers() {
			select {
			case <-ctx.Done():
				return fmt.Errorf("wait for the API at %s: %w", p.address, ctx.Err())
			case err := <-fatal:
				return fmt.Errorf("API at %s: %w", p.address, err)
			case <-tick.C:
			}
		}
		if p.network != "unix" {
			continue
		}
		if err := os.Chmod(p.hidden, 0o600); err != nil {
			return fmt.Errorf("API socket: %w", err)
		}
		if err := os.Rename(p.hidden, p.address); err != nil {
			return fmt.Errorf("API socket: %w", err)
		}
		if err := os.Remove(filepath.Dir(p.hidden)); err != nil {
			return fmt.Errorf("API socket: %w", err)
		}
	}
	return nil
}

func (p endpoint) answers() bool {
	address := p.address
	if p.network == "unix" {
		address = p.hidden
	}
	conn, err := net.Dial(p.network, address)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// remove takes the sockets away.
func (e *endpoints) remove() {
	for _, p := range e.list {
		if p.network == "unix" {
			os.Remove(p.address)
			os.RemoveAll(filepath.Dir(p.hidden))
		}
	}
}
