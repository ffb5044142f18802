package control

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Directory is where the daemons' sockets are unless configured otherwise.
const Directory = "/run/tns"

// The names of the daemons.
const (
	TES = "tesd"
	NVE = "nved"
)

// DefaultAddress is the address of a daemon's socket unless configured otherwise.
func DefaultAddress(daemon string) string { return "unix://" + socketIn(Directory, daemon) }

// Find is the address of the first of the daemons that listens on its default socket. If none does it is that of the first one whose
// socket exists, else of the first one, so that the error of a call names it.
func Find(daemons ...string) string { return findIn(Directory, daemons) }

func findIn(directory string, daemons []string) string {
	present := ""
	for _, d := range daemons {
		path := socketIn(directory, d)
		if listens(path) {
			return "unix://" + path
		}
		if _, err := os.Stat(path); err == nil && present == "" {
			present = "unix://" + path
		}
	}
	if present == "" {
		present = "unix://" + socketIn(directory, daemons[0])
	}
	return present
}

func socketIn(directory, daemon string) string { return filepath.Join(directory, daemon+".sock") }

// path is the file of an address: "unix:///path", "unix:/path" or "/path".
func path(address string) (string, error) {
	p := strings.TrimPrefix(strings.TrimPrefix(address, "unix:"), "//")
	if !filepath.IsAbs(p) {
		return "", Errorf(ErrInvalid, "address %q: want unix:///path/to.sock", address)
	}
	return filepath.Clean(p), nil
}

// listens reports whether somebody accepts connections on the socket.
func listens(path string) bool {
	c, err := net.DialTimeout("unix", path, time.Second)
	if err != nil {
		return false
	}
	c.Close()
	return true
}
