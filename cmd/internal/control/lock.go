package control

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	lockTime  = 5 * time.Second // a daemon that was killed leaves processes that end right after it
	lockPause = 10 * time.Millisecond
)

// Lock makes the caller, and the processes that inherit the file, the only daemon at a control address: it locks a file beside the socket for as long as
// one of them has it open. It waits a few seconds for those of a daemon that has just ended.
func Lock(address string) (*os.File, error) {
	socket, err := path(address)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(socket), 0o755); err != nil {
		return nil, fmt.Errorf("make the directory of the control socket: %w", err)
	}
	file, err := os.OpenFile(strings.TrimSuffix(socket, ".sock")+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the control socket: %w", err)
	}
	for end := time.Now().Add(lockTime); ; time.Sleep(lockPause) {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return file, nil
		case !errors.Is(err, syscall.EWOULDBLOCK) || time.Now().After(end):
			file.Close()
			if errors.Is(err, syscall.EWOULDBLOCK) {
				err = errors.New("another daemon is running on it")
			}
			return nil, fmt.Errorf("lock the control socket %s: %w", socket, err)
		}
	}
}

// Beside is the address of another socket in the directory of a control socket: unix:///run/tns/nved.sock has unix:///run/tns/nved-guard.sock beside it.
func Beside(address, name string) string {
	return strings.TrimSuffix(address, ".sock") + "-" + name + ".sock"
}
