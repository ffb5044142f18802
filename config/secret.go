package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// maxSecret is the longest secret file that is read, in octets.
const maxSecret = 256 << 10

// readSecret reads a password or key file; a line end after what it holds does not belong to it. A private one is refused when others than its owner have
// access.
func readSecret(path string, private bool) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", reason(err)
	}
	if !info.Mode().IsRegular() {
		return "", errors.New("not a regular file")
	}
	file, err := os.Open(path)
	if err != nil {
		return "", reason(err)
	}
	defer file.Close()
	if info, err = file.Stat(); err != nil { // of what is read, whatever is at the path by now
		return "", reason(err)
	}
	if mode := info.Mode().Perm(); private && mode&0o077 != 0 {
		return "", fmt.Errorf("its mode is %#o, so that others than its owner have access", mode)
	}
	text, err := io.ReadAll(io.LimitReader(file, maxSecret))
	if err != nil {
		return "", reason(err)
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}

// reason is why the system refused, without the path, which the problem shows already.
func reason(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err
	}
	return err
}
