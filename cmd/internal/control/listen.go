package control

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// Listen opens the socket of an address with mode 0660, in a directory that it makes if missing. A socket that nobody listens on any more
// is replaced; if somebody does, or if another kind of file is there, the error says so and the file stays.
func Listen(address string) (net.Listener, error) {
	file, err := path(address)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return nil, fmt.Errorf("make the directory of the control socket: %w", err)
	}
	if err := removeStale(file); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", file)
	if err != nil {
		return nil, fmt.Errorf("open the control socket: %w", err)
	}
	if err := os.Chmod(file, 0o660); err != nil {
		l.Close()
		return nil, fmt.Errorf("open the control socket: %w", err)
	}
	return l, nil
}

// removeStale removes a socket that its daemon left behind.
func removeStale(file string) error {
	info, err := os.Lstat(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open the control socket: %w", err)
	}
	if info.Mode().Type() != os.ModeSocket {
		return fmt.Errorf("open the control socket %s: a file that is not a socket is there; want a free path", file)
	}
	c, err := net.Dial("unix", file)
	if err == nil {
		c.Close()
		return fmt.Errorf("open the control socket %s: another daemon is running on it", file)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("open the control socket: %w", err)
	}
	if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove the control socket of a daemon that is gone: %w", err)
	}
	return nil
}
